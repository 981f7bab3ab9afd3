"""What is known of each trial: the journal's events, folded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from distml.models.space import Value
from distml.training.cohort import Failure

TrialState = Literal["pending", "running", "finished", "stopped", "diverged", "failed"]
ENDED: frozenset[TrialState] = frozenset({"finished", "stopped", "diverged", "failed"})


@dataclass(frozen=True)
class Rung:
    """One comparison point of one trial."""

    resource: int
    scores: Mapping[str, float]  # metric -> mean over folds
    folds: tuple[float, ...]  # the sweep's metric, fold by fold


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the journal tells it; what is unknown is None."""

    trial: str  # 't0007'
    number: int  # 7
    family: str
    params: Mapping[str, Value]
    seed: int
    state: TrialState = "pending"
    cohort: str | None = None
    rungs: tuple[Rung, ...] = field(default_factory=tuple)
    seconds: float = 0.0
    gpu_seconds: float | None = None
    energy_j: float | None = None
    energy_estimated: bool | None = None
    peak_memory_mib: float | None = None
    device: str | None = None
    failure: Failure | None = None
    attempts: int = 0  # times its cohort was lost under it
