"""What a running sweep tells whoever watches it; how that looks is the watcher's affair."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from distml.sweep.records import TrialRecord, TrialState


@dataclass(frozen=True)
class Opening:
    """What is settled before the first trial starts."""

    name: str
    rows: int
    columns: int  # without the target and what is left out
    positive_share: float | None  # in [0, 1]; None where there is no one positive class
    metric: str
    folds: int
    holdout_rows: int
    trials: int | None  # None: the budget is in minutes alone
    minutes: float | None
    search: str  # 'tpe + asha'
    place: str  # 'local Ray, 2 CPUs, no GPU'
    dashboard: str | None  # address of the Ray dashboard
    texts: int = 0  # how many of the columns hold free text
    resumed: int = 0  # ended trials found in the journal
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FamilyProgress:
    """How far one family is."""

    family: str
    note: str = ""  # 'cohorts of 64', 'grows 50→400 trees'
    done: int = 0  # ended trials, however they ended
    total: int | None = None  # None: no budget in trials
    best: float | None = None


@dataclass(frozen=True)
class Progress:
    """A sweep at one moment."""

    families: tuple[FamilyProgress, ...]
    best: TrialRecord | None = None
    best_score: float | None = None
    best_sd: float | None = None  # over the folds
    counts: Mapping[TrialState, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)  # class of failure -> trials
    elapsed_seconds: float = 0.0
    remaining_seconds: float | None = None
    message: str = ""  # what holds the sweep up: 'disk full: paused'


class Watcher(Protocol):
    """What a sweep calls while it runs, from the driver's own thread."""

    def opened(self, opening: Opening) -> None:
        """The sweep is about to train."""

    def progress(self, progress: Progress) -> None:
        """Something changed."""

    def notice(self, line: str) -> None:
        """One line worth keeping on the screen."""

    def closed(self) -> None:
        """No more will come; called once, also when the sweep fails."""
