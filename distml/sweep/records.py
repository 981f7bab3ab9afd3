"""What is known of a sweep and its trials: the journal's events, folded."""

import heapq
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from distml.errors import DistmlError
from distml.models.space import Value
from distml.sweep.costs import member_costs
from distml.training.cohort import Failure

TrialState = Literal["pending", "running", "finished", "stopped", "diverged", "failed"]
LossCause = Literal["process", "node", "memory"]  # what took a trial from its cohort before it had ended
ENDED: frozenset[TrialState] = frozenset({"finished", "stopped", "diverged", "failed"})

Event = Mapping[str, Any]  # one line of the journal: 'event', 'at' (unix seconds) and what belongs to it


@dataclass(frozen=True)
class Rung:
    """One comparison point of one trial."""

    resource: int
    scores: Mapping[str, float]  # metric -> mean over folds
    folds: tuple[float, ...]  # the sweep's metric, fold by fold


@dataclass(frozen=True)
class Parent:
    """Whose weights a trial took over, and at which resource."""

    trial: str
    resource: int


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the journal tells it; what is unknown is None."""

    trial: str  # 't0007'
    number: int  # 7
    family: str
    params: Mapping[str, Value]
    seed: int
    parent: Parent | None = None  # of a population
    state: TrialState = "pending"
    cohort: str | None = None  # the last one it was in; a pending trial goes on from that one's checkpoint
    rungs: tuple[Rung, ...] = field(default_factory=tuple)
    seconds: float = 0.0
    gpu_seconds: float | None = None
    energy_j: float | None = None
    energy_estimated: bool | None = None
    peak_memory_mib: float | None = None
    utilisation: float | None = None  # 0 to 1, of the device by time held, whoever else was on it
    watched_seconds: float = 0.0  # GPU seconds of which the utilisation is known
    missing: Mapping[str, str] = field(default_factory=dict)  # what telemetry could not tell of some rung -> why
    device: str | None = None
    failure: Failure | None = None
    attempts: int = 0  # times it was lost, with its cohort or for want of memory
    process_deaths: int = 0  # of those, how often its process died on a machine that lived
    node_deaths: int = 0  # and how often the machine died, or left, with it

    def score(self, metric: str) -> float | None:
        """The last rung's score; None before the first one and where the score is not a finite number."""
        score = self.rungs[-1].scores.get(metric) if self.rungs else None
        return score if score is not None and math.isfinite(score) else None

    @property
    def score_sd(self) -> float | None:
        """Sample standard deviation of the last rung's score over the folds; None for a single fold."""
        folds = self.rungs[-1].folds if self.rungs else ()
        return statistics.stdev(folds) if len(folds) > 1 and all(map(math.isfinite, folds)) else None


@dataclass
class CohortRecord:
    """One cohort as the journal tells it; it grows in place, since a cohort may see thousands of trials."""

    cohort: str  # 'c003'
    family: str
    trials: dict[str, None] = field(default_factory=dict)  # all that were ever in it, in the order they came
    slot: str | None = None
    reason: str | None = None  # why this size on this slot


@dataclass
class SweepRecord:
    """A sweep so far: start it empty, apply each event in order."""

    trials: dict[str, TrialRecord] = field(default_factory=dict)
    cohorts: dict[str, CohortRecord] = field(default_factory=dict)
    openings: list[Event] = field(default_factory=list)  # one for each start of a driver
    families_stopped: dict[str, str] = field(default_factory=dict)  # family -> reason
    # (family, structure, class of device) -> what its cohorts take of one, as it was last decided
    needs: dict[tuple[str, str, str], Event] = field(default_factory=dict)
    winner: str | None = None
    holdout: dict[str, float] = field(default_factory=dict)  # metric -> the winner's score on the held-out rows
    scorer: dict[str, float] = field(default_factory=dict)  # metric -> the exported scorer's score on those rows
    scorer_members: dict[str, float] = field(default_factory=dict)  # trial -> its share of that scorer
    scorer_is_current: bool = False  # no trial has trained since it was made
    scored: int = 0  # times that an exported scorer was scored on them: once for each that differs
    touched: int = 0  # times that a winner was scored on them: once for each budget that was extended
    closed: str | None = None  # why the last driver ended; None: it runs, or was killed
    _seconds_before: float = 0.0  # of earlier drivers
    _opened_at: float = 0.0
    _last_at: float = 0.0

    @property
    def spec(self) -> Mapping[str, Any] | None:
        """The sweep file, resolved, as of the last opening."""
        return self.openings[-1]["spec"] if self.openings else None

    @property
    def seconds(self) -> float:
        """Time that drivers worked on this sweep, up to the last event."""
        return self._seconds_before + max(0.0, self._last_at - self._opened_at)

    @property
    def counts(self) -> dict[TrialState, int]:
        """State -> number of trials, states without trials left out."""
        return dict(Counter(trial.state for trial in self.trials.values()))

    def apply(self, event: Event) -> None:
        """Take one event in. Raises DistmlError for one that does not follow from those before it."""
        at = event.get("at", self._last_at)
        if event["event"] == "opened":
            self._seconds_before = self.seconds
            self._opened_at = self._last_at = at
        self._last_at = max(self._last_at, at)
        handler = _HANDLERS.get(event["event"])
        if handler is None:
            raise DistmlError(f"the journal holds an event this distml does not know: {event['event']!r}")
        try:
            handler(self, event)
        except KeyError as error:
            raise DistmlError(
                f"the journal's {event['event']!r} event does not fit what stands before it: {error}"
            ) from None

    def _opened(self, event: Event) -> None:
        self.openings.append(event)
        self.closed = None
        for trial in self.trials.values():
            if trial.state == "running":  # its driver is gone; not its own fault, so no attempt is counted
                self._change(trial.trial, state="pending")

    def _asked(self, event: Event) -> None:
        params = {name: _with_tuples(value) for name, value in event["params"].items()}
        parent = Parent(**event["parent"]) if event.get("parent") else None
        if parent is not None and parent.trial not in self.trials:
            raise KeyError(parent.trial)
        trial = TrialRecord(event["trial"], event["number"], event["family"], params, event["seed"], parent)
        self.trials[trial.trial] = trial

    def _cohort(self, event: Event) -> None:
        name = event["cohort"]
        cohort = self.cohorts.setdefault(name, CohortRecord(name, event["family"]))
        cohort.trials.update(dict.fromkeys(event["trials"]))
        cohort.slot = event.get("slot") or cohort.slot
        cohort.reason = event.get("reason") or cohort.reason
        for trial in event["trials"]:
            self._change(trial, state="running", cohort=name)

    def _rung(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        scores = {metric: math.nan if score is None else score for metric, score in event["scores"].items()}
        folds = tuple(math.nan if score is None else score for score in event["folds"])
        rung = Rung(event["resource"], scores, folds)
        self.scorer_is_current = False
        # A cohort that took up an older checkpoint trains some rungs again: what it says now counts.
        kept = tuple(earlier for earlier in trial.rungs if earlier.resource < rung.resource)
        self._change(
            trial.trial,
            state=event["state"],
            cohort=event["cohort"],
            rungs=(*kept, rung),
            seconds=trial.seconds + event["seconds"],
            gpu_seconds=_plus(trial.gpu_seconds, event.get("gpu_seconds")),
            energy_j=_plus(trial.energy_j, event.get("energy_j")),
            energy_estimated=_either(trial.energy_estimated, event.get("energy_estimated")),
            peak_memory_mib=max(_known(trial.peak_memory_mib, event.get("peak_memory_mib")), default=None),
            device=event.get("device") or trial.device,
        )

    def _cost(self, event: Event) -> None:
        for name, cost in member_costs(event).items():
            trial = self.trials[name]
            used, seconds = cost["utilisation"], cost["gpu_seconds"]
            watched = trial.watched_seconds + (0.0 if used is None else seconds)
            if used is not None and watched:
                used = (trial.watched_seconds * (trial.utilisation or 0.0) + used * seconds) / watched
            missing = {**trial.missing, **cost["missing"]}
            energy = _plus(trial.energy_j, cost["energy_j"])
            estimated = _either(trial.energy_estimated, cost["energy_estimated"])
            self._change(
                name,
                energy_j=energy,
                # a sum that lacks a rung is no measured one
                energy_estimated=True if energy is not None and "energy_j" in missing else estimated,
                utilisation=trial.utilisation if used is None else used,
                watched_seconds=watched,
                peak_memory_mib=max(_known(trial.peak_memory_mib, cost["peak_memory_mib"]), default=None),
                missing=missing,
            )

    def _ended(self, event: Event) -> None:
        failure = event.get("failure")
        self._change(event["trial"], state=event["state"], failure=Failure(**failure) if failure else None)

    def _lost(self, event: Event) -> None:
        failure = Failure(**event["failure"])
        cause: LossCause = event.get("cause", "process")  # older journals tell none
        for trial in event["trials"]:
            before = self.trials[trial]
            self._change(
                trial,
                state="pending",
                attempts=before.attempts + 1,
                process_deaths=before.process_deaths + (cause == "process"),
                node_deaths=before.node_deaths + (cause == "node"),
                failure=failure,
            )

    def _need(self, event: Event) -> None:
        self.needs[event["family"], event["structure"], event["kind"]] = event

    def _family_stopped(self, event: Event) -> None:
        self.families_stopped[event["family"]] = event["reason"]

    def _closed(self, event: Event) -> None:
        self.closed = event["reason"]

    def _winner(self, event: Event) -> None:
        self.touched += 1
        self.winner = event["trial"]
        self.holdout = {metric: math.nan if score is None else score for metric, score in event["holdout"].items()}

    def _scorer(self, event: Event) -> None:
        self.scored += 1
        self.scorer_is_current = True
        self.scorer_members = {self.trials[trial].trial: share for trial, share in event["members"].items()}
        self.scorer = {metric: math.nan if score is None else score for metric, score in event["holdout"].items()}

    def _change(self, trial: str, **changes: Any) -> None:
        self.trials[trial] = replace(self.trials[trial], **changes)


_HANDLERS = {
    "opened": SweepRecord._opened,
    "asked": SweepRecord._asked,
    "cohort": SweepRecord._cohort,
    "rung": SweepRecord._rung,
    "cost": SweepRecord._cost,
    "ended": SweepRecord._ended,
    "lost": SweepRecord._lost,
    "need": SweepRecord._need,
    "family_stopped": SweepRecord._family_stopped,
    "closed": SweepRecord._closed,
    "winner": SweepRecord._winner,
    "scorer": SweepRecord._scorer,
}


def replay(events: Iterable[Event]) -> SweepRecord:
    """Fold a journal from its beginning."""
    record = SweepRecord()
    for event in events:
        record.apply(event)
    return record


_ORDER: tuple[TrialState, ...] = ("finished", "stopped", "running", "pending", "diverged", "failed")


def leaderboard(record: SweepRecord, metric: str, greater_is_better: bool) -> list[TrialRecord]:
    """All trials, best first: the one definition of best.

    A trial trained to its full size stands before one that was stopped on the way, whatever the score that one had
    there: scores of different rungs do not compare. Then the score decides, then the lower trial number.
    """

    return sorted(record.trials.values(), key=lambda trial: _rank(trial, metric, greater_is_better))


def best_trial(record: SweepRecord, metric: str, greater_is_better: bool) -> TrialRecord | None:
    """The leaderboard's first trial that ended with a score; one stopped early only where none finished."""
    scored = (
        trial
        for trial in record.trials.values()
        if trial.state in ("finished", "stopped") and trial.score(metric) is not None
    )
    return min(scored, key=lambda trial: _rank(trial, metric, greater_is_better), default=None)


def foremost(
    record: SweepRecord, metric: str, greater_is_better: bool, *, ended: int, running: int
) -> list[TrialRecord]:
    """The first of the leaderboard among those that ended with a score, and among those that run: so many of each."""

    def first(trials: Iterable[TrialRecord], count: int) -> list[TrialRecord]:
        return heapq.nsmallest(count, trials, key=lambda trial: _rank(trial, metric, greater_is_better))

    trials = record.trials.values()
    done = (one for one in trials if one.state in ("finished", "stopped") and one.score(metric) is not None)
    return [*first(done, ended), *first((one for one in trials if one.state == "running"), running)]


def _rank(trial: TrialRecord, metric: str, greater_is_better: bool) -> tuple[int, bool, float, int]:
    """Less is better."""
    score = trial.score(metric)
    cost = 0.0 if score is None else -score if greater_is_better else score
    return _ORDER.index(trial.state), score is None, cost, trial.number


def _plus(total: float | None, more: float | None) -> float | None:
    return total if more is None else (total or 0.0) + more


def _either(before: bool | None, more: bool | None) -> bool | None:
    """Whether any part of a sum is estimated; None: no part is known."""
    return before if more is None else more or bool(before)


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _with_tuples(value: Any) -> Value:
    return tuple(_with_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value
