"""One decision tree."""

from sklearn.base import BaseEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Float, Int


def _decision_tree(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    kind = DecisionTreeClassifier if outline.task == "classification" else DecisionTreeRegressor
    return assemble(kind(), params, seed)


DECISION_TREE = Family(
    name="decision-tree",
    engine="estimator",
    build=_decision_tree,
    space={
        "max_depth": Int(2, 16),
        "min_samples_leaf": Int(1, 300, log=True),
        "max_features": Float(0.3, 1.0),
        "class_weight": Choice((None, "balanced")),
    },
)
