"""What a sweep's bookkeeping and the account of places cost on a large cluster, and how that grows.

    make bench-scale                                  the table, each row twice the row above it
    python experiments/benchmarks/scale.py 5000 50    one row: trials, whole GPUs; seven MIG slices to each GPU

Nothing trains and Ray does not run: cohorts take simulated time, nodes fail at random and come back, and what they ran
is lost. All decisions are the real ones (search, ASHA, places). Each node adds up anew what it was given, at each step,
as Ray would: more than it has ends the run with an AssertionError.
"""

import heapq
import itertools
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

from distml.hardware.devices import DeviceClass
from distml.hardware.packing import RAY_UNITS
from distml.models.space import Value
from distml.sweep.cluster import Cluster, Node
from distml.sweep.orders import CohortOrder, FamilyPlan, Reply
from distml.sweep.places import Placement, Places
from distml.sweep.rungs import rungs
from distml.sweep.search import Search
from distml.sweep.tune.stoppers import make_stopper
from distml.sweep.wish import Wish
from distml.training.cohort import Failure, Member, RungResult

SIZES = ((12_500, 125), (25_000, 250), (50_000, 500), (100_000, 1_000))  # trials, whole GPUs
METRIC = "score"
FULL, FACTOR = 27, 3  # epochs, and what ASHA leaves of a rung
WIDTHS = 12  # structures of the network
WISHES = {
    "network": Wish(1, "4GiB"),
    "forest": Wish(1, 0.25),
    "boosting": Wish(1),
}  # a slice or a sixth, a share, a core
DOWN_SECONDS = 120.0  # that a failed node is away
TURN_SECONDS = 1.0  # of simulated time, whose events a driver finds together

_Answer = TypeVar("_Answer")


class Random:
    """Proposes a width and a rate, by the trial's name alone."""

    def suggest(self, trial: str) -> Mapping[str, Value]:
        drawn = random.Random(trial)
        return {"width": drawn.randrange(WIDTHS), "lr": drawn.random()}

    def recall(self, trial: str, params: Mapping[str, Value]) -> None:
        """It proposes the same whatever is known."""

    def result(self, trial: str, resource: int, score: float) -> None:
        """It learns nothing from results."""

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        """It learns nothing from results."""


def plans(trials: int) -> list[FamilyPlan]:
    """A network in cohorts of 8 with three fifths of the trials, and two families that train one by one."""

    def plan(name: str, size: int, quota: int, structure: Callable[[Mapping[str, Value]], str]) -> FamilyPlan:
        points = rungs(FULL, 1, FACTOR)
        stopper = make_stopper("asha", mode="max", rungs=points, factor=FACTOR)
        return FamilyPlan(name, Random(), stopper, structure, lambda params: points, cohort_size=size, quota=quota)

    network, forest = trials * 3 // 5, trials // 5
    return [
        plan("network", 8, network, lambda params: str(params["width"])),
        plan("forest", 1, forest, lambda params: "one"),
        plan("boosting", 1, trials - network - forest, lambda params: "one"),
    ]


def nodes_of(gpus: int) -> tuple[Node, ...]:
    """Whole GPUs, four to a node; seven slices for each, 28 to a node; a node of cores for each eight of them."""

    def some(kind: str, count: int, on_node: int, cpus: int, memory_mib: int, multiprocessors: int) -> list[Node]:
        return [
            Node(f"{kind}-{number}", cpus, DeviceClass(kind, uuids, memory_mib, multiprocessors), apart=True)
            for number in range(-(-count // on_node))
            for uuids in [tuple(f"{kind}-{number}-{place}" for place in range(min(on_node, count - on_node * number)))]
        ]

    return (
        *some("rtx-3090", gpus, 4, 32, 24_576, 82),
        *some("1g.5gb", 7 * gpus, 28, 32, 4_864, 14),
        *(Node(f"cores-{number}", 32, apart=True) for number in range(-(-gpus // 8))),
    )


@dataclass
class Raylet:
    """A node as Ray accounts for it, knowing nothing of what the driver's own account says."""

    node: Node
    held: dict[str, tuple[Placement, tuple[int, ...]]] = field(default_factory=dict)  # cohort -> (its place, devices)

    def take(self, cohort: str, placement: Placement) -> None:
        assert cohort not in self.held
        free = self._free()
        gpus = placement.resources.get("GPU", 0.0)
        units = min(RAY_UNITS, round(gpus * RAY_UNITS))
        room = sorted((left, device) for device, left in enumerate(free) if left >= units) if gpus else []
        devices = tuple(device for _, device in room[: max(1, int(gpus))]) if gpus else ()
        assert len(devices) == (max(1, int(gpus)) if gpus else 0), f"{self.node.name} is overcommitted: {free} free"
        self.held[cohort] = placement, devices
        self._check()

    def leave(self, cohort: str) -> None:
        del self.held[cohort]

    def _free(self) -> list[int]:
        free = [RAY_UNITS] * (len(self.node.devices.uuids) if self.node.devices else 0)
        for placement, devices in self.held.values():
            for device in devices:
                free[device] -= min(RAY_UNITS, round(placement.resources["GPU"] * RAY_UNITS))
        return free

    def _check(self) -> None:
        """Cores, shares and memory, from the beginning."""
        cpus = sum(placement.resources["CPU"] for placement, _ in self.held.values())
        assert cpus <= self.node.cpus, f"{self.node.name} is overcommitted: {cpus} of {self.node.cpus} cores"
        assert all(left >= 0 for left in self._free()), f"{self.node.name} is overcommitted: {self._free()} free"
        if self.node.devices is None:
            return
        memory = [0] * len(self.node.devices.uuids)
        for placement, devices in self.held.values():
            for device in devices:
                memory[device] += placement.memory_mib or 0
        assert max(memory) <= (self.node.devices.memory_mib or 0), f"{self.node.name} is overcommitted: {memory} MiB"


@dataclass
class Outcome:
    """What a simulated sweep took."""

    trials: int
    gpus: int
    slices: int
    at_once: int = 0  # cohorts that ran together, at most
    cohorts: int = 0  # started, those that were lost and started again included
    reports: int = 0  # of a cohort at a rung
    lost: int = 0  # cohorts
    nodes_failed: int = 0
    events: int = 0  # that would stand in the journal
    simulated_seconds: float = 0.0
    decision_seconds: float = 0.0  # of a processor, in the search and in the account of places
    update_seconds: float = 0.0  # to take up that nodes went or came
    memory_mib: float = 0.0  # that the process grew by
    ended: dict[str, int] = field(default_factory=dict)  # state -> trials

    @property
    def decisions(self) -> int:
        """What to start, who goes on and who stops, what becomes of who was lost."""
        return self.cohorts + self.reports + self.lost


class Simulation:
    """A sweep on a cluster, from its first trial to its last."""

    def __init__(self, trials: int, gpus: int, seed: int = 0, failing: float = 2.0) -> None:
        """failing: how often a node fails in an hour of simulated time; 0: never."""
        self._nodes = nodes_of(gpus)
        self._raylets = {node.name: Raylet(node) for node in self._nodes}
        self._down: set[str] = set()  # nodes
        self._places = Places(WISHES, Cluster(self._nodes))
        self.outcome = Outcome(trials, gpus, 7 * gpus)
        self._random = random.Random(seed)
        self._search = Search(
            plans(trials), metric=METRIC, greater_is_better=True, seed=seed, journal=self._count,
            slots=self._places.slots,
        )  # fmt: skip
        self._between_failures = 3600 / (failing * len(self._nodes)) if failing else None
        self._node_of: dict[str, str] = {}  # cohort -> node
        self._members: dict[str, dict[str, tuple[Member, int]]] = {}  # cohort -> trial -> (member, epochs so far)
        self._starts: dict[str, int] = {}  # cohort -> how often it started: a report from before a loss is void
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._turns = itertools.count()
        self._now = 0.0

    def run(self) -> Outcome:
        before = _memory_mib()
        self._await_failure()
        while True:
            self._fill()
            if self._search.done:
                break
            self._now = self._agenda[0][0] + TURN_SECONDS
            while self._agenda and self._agenda[0][0] <= self._now:
                heapq.heappop(self._agenda)[2]()
        self.outcome.memory_mib = _memory_mib() - before
        self.outcome.simulated_seconds = self._now
        self.outcome.ended = dict(self._search.record.counts)
        assert not any(raylet.held for raylet in self._raylets.values()), "somebody still holds a place"
        return self.outcome

    # --- placing

    def _fill(self) -> None:
        """Start cohorts for as long as there is room for one."""
        while (started := self._deciding(self._start)) is not None:
            order, placement = started
            assert placement.node not in self._down
            self._raylets[placement.node].take(order.cohort, placement)
            self._node_of[order.cohort] = placement.node
            self._members[order.cohort] = {member.trial: (member, 0) for member in order.members}
            self._starts[order.cohort] = self._starts.get(order.cohort, 0) + 1
            self._await_report(order.cohort)
            self.outcome.cohorts += 1
        self.outcome.at_once = max(self.outcome.at_once, len(self._node_of))

    def _start(self) -> tuple[CohortOrder, Placement] | None:
        order = self._search.next_cohort(self._now, self._places.kind_for, self._places.waits_for)
        if order is None:
            return None
        placement = self._places.take(order.cohort, order.family, order.structure)
        assert placement is not None, "the search asked whether there was room"
        return order, placement

    # --- training

    def _await_report(self, cohort: str) -> None:
        """A cohort's next rung: as long as its slowest member has epochs to go, at 2 to 6 s each."""
        steps = max(_next_rung(member, reached) - reached for member, reached in self._members[cohort].values())
        self._at(self._now + steps * self._random.uniform(2, 6), partial(self._report, cohort, self._starts[cohort]))

    def _report(self, cohort: str, start: int) -> None:
        if cohort not in self._node_of or self._starts[cohort] != start:
            return  # it was lost meanwhile
        members = self._members[cohort]
        results = [_result(member, _next_rung(member, reached)) for member, reached in members.values()]
        self._members[cohort] = {result.trial: (members[result.trial][0], result.resource) for result in results}
        self.outcome.reports += 1
        self._heed(cohort, self._deciding(partial(self._search.on_results, cohort, results, self._now)))

    def _heed(self, cohort: str, reply: Reply) -> None:
        members = self._members[cohort]
        for trial in reply.release:
            del members[trial]
        members.update({member.trial: (member, 0) for member in reply.admit})
        if reply.end:
            assert not members
            self._leave(cohort)
        else:
            self._await_report(cohort)

    def _leave(self, cohort: str) -> None:
        self._raylets[self._node_of.pop(cohort)].leave(cohort)
        self._deciding(partial(self._places.release, cohort))
        del self._members[cohort]

    # --- failing

    def _await_failure(self) -> None:
        if self._between_failures is not None:
            self._at(self._now + self._random.expovariate(1 / self._between_failures), self._fail)

    def _fail(self) -> None:
        raylet = self._raylets[self._random.choice(self._nodes).name]
        name = raylet.node.name
        if name not in self._down:
            self.outcome.nodes_failed += 1
            self._down.add(name)
            for cohort in list(raylet.held):
                raylet.leave(cohort)
                del self._node_of[cohort], self._members[cohort]
                self.outcome.lost += 1
                self._deciding(partial(self._places.release, cohort))
                failure = Failure("node", f"{name} is gone", "")
                self._deciding(partial(self._search.on_lost, cohort, failure, self._now))
            self._update()
            self._at(self._now + DOWN_SECONDS, partial(self._repair, name))
        self._await_failure()

    def _repair(self, name: str) -> None:
        self._down.remove(name)
        self._update()

    def _update(self) -> None:
        start = time.process_time()
        self._places.update(Cluster(tuple(node for node in self._nodes if node.name not in self._down)))
        self.outcome.update_seconds += time.process_time() - start

    # --- keeping count

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._turns), what))

    def _deciding(self, ask: Callable[[], _Answer]) -> _Answer:
        start = time.process_time()
        answer = ask()
        self.outcome.decision_seconds += time.process_time() - start
        return answer

    def _count(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.outcome.events += len(events)


def _next_rung(member: Member, reached: int) -> int:
    return next(rung for rung in member.rungs if rung > reached)


def _result(member: Member, resource: int) -> RungResult:
    """A score of the trial alone, higher with each epoch."""
    score = (member.seed % 1000) / 1000 * (1 - 0.9**resource)
    state = "finished" if resource == member.rungs[-1] else "running"
    return RungResult(member.trial, resource, state, {METRIC: score}, (score,), 1.0)


def _memory_mib() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(trials: int, gpus: int) -> Outcome:
    """One simulated sweep in a process of its own, so that its memory is its own, too."""
    done = subprocess.run([sys.executable, __file__, str(trials), str(gpus)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout))


def table() -> None:
    print("| trials | whole GPUs | slices | at once | nodes failed | lost | decisions | a second | update | memory |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        row = measure(*size)
        changes = max(1, 2 * row.nodes_failed)
        print(
            f"| {row.trials:,} | {row.gpus:,} | {row.slices:,} | {row.at_once:,} | {row.nodes_failed:,} | {row.lost:,} "
            f"| {row.decisions:,} | {row.decisions / row.decision_seconds:,.0f} "
            f"| {1000 * row.update_seconds / changes:,.0f} ms | {row.memory_mib:,.0f} MiB |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asdict(Simulation(int(sys.argv[1]), int(sys.argv[2])).run())))
    else:
        table()
