"""Classifiers that learn from rows without a target, too: self-training and label spreading."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Float, Int


class SpreadLabels(LabelSpreading):
    """Zhou et al. (2003): labels spread over the graph of the nearest neighbours, which are asked for new rows as well.

    A row none of whose neighbours any label reached has the classes' shares among the labelled rows, where scikit-learn
    divides by 0.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """X: (rows, features); y: (rows,) class codes, -1 where unknown."""
        super().fit(X, y)
        known = y[y != -1]
        self.shares_ = np.array([np.mean(known == label) for label in self.classes_])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(rows, features) -> (rows, classes)."""
        with np.errstate(invalid="ignore"):
            shares = super().predict_proba(X)
        return np.where(np.isfinite(shares), shares, self.shares_)


def _self_training(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Yarowsky (1995): a logistic regression takes its own surest predictions as labels, round after round."""
    return assemble(SelfTrainingClassifier(LogisticRegression(max_iter=1_000)), params, seed)


def _label_spreading(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """On the nearest neighbours' graph: that of a Gaussian kernel takes memory with the square of the rows."""
    return assemble(SpreadLabels(kernel="knn"), params, seed)


SELF_TRAINING = Family(
    name="self-training",
    engine="estimator",
    build=_self_training,
    space={
        "threshold": Float(0.6, 0.99),
        "C": Float(1e-4, 1e2, log=True),
        "class_weight": Choice((None, "balanced")),
    },
    tasks=frozenset({"classification"}),
    unlabelled=True,
)

LABEL_SPREADING = Family(
    name="label-spreading",
    engine="estimator",
    build=_label_spreading,
    space={"n_neighbors": Int(3, 100, log=True), "alpha": Float(0.01, 0.99)},
    tasks=frozenset({"classification"}),
    unlabelled=True,
)
