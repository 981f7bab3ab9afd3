"""Ensembles of independent trees, each on its own bootstrap sample: they grow, and score their out-of-bag rows."""

from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from distml.data.task import Outline
from distml.models.family import Family, Growth, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Domain, Fixed, Float, Int

_GROWTH = Growth("n_estimators", staged=False, warm_start=True, out_of_bag=True)
_TREES: dict[str, Domain] = {
    "n_estimators": Fixed(270),  # 10, 30, 90, 270: the rungs of a scheduler that keeps a third
    "max_features": Float(0.1, 0.7),
    "min_samples_leaf": Int(1, 200, log=True),
}


def _bagging(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    if outline.task == "classification":
        return assemble(BaggingClassifier(DecisionTreeClassifier()), params, seed)
    return assemble(BaggingRegressor(DecisionTreeRegressor()), params, seed)


def _random_forest(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    kind = RandomForestClassifier if outline.task == "classification" else RandomForestRegressor
    return assemble(kind(), params, seed)


def _extra_trees(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """With bootstrap samples, unlike scikit-learn's default: without them there are no out-of-bag rows."""
    kind = ExtraTreesClassifier if outline.task == "classification" else ExtraTreesRegressor
    return assemble(kind(bootstrap=True), params, seed)


BAGGING = Family(
    name="bagging",
    engine="estimator",
    build=_bagging,
    space={**_TREES, "n_estimators": Fixed(90), "max_samples": Float(0.1, 1.0)},
    resource="trees",
    first_rung=10,
    growth=_GROWTH,
)

RANDOM_FOREST = Family(
    name="random-forest",
    engine="estimator",
    build=_random_forest,
    space={**_TREES, "max_depth": Int(4, 24), "class_weight": Choice((None, "balanced_subsample"))},
    resource="trees",
    first_rung=10,
    growth=_GROWTH,
)

EXTRA_TREES = Family(
    name="extra-trees",
    engine="estimator",
    build=_extra_trees,
    space={**_TREES, "max_depth": Int(4, 24), "class_weight": Choice((None, "balanced_subsample"))},
    resource="trees",
    first_rung=10,
    growth=_GROWTH,
)
