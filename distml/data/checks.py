"""What is odd about a table though nothing forbids it: a sentence each, for the user."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from distml.data.task import Task

_SAMPLE = 6000  # training rows that columns are judged by: half to learn from, half to score on
_LEAST = 100  # fewer rows judge nothing
_LEAST_OF_CLASS = 5
_LEAVES = 32
_LEAK = 0.99  # AUC or R2 of one column alone
_NAMED = 5
_IDENTIFIER = re.compile(r"(?:^|[_\s.-])(?:id|uid|key|index|rowid)$|^Unnamed: 0$", re.IGNORECASE)


def odd_things(
    frame: pd.DataFrame, y: np.ndarray, task: Task, target: str, train: np.ndarray, holdout: np.ndarray
) -> tuple[str, ...]:
    """Sentences on constant columns, identifiers, columns that give the target away, rows on both sides of the holdout.

    frame: features with their kinds applied, none of them wholly missing; y: (rows,) codes or values.
    """
    found = [*odd_columns(frame)]
    sample = np.sort(np.random.default_rng(0).permutation(train)[:_SAMPLE])
    for name, score in leaks(frame.iloc[sample], y[sample], task).items():
        measure = "AUC" if task == "classification" else "R2"
        found.append(
            f"column {name!r} alone predicts {target!r} almost perfectly ({measure} {score:.3f}); "
            "is it known when a prediction is needed? If not, add it to data.drop"
        )
    if twice := duplicates(frame, y, train, holdout):
        found.append(
            f"{twice:,} of the {len(holdout):,} holdout rows equal a training row in all features and the target"
        )
    return tuple(found)


def odd_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """Sentences on constant columns and identifiers; frame as in odd_things."""
    found = []
    constant = [name for name in frame.columns if frame[name].eq(frame[name].iloc[0]).all()]
    if constant:
        found.append(f"{_columns(constant)} one value only; add to data.drop")
    for name in frame.columns:
        if name not in constant and _identifies(name, frame[name]):
            found.append(f"column {name!r} looks like an identifier, all its cells differ; add it to data.drop")
    return tuple(found)


def leaks(frame: pd.DataFrame, y: np.ndarray, task: Task) -> dict[str, float]:
    """Columns that alone reach an AUC (mean over classes) or R2 of 0.99, and what they reach.

    A small tree is grown on half of the rows for each column, and scored on the other half.
    """
    if len(y) < _LEAST:
        return {}
    order = np.random.default_rng(0).permutation(len(y))
    learn, score = order[::2], order[1::2]
    scores = {str(name): _alone(_numbers(frame[name]), y, task, learn, score) for name in frame.columns}
    return {name: value for name, value in scores.items() if value >= _LEAK}


def duplicates(frame: pd.DataFrame, y: np.ndarray, train: np.ndarray, holdout: np.ndarray) -> int:
    """Holdout rows that equal a training row in all features and the target."""
    rows = pd.util.hash_pandas_object(frame.assign(**{"": y}), index=False).to_numpy()
    return int(np.isin(rows[holdout], rows[train]).sum())


def _alone(x: np.ndarray, y: np.ndarray, task: Task, learn: np.ndarray, score: np.ndarray) -> float:
    if task != "classification":
        tree = DecisionTreeRegressor(max_leaf_nodes=_LEAVES).fit(x[learn], y[learn])
        rest = y[score] - tree.predict(x[score])
        return 1.0 - float(np.var(rest) / np.var(y[score])) if np.var(y[score]) > 0 else 0.0
    classifier = DecisionTreeClassifier(max_leaf_nodes=_LEAVES).fit(x[learn], y[learn])
    chances = classifier.predict_proba(x[score])
    areas = [_area(y[score] == code, chances[:, place]) for place, code in enumerate(classifier.classes_)]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else 0.0


def _area(positive: np.ndarray, chances: np.ndarray) -> float | None:
    """Area under the ROC curve by ranks (Mann-Whitney); None where a side has too few rows to tell."""
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if min(ones, zeros) < _LEAST_OF_CLASS:
        return None
    return float((rankdata(chances)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _numbers(column: pd.Series) -> np.ndarray:
    """(rows, 1): numbers as they are, dates as numbers, categories as codes."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64)[:, None]
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.astype("datetime64[s]").astype("int64").to_numpy(dtype=np.float64)[:, None]
    return pd.factorize(column, sort=True)[0].astype(np.float64)[:, None]


def _identifies(name: str, column: pd.Series) -> bool:
    if column.dtype != np.float64 or not column.is_unique or not (column % 1 == 0).all():
        return False
    camel = len(name) > 2 and name.endswith("ID") and name[-3].islower()
    return bool(_IDENTIFIER.search(name) or camel or (len(column) > _LEAST and (column.diff()[1:] == 1).all()))


def _columns(names: Sequence[str]) -> str:
    """column 'a' has | columns 'a', 'b' and 3 more have"""
    if len(names) == 1:
        return f"column {names[0]!r} has"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"columns {', '.join(map(repr, names[:_NAMED]))}{more} have"
