"""The column to be learnt: classes or values, and which class is the positive one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from distml.data.kinds import FALSE_WORDS, TRUE_WORDS, apply_kinds, infer_kinds, unreadable
from distml.data.options import Kind
from distml.data.queries import wrong_grades
from distml.data.task import Task
from distml.errors import Mistake, MistakesError, did_you_mean

_FEW = 20  # whole numbers with more distinct values are values, not classes
_SHOWN = 10
_VALUES: tuple[Task, ...] = ("regression", "ranking")


@dataclass(frozen=True, eq=False)
class Target:
    """y: int64 codes into `classes`, or float64 values; known: (rows of the table,) which rows have a target."""

    task: Task
    y: np.ndarray
    classes: tuple[Any, ...]
    known: np.ndarray


def read_target(column: pd.Series, task: Task | None, positive: Any) -> Target:
    """Codes or values of the target, its kind and the task inferred unless the task is given.

    Texts, truth values and whole numbers of at most 20 distinct values are classes, other numbers values. Of two
    classes the positive one is `positive`, or 1 or true beside 0, -1 or false. A ranking is never inferred.

    Raises:
        MistakesError: the target is neither, has one class, or its positive class cannot be told.
    """
    name = str(column.name)
    kind = infer_kinds(column.to_frame(), {})[name]
    if task in _VALUES or (task is None and kind == "numeric" and not _classes_like(_as(column, "numeric"))):
        return _values(column, positive, task or "regression")
    if kind in ("date", "text") and task is None:
        what = "dates" if kind == "date" else f"free text ({column.nunique():,} different values)"
        raise _mistakes("data.target", f"{name!r} holds {what}; if these are classes, say task: classification")
    cells = _as(column, "numeric" if kind == "numeric" else "categorical")
    known = cells.notna().to_numpy()
    codes, labels = pd.factorize(cells[known], sort=True)
    classes = [_label(label, column) for label in labels]
    if len(classes) < 2:
        held = f"one class only ({classes[0]!r})" if classes else "nothing"
        raise _mistakes("data.target", f"{name!r} holds {held}: there is nothing to tell apart")
    if len(classes) > 2 and positive is not None:
        raise _mistakes(
            "data.positive", f"is for two classes; {name!r} has {len(classes)} ({_shown(classes)}): leave it out"
        )
    if len(classes) == 2 and _positive(classes, positive, name) == 0:
        codes, classes = 1 - codes, classes[::-1]
    return Target("classification", codes.astype(np.int64), tuple(classes), known)


def _values(column: pd.Series, positive: Any, task: Task) -> Target:
    numbers = _as(column, "numeric")
    lost = unreadable(column, numbers)
    if len(lost) > 0.5 * column.notna().sum():
        raise _mistakes("task", f"{task} needs numbers; {str(column.name)!r} holds {lost.iloc[0]!r}")
    if positive is not None:
        raise _mistakes(
            "data.positive", f"is for two classes; {str(column.name)!r} holds numbers to be predicted: leave it out"
        )
    known = numbers.notna().to_numpy()
    if numbers[known].nunique() < 2:
        raise _mistakes("data.target", f"{str(column.name)!r} holds one value only: there is nothing to predict")
    if task == "ranking" and (wrong := wrong_grades(str(column.name), numbers[known].to_numpy())):
        raise _mistakes("data.target", wrong)
    return Target(task, numbers[known].to_numpy(), (), known)


def _as(column: pd.Series, kind: Kind) -> pd.Series:
    return apply_kinds(column.to_frame(), {str(column.name): kind})[str(column.name)]


def _classes_like(numbers: pd.Series) -> bool:
    return bool((numbers.dropna() % 1 == 0).all()) and numbers.nunique() <= _FEW


def _label(label: Any, column: pd.Series) -> Any:
    """The label as the table has it: True rather than 'True', 1 rather than 1.0."""
    if isinstance(label, str):
        return (
            label == "True" if all(isinstance(cell, (bool, np.bool_)) for cell in column.dropna().unique()) else label
        )
    return int(label) if label % 1 == 0 else float(label)


def _positive(classes: Sequence[Any], positive: Any, name: str) -> int:
    """The place of the positive one of two classes."""
    if positive is not None:
        for place, label in enumerate(classes):
            if _same(label, positive):
                return place
        hint = did_you_mean(str(positive), map(str, classes))
        raise _mistakes("data.positive", f"{positive!r} is no class of {name!r}.{hint} (classes: {_shown(classes)})")
    words = [str(label).lower() for label in classes]
    for place in (0, 1):
        if words[place] in ("1", "true") and words[1 - place] in ("0", "-1", "false"):
            return place
    raise _mistakes(
        "data.positive", f"say which class of {name!r} is the positive one, {classes[0]!r} or {classes[1]!r}"
    )


def _same(label: Any, positive: Any) -> bool:
    """YAML reads yes and true as one truth value, and 1 as a number whatever the table holds."""
    word = str(label).lower()
    if isinstance(positive, bool):
        return word in (TRUE_WORDS if positive else FALSE_WORDS)
    return label == positive or word == str(positive).lower()


def _shown(classes: Sequence[Any]) -> str:
    return ", ".join(map(repr, classes[:_SHOWN])) + (", ..." if len(classes) > _SHOWN else "")


def _mistakes(where: str, what: str) -> MistakesError:
    return MistakesError("the target", [Mistake(where, what)])
