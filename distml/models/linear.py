"""Linear classifiers: logistic regression and the perceptron."""

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, Perceptron

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Float


def _logistic_regression(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(LogisticRegression(max_iter=1_000), params, seed)


def _perceptron(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Rosenblatt's error correction; Platt's sigmoid on cross-validated scores makes probabilities of its margins."""
    return assemble(CalibratedClassifierCV(Perceptron(), cv=3, ensemble=False), params, seed)


LOGISTIC_REGRESSION = Family(
    name="logistic-regression",
    engine="estimator",
    build=_logistic_regression,
    space={"C": Float(1e-4, 1e2, log=True), "class_weight": Choice((None, "balanced"))},
    tasks=frozenset({"classification"}),
)

PERCEPTRON = Family(
    name="perceptron",
    engine="estimator",
    build=_perceptron,
    space={
        "penalty": Choice((None, "l2", "l1", "elasticnet")),
        "alpha": Float(1e-6, 1e-2, log=True),
        "class_weight": Choice((None, "balanced")),
    },
    tasks=frozenset({"classification"}),
)
