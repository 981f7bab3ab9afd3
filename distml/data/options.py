"""What a user says about the data: the sweep file's `data` and `split` in one object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from distml.data.task import Task

Kind = Literal["numeric", "categorical", "boolean", "date", "text"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class DataOptions:
    """Which table, what to learn from it, and how it is split."""

    source: Path
    target: str | None = None  # None: clustering, projection
    positive: bool | int | float | str | None = None  # the class whose probability is the score
    drop: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)  # column -> Kind, over what is inferred
    further_targets: tuple[str, ...] = ()  # learnt beside the target by networks that take several
    unlabelled: bool = False  # rows without a target take part in preprocessing, and in families that learn from them
    group: str | None = None  # no group stands on both sides of a split; of a ranking, the query
    time: str | None = None  # splits follow the order of time
    task: Task | None = None  # None: inferred from the target; without one it must be named
    test: float = 0.2  # share of the rows held out
    folds: int = 5  # 1: one validation part instead of cross-validation; without a target, resamples of the table
    validation: float = 0.2  # its share of the training rows; without a target, the share each resample leaves out
    seed: int = 0
