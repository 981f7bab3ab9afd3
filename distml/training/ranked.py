"""Estimators that learn a ranking."""

import inspect
from typing import Any

import numpy as np


def fit_ranking(model: Any, x: np.ndarray, truth: np.ndarray) -> None:
    """Train an estimator, in place: one whose `fit` takes `qid`, as XGBoost's ranker does, is told the queries, rows of
    one query side by side; any other learns the grades as values, which is ranking pointwise.

    x: (rows, features). truth: (rows, 2), grades and codes of queries.
    """
    if "qid" not in inspect.signature(model.fit).parameters:
        model.fit(x, truth[:, 0].astype(np.float32))
        return
    order = np.argsort(truth[:, 1], kind="stable")
    model.fit(x[order], truth[order, 0], qid=truth[order, 1])
