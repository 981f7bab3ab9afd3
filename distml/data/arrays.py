"""A dataset under one preprocessing variant: computed once, shared by all trials."""

import warnings

import numpy as np
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from distml.data.dataset import Dataset, seen
from distml.data.preprocessing import cardinalities, make_preprocessor
from distml.data.task import FoldArrays, Outline
from distml.data.variant import Variant


def prepare_folds(dataset: Dataset, variant: Variant, seed: int) -> tuple[FoldArrays, ...]:
    """One fold after another, each fitted on its own training rows alone.

    Features have the same number and, but for pca and landmarks, the same meaning in all folds and in prepare_whole.

    Raises:
        ValueError: the variant does not suit the columns (more principal components than columns, ...).
    """
    return tuple(_prepare(dataset, variant, seed, train, valid) for train, valid in dataset.folds)


def prepare_whole(dataset: Dataset, variant: Variant, seed: int) -> FoldArrays:
    """All training rows against the holdout, fitted on all training rows."""
    return _prepare(dataset, variant, seed, dataset.train, dataset.holdout)


def fit_preprocessor(dataset: Dataset, variant: Variant, seed: int) -> Pipeline:
    """The preprocessor of prepare_whole, for tables to come: frame with kinds applied -> float32 (rows, features)."""
    return _fitted(dataset, variant, seed, dataset.train)[0]


def outline(dataset: Dataset, arrays: FoldArrays) -> Outline:
    """What a model must know of these arrays."""
    further = dataset.further.shape[1]
    return Outline(dataset.task, arrays.x_train.shape[1], arrays.cardinalities, len(dataset.classes), further)


def further_of(dataset: Dataset, rows: np.ndarray) -> np.ndarray | None:
    """Further targets of some rows, as FoldArrays has them."""
    return dataset.further[rows] if dataset.further.shape[1] else None


def targets(dataset: Dataset) -> np.ndarray:
    """What models learn, row by row, as FoldArrays has it."""
    truth = dataset.truth
    return truth if truth.dtype == np.int64 else truth.astype(np.float32)


def _fitted(dataset: Dataset, variant: Variant, seed: int, rows: np.ndarray) -> tuple[Pipeline, np.ndarray]:
    """The preprocessor, and these rows prepared by it; those without a target below them."""
    preprocessor = make_preprocessor(dataset.layout, variant, seed)
    # On matrices this small, BLAS threads that wait for one another make PCA ten times slower than one alone.
    with threadpool_limits(1), warnings.catch_warnings():
        # QuantileTransformer takes as many quantiles as there are rows when they are few, which is all we want of it.
        warnings.filterwarnings("ignore", message="n_quantiles", category=UserWarning)
        return preprocessor, preprocessor.fit_transform(seen(dataset.frame.iloc[rows], dataset.unlabelled))


def _prepare(dataset: Dataset, variant: Variant, seed: int, train: np.ndarray, valid: np.ndarray) -> FoldArrays:
    preprocessor, x = _fitted(dataset, variant, seed, train)
    x_train = x[: len(train)]
    y = targets(dataset)
    return FoldArrays(
        x_train=x_train,
        y_train=y[train],
        x_valid=preprocessor.transform(dataset.frame.iloc[valid]) if len(valid) else x_train[:0],
        y_valid=y[valid],
        train_rows=train,
        valid_rows=valid,
        cardinalities=cardinalities(preprocessor),
        x_unlabelled=None if dataset.unlabelled is None else x[len(train) :],
        further_train=further_of(dataset, train),
    )
