"""From the folds' predictions to a trial's scores."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from distml.models.metrics import Evaluator
from distml.training.cohort import Assignment


def score_folds(assignment: Assignment, predicted: Iterable[np.ndarray]) -> tuple[dict[str, float], tuple[float, ...]]:
    """Score a prediction of each fold's validation rows; returns and raises what score_pairs does."""
    truths = (fold.y_valid for fold in assignment.folds)
    return score_pairs(assignment.evaluator, zip(truths, predicted, strict=True))


def score_pairs(
    evaluator: Evaluator, folds: Iterable[tuple[np.ndarray, np.ndarray]]
) -> tuple[dict[str, float], tuple[float, ...]]:
    """Score pairs of (truth, prediction), a fold each.

    Returns:
        metric -> mean over the folds, and the sweep's metric fold by fold.

    Raises:
        FloatingPointError: a prediction or the sweep's metric is not finite.
        ValueError: the sweep's metric is not defined on any fold.
    """
    scored = []
    for y, prediction in folds:
        if not np.isfinite(prediction).all():
            raise FloatingPointError("the predictions are not finite")
        scored.append(evaluator(y, prediction))
    return summed_up(evaluator.metric.name, scored)


def summed_up(name: str, scored: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], tuple[float, ...]]:
    """From each fold's scores (metric -> score) to what score_pairs returns and raises; name: the sweep's metric."""
    means = fold_means(scored)
    if math.isnan(means[name]):
        raise ValueError(f"{name} is not defined on any fold: the validation rows lack a class")
    if math.isinf(means[name]):
        raise FloatingPointError(f"{name} is not finite")
    return means, tuple(fold[name] for fold in scored)


def fold_means(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the folds on which it is defined; nan where that is none.

    >>> fold_means([{"roc_auc": 0.5}, {"roc_auc": 1.0}, {"roc_auc": float("nan")}])
    {'roc_auc': 0.75}
    """
    means = {}
    for name in folds[0]:
        defined = [fold[name] for fold in folds if not math.isnan(fold[name])]
        means[name] = math.fsum(defined) / len(defined) if defined else math.nan
    return means
