"""A cohort: trials of one family and one structure, trained together from rung to rung."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from distml.data.task import FoldArrays, Outline
from distml.models.family import Family, Params
from distml.training.validation import Validation

if TYPE_CHECKING:  # scikit-learn takes a second to import, and reading a journal needs none of it
    from distml.models.metrics import Evaluator

State = Literal["running", "finished", "diverged", "failed"]
FailureClass = Literal["data", "code", "memory", "node", "timeout"]


@dataclass(frozen=True)
class Ancestor:
    """A trial that another one goes on from, with its weights and its optimiser's moments."""

    trial: str
    params: Params
    seed: int
    until: int  # the resource at which the other one took over


@dataclass(frozen=True)
class Member:
    """A trial as its cohort sees it."""

    trial: str  # 't0007'
    params: Params
    seed: int
    rungs: tuple[int, ...]  # ascending resources (epochs, trees) at which it is compared; the last is its full size
    ancestors: tuple[Ancestor, ...] = ()  # the oldest first; without any it starts from its own seed

    @property
    def start(self) -> int:
        """The resource at which it starts."""
        return self.ancestors[-1].until if self.ancestors else 0


def member_from(fields: Mapping[str, Any]) -> Member:
    """What `dataclasses.asdict` made of a member."""
    ancestors = tuple(Ancestor(**ancestor) for ancestor in fields.get("ancestors", ()))
    return Member(**{**fields, "ancestors": ancestors})


@dataclass(frozen=True)
class Failure:
    """Why a trial did not give a score."""

    kind: FailureClass
    error: str  # last traceback line: 'ValueError: ...'
    traceback: str
    node: str = ""
    log: str = ""  # path of the log that holds more


@dataclass(frozen=True)
class RungResult:
    """What one member shows at one rung."""

    trial: str
    resource: int  # epochs or trees trained so far; 1 for families that have no rungs
    state: State
    scores: Mapping[str, float] = field(default_factory=dict)  # metric -> mean over folds
    folds: tuple[float, ...] = ()  # the sweep's metric, fold by fold
    seconds: float = 0.0  # this member's share of the training time since its last rung
    gpu_seconds: float | None = None  # None: nothing ran on a GPU
    peak_memory_mib: float | None = None
    failure: Failure | None = None
    device: str | None = None  # as a user knows it, 'ws-1 gpu0 RTX 3090'; None: no GPU, or nobody said


@dataclass(frozen=True)
class Assignment:
    """All that a cohort trains on, shared by its members."""

    family: Family
    outline: Outline
    folds: Sequence[FoldArrays]
    evaluator: "Evaluator"
    whole: FoldArrays | None = None  # all training rows in x_train; given where out-of-bag rows may validate
    device: str = "cpu"  # 'cpu' or 'cuda'
    threads: int = 1


class Cohort(Protocol):
    """What trains members from rung to rung; knows nothing of Ray, searchers or journals."""

    def admit(self, members: Sequence[Member]) -> None:
        """Take new members in; each starts from its own seed at resource 0, or where its ancestors ended."""

    def advance(self) -> list[RungResult]:
        """Train every member to its own next rung. One result a member; never raises for a member's fault."""

    def release(self, trials: Collection[str]) -> None:
        """Let members go (cut by the scheduler); memory they held is free afterwards."""

    def save(self, path: Path) -> bool:
        """Write all members' state, by temp file and rename; False where this engine starts again instead."""

    def restore(self, path: Path) -> list[str]:
        """Take up the members that save() wrote, with the rungs they had reached; the trials it found."""

    def validation(self, trial: str) -> Validation:
        """The predictions by which a member was scored at its last rung."""

    def predict(self, trial: str, x: np.ndarray) -> np.ndarray:
        """x: (rows, features) -> (folds, rows, classes) probabilities, or (folds, rows) values."""
