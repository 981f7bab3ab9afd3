"""Early stopping: Ray Tune's trial schedulers, fed one member at a time, and median stopping."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush, heappushpop
from random import Random
from typing import Any, Literal

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from distml.sweep.orders import Stopper

Rule = Literal["asha", "hyperband", "median", "none"]

_SCORE, _RESOURCE = "score", "resource"
_NO_CONTROLLER: Any = None  # Ray Tune's controller, which schedulers that decide at once do not ask
_OTHERS = 5  # trials that make a median


@dataclass(frozen=True)
class _Trial:
    """As much of a Ray Tune trial as its schedulers look at."""

    trial_id: str


class TuneStopper:
    """A Ray Tune scheduler that decides on members instead of on whole Ray Tune trials.

    Only schedulers that decide at once (ASHA, asynchronous Hyperband) serve: members run on in lockstep, so nothing
    waits for a rung to fill.
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

    def forget(self, trial: str) -> None:
        known = self._trials.pop(trial, None)
        if known is not None:
            self._scheduler.on_trial_remove(_NO_CONTROLLER, known)
        self._verdicts.pop(trial, None)

    def _step(self, resource: int) -> float:
        """What the scheduler is told of a resource."""
        return resource

    def _result(self, resource: int, score: float) -> dict[str, float]:
        return {_RESOURCE: self._step(resource), _SCORE: score}

    def _known(self, trial: str) -> Any:
        if trial not in self._trials:
            self._trials[trial] = _Trial(trial)
            self._add(self._trials[trial])
        return self._trials[trial]

    def _add(self, trial: Any) -> None:
        self._scheduler.on_trial_add(_NO_CONTROLLER, trial)


class Recorded(dict[str, float]):
    """Trial -> its score at one rung, with a quantile of them: log n for each score that is added.

    Scores are added and never changed. NaN is no score.
    """

    def __init__(self, share: float) -> None:
        """share: of the scores that lie below the quantile, in [0, 1)."""
        super().__init__()
        self._share = share
        self._below: list[float] = []  # a heap of the scores up to the quantile, turned: the greatest comes first
        self._above: list[float] = []  # a heap of the others

    def __setitem__(self, trial: str, score: float) -> None:
        super().__setitem__(trial, score)
        if math.isnan(score):
            return
        heappush(self._above, -heappushpop(self._below, -score))
        if len(self._below) <= int(self._position()):
            heappush(self._below, -heappop(self._above))

    def quantile(self) -> float | None:
        """Between two scores by linear interpolation, as numpy.percentile has it; None before the first."""
        if not self._below:
            return None
        low, part = -self._below[0], self._position() % 1
        return low + (self._above[0] - low) * part if part else low

    def _position(self) -> float:
        """Of the quantile among the scores in rising order, counted from 0."""
        return (len(self._below) + len(self._above) - 1) * self._share


class HalvingStopper(TuneStopper):
    """ASHA and asynchronous Hyperband, judged when the whole cohort has reported its rung.

    Ray's scheduler judges a result by those it has seen before, so that of a cohort reporting at once the
    first to be told would stay whatever its score. Its own cutoff is asked again, once all are recorded.

    Ray's milestones are the first rung times powers of the factor, while rungs count down from the full size. Where
    rounding parts the two (rungs 2, 5, 15 and milestones 2, 6), a rung would cut nobody: the scheduler is told
    powers of the factor instead of resources.

    Ray takes the percentile of all scores of a rung at each report, which for 100,000 trials is 100,000 times 100,000
    scores: each rung keeps its own instead.
    """

    _scheduler: AsyncHyperBandScheduler

    def __init__(self, scheduler: AsyncHyperBandScheduler, rungs: Sequence[int], factor: int) -> None:
        super().__init__(scheduler)
        self._rungs, self._factor = rungs, factor
        for bracket in scheduler._brackets:
            bracket._rungs = [(milestone, Recorded(1 - 1 / factor)) for milestone, _ in bracket._rungs]
            bracket.cutoff = Recorded.quantile

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        bracket = self._scheduler._trial_info[trial]
        for milestone, recorded in bracket._rungs:  # the highest milestone comes first
            if self._step(resource) >= milestone:
                return bool(self._scheduler._metric_op * score < bracket.cutoff(recorded))
        return False

    def _add(self, trial: Any) -> None:
        """Ray draws a trial's bracket from a generator that all share; here its name alone decides, in any run.

        The odds are Ray's.
        """
        brackets = self._scheduler._brackets
        weights = [math.exp(len(bracket._rungs)) for bracket in brackets]
        self._scheduler._trial_info[trial.trial_id] = Random(trial.trial_id).choices(brackets, weights)[0]

    def _step(self, resource: int) -> float:
        return float(self._factor ** (bisect_right(self._rungs, resource) - 1))


@dataclass
class _Story:
    """What one trial has shown; scores are turned so that more is better."""

    resource: int = 0
    total: float = 0.0
    reports: int = 0
    best: float = -math.inf
    means: dict[int, float] = field(default_factory=dict)  # rung -> average of the scores up to there


class MedianStopper:
    """Stops a trial whose best score so far is worse than the median of the others' running averages up to there.

    Golovin et al., Google Vizier: A Service for Black-Box Optimization, KDD 2017, section 3.2.1. Trials of several
    sizes are compared where they stand between the same two of the family's rungs.
    """

    def __init__(self, mode: Literal["min", "max"], rungs: Sequence[int]) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._rungs = rungs
        self._stories: dict[str, _Story] = {}
        self._means: defaultdict[int, list[float]] = defaultdict(list)  # rung -> running averages, rising

    def record(self, trial: str, resource: int, score: float) -> None:
        story = self._stories.setdefault(trial, _Story())
        if resource <= story.resource:
            return  # trained again: its first result counts
        story.resource = resource
        story.reports += 1
        story.total += self._sign * score
        story.best = max(story.best, self._sign * score)
        mean, rung = story.total / story.reports, self._rung(resource)
        if not math.isfinite(mean):
            return
        means = self._means[rung]
        if rung in story.means:
            del means[bisect_left(means, story.means[rung])]
        story.means[rung] = mean
        insort(means, mean)

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        story, rung = self._stories[trial], self._rung(resource)
        means = self._means[rung]
        own = bisect_left(means, story.means[rung]) if rung in story.means else len(means)
        others = len(means) - (own < len(means))
        if rung == 0 or others < _OTHERS:
            return False
        low, high = (means[place + (place >= own)] for place in ((others - 1) // 2, others // 2))
        return story.best < (low + high) / 2

    def forget(self, trial: str) -> None:
        """What it has shown still counts."""
        self._stories.pop(trial, None)

    def _rung(self, resource: int) -> int:
        """How many of the family's rungs this resource has reached; before the first, trials are not compared."""
        return bisect_right(self._rungs, resource)


def make_stopper(
    rule: Rule, *, mode: Literal["min", "max"], rungs: Sequence[int], factor: int, brackets: int = 3
) -> Stopper | None:
    """The stopper of one family, or None where trials are not compared early.

    Args:
        rungs: resources (epochs, trees) of its largest trial at which trials are compared; the last is its full size.
        factor: of each rung, the best 1 / factor go on.
    """
    if rule == "none" or len(rungs) < 2:
        return None
    if rule == "median":
        return MedianStopper(mode, rungs)
    scheduler = AsyncHyperBandScheduler(
        _RESOURCE, _SCORE, mode,
        max_t=factor ** (len(rungs) - 1), reduction_factor=factor, brackets=brackets if rule == "hyperband" else 1,
    )  # fmt: skip
    return HalvingStopper(scheduler, rungs, factor)
