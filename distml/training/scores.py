"""From a network's predictions, fold by fold, to a trial's scores."""

import math
from collections.abc import Iterable

import numpy as np

from distml.training.cohort import Assignment
from distml.training.folds import fold_means


def score_folds(assignment: Assignment, predicted: Iterable[np.ndarray]) -> tuple[dict[str, float], tuple[float, ...]]:
    """(metric -> mean over the folds where it is defined, the sweep's metric fold by fold).

    Raises:
        FloatingPointError: predictions are not finite.
        ValueError: the sweep's metric is not defined on any fold.
    """
    folds = []
    for fold, prediction in zip(assignment.folds, predicted, strict=True):
        if not np.isfinite(prediction).all():
            raise FloatingPointError("its predictions are not finite")
        folds.append(assignment.evaluator(fold.y_valid, prediction))
    scores = fold_means(folds)
    name = assignment.evaluator.metric.name
    if math.isnan(scores[name]):
        raise ValueError(f"{name} is not defined on any fold: the validation rows lack a class")
    if math.isinf(scores[name]):
        raise FloatingPointError(f"{name} is not finite")
    return scores, tuple(fold[name] for fold in folds)
