"""A real table cut into folds, for the tests of training."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from distml.data.task import FoldArrays, Outline
from distml.models.metrics import Evaluator
from distml.models.registry import find_family
from distml.training.cohort import Assignment, Member

TABLE = Path(__file__).parents[2] / "experiments" / "credit_german" / "credit_german.csv.gz"


@cache
def german() -> tuple[np.ndarray, np.ndarray]:
    """x: float32 (1000, 20), the last column a category of 10 codes; y: 1 where the loan went bad."""
    table = pd.read_csv(TABLE)
    y = (table.pop("creditability") == "bad").to_numpy(np.int64)
    codes = table.apply(lambda column: column if column.dtype.kind in "if" else pd.factorize(column, sort=True)[0])
    purpose = codes.pop("purpose").to_numpy(np.float32)
    x = codes.to_numpy(np.float32)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.ascontiguousarray(np.column_stack([x, purpose])), y


def assignment(
    name: str, *, whole: bool = False, regression: bool = False, folds: int = 3, rows: int = 600
) -> Assignment:
    """The German table for a family; as a regression, of the amount from the rest."""
    x, y = german()
    x, y, others = x[:rows], y[:rows], x[rows:]
    if regression:
        y, x = x[:, 3].copy(), np.ascontiguousarray(np.delete(x, 3, axis=1))
    cut = [
        FoldArrays(x[a], y[a], x[b], y[b], a, b, (10,), others)
        for a, b in KFold(folds, shuffle=True, random_state=0).split(x)
    ]
    everything = np.arange(rows)
    family = find_family(name)
    if regression:
        outline, evaluator = Outline("regression", x.shape[1], (10,), 0), Evaluator("rmse", ["r2"], "regression", 0)
    else:
        outline = Outline("classification", x.shape[1], (10,), 2)
        evaluator = Evaluator("roc_auc", ["brier"], "classification", 2)
    return Assignment(
        family,
        outline,
        cut,
        evaluator,
        FoldArrays(x, y, x[:0], y[:0], everything, everything[:0], (10,)) if whole else None,
    )


def member(trial: str = "t0001", rungs: tuple[int, ...] = (1,), seed: int = 3, **params: object) -> Member:
    return Member(trial, params, seed, rungs)  # type: ignore[arg-type]
