"""scikit-learn's scorers on predictions that are there already."""

import warnings
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names

from distml.data.task import Task


def scorer_names() -> list[str]:
    """All there are."""
    return get_scorer_names()


def by_scorer(name: str, y: np.ndarray, prediction: np.ndarray, classes: int) -> float:
    """The value of a scorer; nan where a class is missing from y and the score therefore undefined.

    y: (rows,) class codes or values. prediction: (rows, classes) probabilities, or (rows,) values.
    """
    fixed = _FixedClassifier(prediction) if prediction.ndim == 2 else _FixedRegressor(prediction)
    missing = prediction.ndim == 2 and len(np.unique(y)) < classes
    with warnings.catch_warnings():
        # A model that never predicts a class has a precision of 0 by convention: a score, not news.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        if missing:
            warnings.simplefilter("error")
        try:
            return float(get_scorer(name)(fixed, prediction, y))
        except (ValueError, Warning):
            if missing:
                return float("nan")
            raise


@cache
def suits(name: str, task: Task) -> bool:
    """Whether a scorer is meant for this task: those of regression, and no others, take fractions without complaint."""
    values = np.array([0.5, 1.5, 2.25, 3.75])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            get_scorer(name)(_FixedRegressor(values), values, values)
        except (ValueError, AttributeError, Warning):
            return task == "classification"
    return task == "regression"


class _FixedClassifier(ClassifierMixin, BaseEstimator):
    """What scikit-learn's scorers take: a fitted classifier, whose prediction is already there."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self.probabilities = probabilities
        self.classes_ = np.arange(probabilities.shape[1])

    def predict_proba(self, x: ArrayLike) -> np.ndarray:
        return self.probabilities

    def predict(self, x: ArrayLike) -> np.ndarray:
        return np.argmax(self.probabilities, axis=1)


class _FixedRegressor(RegressorMixin, BaseEstimator):
    """The same for values."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.fitted_ = True

    def predict(self, x: ArrayLike) -> np.ndarray:
        return self.values
