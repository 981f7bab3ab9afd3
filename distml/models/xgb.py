"""XGBoost, where it is installed; with device 'cuda' it trains on a GPU."""

import re
import warnings

import numpy as np
import xgboost
from sklearn.base import BaseEstimator

from distml.data.task import Outline, Task
from distml.models.family import Family, Growth, Params
from distml.models.parameters import assemble
from distml.models.space import Fixed, Float, Int


def _xgboost(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Columns of category codes are split as categories. A ranking is learnt by LambdaMART (objective: rank:ndcg)."""
    kinds = {"classification": xgboost.XGBClassifier, "ranking": xgboost.XGBRanker}
    kind = kinds.get(outline.task, xgboost.XGBRegressor)
    codes = len(outline.cardinalities)
    types = ["q"] * (outline.features - codes) + ["c"] * codes
    estimator = kind(tree_method="hist", enable_categorical=codes > 0, feature_types=types if codes else None, n_jobs=1)
    return assemble(estimator, params, seed)


def _check(params: Params, task: Task) -> None:
    """XGBoost reads its parameters only in training, so it is given four rows and one tree.

    Raises:
        ValueError: in XGBoost's own words.
    """
    trees = params.get("n_estimators", 1)
    if not isinstance(trees, int) or trees < 1:
        raise ValueError(f"n_estimators {trees!r} is not a whole number above 0")
    if task == "ranking" and not str(params.get("objective", "rank:ndcg")).startswith("rank:"):
        known = "rank:ndcg, rank:pairwise or, of two grades, rank:map"
        raise ValueError(f"objective {params['objective']!r} is none of a ranking: {known}")
    outline = Outline(task=task, features=1, classes=2 if task == "classification" else 0)
    estimator = _xgboost({**params, "n_estimators": 1}, outline, seed=0)
    queries = {"qid": np.array([0, 0, 1, 1])} if task == "ranking" else {}
    try:
        with warnings.catch_warnings():
            # 'no visible GPU': the machine that checks need not be the one that trains.
            warnings.simplefilter("ignore", UserWarning)
            estimator.fit(np.arange(4.0).reshape(4, 1), np.array([0, 1, 0, 1]), **queries)
    except (xgboost.core.XGBoostError, TypeError) as error:
        words = re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).split("Stack trace")[0].strip())
        raise ValueError(re.sub(r"\s*\n\s*", " ", words)) from None


XGBOOST = Family(
    name="xgboost",
    engine="estimator",
    build=_xgboost,
    space={
        "n_estimators": Fixed(180),
        "learning_rate": Float(0.01, 0.2, log=True),
        "max_depth": Int(2, 8),
        "min_child_weight": Float(1.0, 100.0, log=True),
        "subsample": Float(0.5, 1.0),
        "colsample_bytree": Float(0.3, 1.0),
        "reg_lambda": Float(1e-2, 1e2, log=True),
    },
    resource="trees",
    first_rung=20,
    growth=Growth("n_estimators", staged=True, warm_start=False),
    check=_check,
)
