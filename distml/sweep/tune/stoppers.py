"""Ray Tune's trial schedulers, fed one member at a time."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler

Rule = Literal["asha", "hyperband", "median", "none"]

_SCORE, _RESOURCE = "score", "resource"


@dataclass(frozen=True)
class _Trial:
    """As much of a Ray Tune trial as its schedulers look at."""

    trial_id: str


class TuneStopper:
    """A Ray Tune scheduler that decides on members instead of on whole Ray Tune trials.

    Only schedulers that decide at once (ASHA, asynchronous Hyperband, median stopping) serve: members run on
    in lockstep, so nothing waits for a rung to fill.
    """

    def __init__(self, scheduler: TrialScheduler) -> None:
        self._scheduler = scheduler
        self._trials: dict[str, _Trial] = {}
        self._verdicts: dict[str, bool] = {}

    def record(self, trial: str, resource: int, score: float) -> None:
        action = self._scheduler.on_trial_result(_NO_CONTROLLER, self._known(trial), self._result(resource, score))
        self._verdicts[trial] = bool(action == TrialScheduler.STOP)

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        return self._verdicts[trial]

    def complete(self, trial: str, resource: int, score: float) -> None:
        self._scheduler.on_trial_complete(_NO_CONTROLLER, self._known(trial), self._result(resource, score))
        self.forget(trial)

    def forget(self, trial: str) -> None:
        self._trials.pop(trial, None)
        self._verdicts.pop(trial, None)

    def _step(self, resource: int) -> float:
        """What the scheduler is told of a resource."""
        return resource

    def _result(self, resource: int, score: float) -> dict[str, float]:
        return {_RESOURCE: self._step(resource), _SCORE: score}

    def _known(self, trial: str) -> Any:
        if trial not in self._trials:
            self._trials[trial] = _Trial(trial)
            self._scheduler.on_trial_add(_NO_CONTROLLER, self._trials[trial])
        return self._trials[trial]


class HalvingStopper(TuneStopper):
    """ASHA and asynchronous Hyperband, judged when the whole cohort has reported its rung.

    Ray's scheduler judges a result by those it has seen before, so that of a cohort reporting at once the
    first to be told would stay whatever its score. Its own cutoff is asked again, once all are recorded.

    Ray's milestones are the first rung times powers of the factor, while rungs count down from the full size. Where
    rounding parts the two (rungs 2, 5, 15 and milestones 2, 6), a rung would cut nobody: the scheduler is told
    powers of the factor instead of resources.
    """

    _scheduler: AsyncHyperBandScheduler

    def __init__(self, scheduler: AsyncHyperBandScheduler, rungs: Sequence[int], factor: int) -> None:
        super().__init__(scheduler)
        self._rungs, self._factor = rungs, factor

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        bracket = self._scheduler._trial_info[trial]
        for milestone, recorded in bracket._rungs:  # the highest milestone comes first
            if self._step(resource) >= milestone:
                return bool(self._scheduler._metric_op * score < bracket.cutoff(recorded))
        return False

    def _step(self, resource: int) -> float:
        return float(self._factor ** (bisect_right(self._rungs, resource) - 1))


class _Lockstep:
    """All that these schedulers ask of Ray Tune's controller: whether trials wait that others should make room for."""

    def get_live_trials(self) -> list[Any]:
        return []


_NO_CONTROLLER: Any = _Lockstep()


def make_stopper(
    rule: Rule, *, mode: Literal["min", "max"], rungs: Sequence[int], factor: int, brackets: int = 3
) -> TuneStopper | None:
    """The stopper of one family, or None where trials are not compared early.

    Args:
        rungs: resources (epochs, trees) of its largest trial at which trials are compared; the last is its full size.
        factor: of each rung, the best 1 / factor go on.
    """
    if rule == "none" or len(rungs) < 2:
        return None
    if rule == "median":
        return TuneStopper(MedianStoppingRule(_RESOURCE, _SCORE, mode, grace_period=rungs[0], min_samples_required=5))
    scheduler = AsyncHyperBandScheduler(
        _RESOURCE, _SCORE, mode,
        max_t=factor ** (len(rungs) - 1), reduction_factor=factor, brackets=brackets if rule == "hyperband" else 1,
    )  # fmt: skip
    return HalvingStopper(scheduler, rungs, factor)
