"""Ensembles whose every tree mends what the ones before got wrong."""

from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from distml.data.task import Outline
from distml.models.family import Family, Growth, Params
from distml.models.parameters import assemble
from distml.models.space import Fixed, Float, Int

_BINS = 255  # the largest max_bins of histogram gradient boosting, and so its largest number of categories


def _adaboost(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    if outline.task == "classification":
        return assemble(AdaBoostClassifier(DecisionTreeClassifier(max_depth=1)), params, seed)
    return assemble(AdaBoostRegressor(DecisionTreeRegressor(max_depth=3)), params, seed)


def _gradient_boosting(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    kind = GradientBoostingClassifier if outline.task == "classification" else GradientBoostingRegressor
    return assemble(kind(), params, seed)


def _hist_gradient_boosting(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Columns of category codes are split as categories; rungs, not its own early stopping, end the growth."""
    kind = HistGradientBoostingClassifier if outline.task == "classification" else HistGradientBoostingRegressor
    first = outline.features - len(outline.cardinalities)
    categorical = [first + place for place, codes in enumerate(outline.cardinalities) if codes <= _BINS]
    return assemble(kind(early_stopping=False, categorical_features=categorical or None), params, seed)


ADABOOST = Family(
    name="adaboost",
    engine="estimator",
    build=_adaboost,
    space={"n_estimators": Fixed(180), "learning_rate": Float(0.01, 2.0, log=True), "max_depth": Int(1, 4)},
    resource="trees",
    first_rung=20,
    growth=Growth("n_estimators", staged=True, warm_start=False),
)

GRADIENT_BOOSTING = Family(
    name="gradient-boosting",
    engine="estimator",
    build=_gradient_boosting,
    space={
        "n_estimators": Fixed(180),
        "learning_rate": Float(0.02, 0.2, log=True),
        "max_depth": Int(2, 6),
        "min_samples_leaf": Int(1, 200, log=True),
        "subsample": Float(0.4, 1.0),
        "max_features": Float(0.2, 1.0),
    },
    resource="trees",
    first_rung=20,
    growth=Growth("n_estimators", staged=True, warm_start=True),
)

HIST_GRADIENT_BOOSTING = Family(
    name="hist-gradient-boosting",
    engine="estimator",
    build=_hist_gradient_boosting,
    space={
        "max_iter": Fixed(180),
        "learning_rate": Float(0.01, 0.2, log=True),
        "max_leaf_nodes": Int(4, 63, log=True),
        "min_samples_leaf": Int(5, 300, log=True),
        "l2_regularization": Float(1e-3, 1e2, log=True),
        "max_features": Float(0.2, 1.0),
        # No class_weight: weighted quantiles for the bins take longer than the trees.
    },
    resource="trees",
    first_rung=20,
    growth=Growth("max_iter", staged=True, warm_start=True),
)
