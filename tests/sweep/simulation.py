"""A sweep without training: made-up families whose trials score by a formula, in simulated time."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from distml.sweep.orders import CohortOrder, FamilyPlan, Reply
from distml.sweep.records import LossCause
from distml.sweep.rungs import rungs
from distml.sweep.search import Search
from distml.training.cohort import Failure, RungResult

METRIC = "score"


class CountingSearcher:
    """Proposes {'x': 0}, {'x': 1}, ...; remembers what it is told."""

    def __init__(self, limit: int | None = None) -> None:
        self.asked: dict[str, Mapping[str, Any]] = {}
        self.completed: dict[str, tuple[float | None, bool]] = {}
        self._values = itertools.count() if limit is None else iter(range(limit))

    def suggest(self, trial: str) -> Mapping[str, Any] | None:
        value = next(self._values, None)
        if value is None:
            return None
        self.asked[trial] = {"x": value}
        return self.asked[trial]

    def recall(self, trial: str, params: Mapping[str, Any]) -> None:
        if trial not in self.asked:
            assert self.suggest(trial) == params

    def result(self, trial: str, resource: int, score: float) -> None:
        assert trial in self.asked

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        self.completed[trial] = (score, failed)


class TopHalf:
    """Keeps the better half of each rung as it stands."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[str, float]] = {}

    def record(self, trial: str, resource: int, score: float) -> None:
        self._seen.setdefault(resource, {})[trial] = score

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        better = sum(other > score for other in self._seen[resource].values())
        return 2 * better >= len(self._seen[resource])

    def forget(self, trial: str) -> None:
        """What a trial showed still counts."""


def family(
    name: str, *, size: int = 1, quota: int | None = None, full: int = 4, stopper: Any = None, **kwargs: Any
) -> FamilyPlan:
    return FamilyPlan(
        name=name, searcher=kwargs.pop("searcher", None) or CountingSearcher(), stopper=stopper,
        structure=kwargs.pop("structure", lambda params: "one"),
        rungs=lambda params: rungs(full, 1, 2) if stopper else (full,), cohort_size=size, quota=quota,
        refills=kwargs.pop("refills", True),
    )  # fmt: skip


def score_of(trial: str, resource: int, seed: int) -> float:
    """A function of the trial alone, so that what ran beside it cannot matter."""
    return (seed % 1000) / 1000 * (1 - 0.5**resource)


class Machine:
    """Trains a search's cohorts in simulated time, a rung a step."""

    def __init__(self, search: Search, slots: int, seconds: float = 1.0) -> None:
        self.search, self.slots, self.seconds = search, slots, seconds
        self.now = 0.0
        self.cohorts: dict[str, dict[str, tuple[Any, int]]] = {}
        self.trained: dict[str, int] = {}  # trial -> resources trained in all
        self.fails: dict[str, Failure] = {}  # family -> what each of its trials dies of
        self.diverges: set[str] = set()
        self.room: int | None = None  # members that fit the memory
        self._families: dict[str, str] = {}

    def start(self) -> None:
        while len(self.cohorts) < self.slots:
            order = self.search.next_cohort(self.now)
            if order is None:
                return
            self.admit(order)

    def admit(self, order: CohortOrder) -> None:
        assert order.cohort not in self.cohorts
        age = max(member.start for member in order.members)  # to which a population catches up
        self.cohorts[order.cohort] = {member.trial: (member, age) for member in order.members}
        self._families[order.cohort] = order.family

    def step(self, cohort: str) -> Reply:
        members = self.cohorts[cohort]
        self.now += self.seconds
        results = [self._rung(cohort, trial) for trial in list(members)]
        reply = self.search.on_results(cohort, results, self.now)
        for trial in reply.release:
            members.pop(trial, None)
        members.update({member.trial: (member, member.start) for member in reply.admit})
        if reply.end:
            del self.cohorts[cohort]
        else:
            assert members
        return reply

    def lose(self, cohort: str, cause: LossCause = "process") -> None:
        del self.cohorts[cohort]
        self.search.on_lost(cohort, Failure("node", "gone", "gone"), self.now, cause)

    def run(self, steps: int = 100_000) -> None:
        for _ in range(steps):
            self.start()
            if not self.cohorts:
                assert self.search.done
                return
            self.step(next(iter(self.cohorts)))
            self.cohorts = dict(sorted(self.cohorts.items(), key=lambda item: self.trained.get(item[0], 0)))
        raise AssertionError("the search never ended")

    def _rung(self, cohort: str, trial: str) -> RungResult:
        member, reached = self.cohorts[cohort][trial]
        share = self.seconds / len(self.cohorts[cohort])
        failure = self.fails.get(self._families[cohort])
        if failure is not None:
            return RungResult(trial, 0, "failed", seconds=share, failure=failure)
        if self.room is not None and len(self.cohorts[cohort]) > self.room:
            return RungResult(trial, 0, "failed", seconds=share, failure=Failure("memory", "no room", ""))
        resource = next(rung for rung in member.rungs if rung > reached)
        self.trained[trial] = self.trained.get(trial, 0) + resource - reached
        self.cohorts[cohort][trial] = (member, resource)
        if trial in self.diverges:
            return RungResult(trial, resource, "diverged", {METRIC: float("nan")}, (float("nan"),), share)
        score = score_of(trial, resource, member.seed)
        state = "finished" if resource == member.rungs[-1] else "running"
        return RungResult(trial, resource, state, {METRIC: score}, (score,), share)


def search(families: Sequence[FamilyPlan], journal: list[Any], **kwargs: Any) -> Search:
    settings = {"metric": METRIC, "greater_is_better": True, "seed": 7, **kwargs}
    return Search(families, journal=journal.extend, **settings)


def leaderboard(searched: Search) -> list[tuple[str, str, float | None]]:
    return sorted((t.trial, t.state, t.score(METRIC)) for t in searched.record.trials.values())
