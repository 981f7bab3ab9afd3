"""What is learnt from a table, and one fold of it as arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Task = Literal["classification", "regression", "ranking", "clustering", "projection"]
WITHOUT_TARGET: frozenset[Task] = frozenset({"clustering", "projection"})


@dataclass(frozen=True)
class Outline:
    """The shape of a learning problem: all that building a model needs to know of the data."""

    task: Task
    features: int  # columns of the prepared matrix
    cardinalities: tuple[int, ...] = ()  # the last columns hold integer codes below these
    classes: int = 2  # 0 for all but classification
    further: int = 0  # targets beside the one that is scored


@dataclass(frozen=True)
class FoldArrays:
    """One fold under one preprocessing variant, fitted on that fold's training rows only.

    x_*: float32 (rows, features), C-contiguous; the last len(cardinalities) columns hold category codes.
    y_*: int64 class codes or float32 values, (rows,); of a ranking int64 (rows, 2), the grade of relevance and the code
    of the query; zeros where the task has no target.
    x_unlabelled: the rows without a target, prepared alike, where the sweep makes use of them.
    further_train: float32 (training rows, further targets), nan where a cell is missing; None where there are none.
    train_rows, valid_rows: int64, the rows' places in the whole table; the same rows where the task has no target.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    train_rows: np.ndarray
    valid_rows: np.ndarray
    cardinalities: tuple[int, ...] = ()
    x_unlabelled: np.ndarray | None = None
    further_train: np.ndarray | None = None
