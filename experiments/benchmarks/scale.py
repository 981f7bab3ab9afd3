"""What a sweep's bookkeeping and the packer cost on a large cluster, and how that grows.

    make bench-scale                                  the table, each row twice the row above it
    python experiments/benchmarks/scale.py 5000 50    one row: trials, whole GPUs; seven MIG slices to each GPU

Nothing trains and Ray does not run: cohorts take simulated time, nodes fail at random and come back, and what they ran
is lost. All decisions are the real ones (search, ASHA, packer). At each step, each device that was touched is
added up anew: more on it than it has ends the run with an AssertionError.
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
from distml.hardware.packing import Need, Slot, pack, share_of
from distml.models.space import Value
from distml.sweep.rungs import rungs
from distml.sweep.search import CohortOrder, FamilyPlan, Reply, Search
from distml.sweep.tune.stoppers import make_stopper
from distml.training.cohort import Failure, Member, RungResult

SIZES = ((12_500, 125), (25_000, 250), (50_000, 500), (100_000, 1_000))  # trials, whole GPUs
METRIC = "score"
FULL, FACTOR = 27, 3  # epochs, and what ASHA leaves of a rung
WIDTHS = 12  # structures of the network
GPU, SLICE = Slot("rtx-3090", 24_576, 82), Slot("1g.5gb", 4_864, 14)
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
        return FamilyPlan(name, Random(), stopper, structure, lambda params: points, size, quota)

    network, forest = trials * 3 // 5, trials // 5
    return [
        plan("network", 8, network, lambda params: str(params["width"])),
        plan("forest", 1, forest, lambda params: "one"),
        plan("boosting", 1, trials - network - forest, lambda params: "one"),
    ]


def need_of(order: CohortOrder) -> Need:
    """1.2 to 5.0 GiB for a cohort of networks, of which the widest fit no slice; little for an ensemble."""
    if order.family != "network":
        return Need(900, 4)
    return Need(1_200 + 360 * int(order.members[0].params["width"]), 10)  # type: ignore[call-overload]


@dataclass
class Cluster:
    """Devices, what runs on them, and who holds them to what they have."""

    devices: dict[str, Slot]  # name -> what it has
    nodes: dict[str, list[str]]  # node -> its devices
    running: dict[str, dict[str, Need]] = field(default_factory=dict)  # device -> cohort -> what it takes
    free: dict[str, Slot] = field(default_factory=dict)  # devices that are up and have something left
    down: set[str] = field(default_factory=set)  # devices

    @classmethod
    def of(cls, gpus: int) -> "Cluster":
        """Whole GPUs, four to a node, and seven slices for each of them, 28 to a node."""
        devices: dict[str, Slot] = {}
        nodes: dict[str, list[str]] = {}
        for kind, count, on_node in ((GPU, gpus, 4), (SLICE, 7 * gpus, 28)):
            for number in range(count):
                node = f"{kind.name}-node{number // on_node}"
                name = f"{node} {number % on_node}"
                devices[name] = Slot(name, kind.memory_mib, kind.multiprocessors)
                nodes.setdefault(node, []).append(name)
        return cls(devices, nodes, {name: {} for name in devices}, dict(devices))

    def slots(self, need: Need) -> int:
        """How many cohorts with this need the cluster holds at once."""
        kinds = ((GPU, len(self.devices) // 8), (SLICE, len(self.devices) * 7 // 8))
        classes = (
            DeviceClass(kind.name, tuple(map(str, range(count))), kind.memory_mib, kind.multiprocessors)
            for kind, count in kinds
        )
        return sum(share_of(need, devices).at_once for devices in classes)

    def put(self, cohort: str, device: str, need: Need) -> None:
        assert device not in self.down
        assert cohort not in self.running[device]
        self.running[device][cohort] = need
        self._account(device)

    def remove(self, cohort: str, device: str) -> None:
        del self.running[device][cohort]
        self._account(device)

    def fail(self, node: str) -> list[str]:
        """The cohorts that were lost with it."""
        lost = [cohort for device in self.nodes[node] for cohort in self.running[device]]
        for device in self.nodes[node]:
            self.down.add(device)
            self.running[device].clear()
            self._account(device)
        return lost

    def repair(self, node: str) -> None:
        for device in self.nodes[node]:
            self.down.discard(device)
            self._account(device)

    def _account(self, device: str) -> None:
        """Add up what runs on a device, without a look at what the packer thought."""
        has, needs = self.devices[device], self.running[device].values()
        memory = has.memory_mib - sum(need.memory_mib for need in needs)
        compute = has.multiprocessors - sum(min(need.multiprocessors, has.multiprocessors) for need in needs)
        assert memory >= 0 and compute >= 0, f"{device} is overcommitted: {memory} MiB, {compute} multiprocessors left"
        if device in self.down or memory == 0:
            self.free.pop(device, None)
        else:
            self.free[device] = Slot(device, memory, compute, has.multiprocessors)


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
    placed: int = 0
    simulated_seconds: float = 0.0
    search_seconds: float = 0.0  # of a processor, in the search
    pack_seconds: float = 0.0  # in the packer
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
        self.cluster = Cluster.of(gpus)
        self.outcome = Outcome(trials, gpus, 7 * gpus)
        self._random = random.Random(seed)
        self._slots = self.cluster.slots(Need(900, 4))
        self._search = Search(
            plans(trials), metric=METRIC, greater_is_better=True, seed=seed, journal=self._count, slots=self._slots
        )
        self._between_failures = 3600 / (failing * len(self.cluster.nodes)) if failing else None
        self._waiting: dict[str, CohortOrder] = {}
        self._place: dict[str, str] = {}  # cohort -> device
        self._needs: dict[str, Need] = {}
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
        assert not any(self.cluster.running.values()), "somebody still holds a device"
        return self.outcome

    # --- placing

    def _fill(self) -> None:
        """Ask for as many cohorts as there are slots, and give places to those that fit."""
        while self._search.under_way < self._slots:
            order = self._searching(partial(self._search.next_cohort, self._now))
            if order is None:
                break
            self._waiting[order.cohort] = order
            self._needs[order.cohort] = need_of(order)
            self.outcome.cohorts += 1
        if self._waiting:
            self._pack()

    def _pack(self) -> None:
        needs = {cohort: self._needs[cohort] for cohort in self._waiting}
        least = min(need.memory_mib for need in needs.values())
        room = [slot for slot in self.cluster.free.values() if slot.memory_mib >= least]
        start = time.process_time()
        packing = pack(needs, room)
        self.outcome.pack_seconds += time.process_time() - start
        assert packing.placed.keys() | packing.waiting.keys() == needs.keys()
        for cohort, device in packing.placed.items():
            assert cohort not in self._place
            self.cluster.put(cohort, device, needs[cohort])
            self._place[cohort] = device
            order = self._waiting.pop(cohort)
            self._members[cohort] = {member.trial: (member, 0) for member in order.members}
            self._starts[cohort] = self._starts.get(cohort, 0) + 1
            self._await_report(cohort)
        self.outcome.placed += len(packing.placed)
        self.outcome.at_once = max(self.outcome.at_once, len(self._place))

    # --- training

    def _await_report(self, cohort: str) -> None:
        """A cohort's next rung: as long as its slowest member has epochs to go, at 2 to 6 s each."""
        steps = max(_next_rung(member, reached) - reached for member, reached in self._members[cohort].values())
        self._at(self._now + steps * self._random.uniform(2, 6), partial(self._report, cohort, self._starts[cohort]))

    def _report(self, cohort: str, start: int) -> None:
        if cohort not in self._place or self._starts[cohort] != start:
            return  # it was lost meanwhile
        members = self._members[cohort]
        results = [_result(member, _next_rung(member, reached)) for member, reached in members.values()]
        self._members[cohort] = {result.trial: (members[result.trial][0], result.resource) for result in results}
        self.outcome.reports += 1
        self._heed(cohort, self._searching(partial(self._search.on_results, cohort, results, self._now)))

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
        self.cluster.remove(cohort, self._place.pop(cohort))
        del self._members[cohort]

    # --- failing

    def _await_failure(self) -> None:
        if self._between_failures is not None:
            self._at(self._now + self._random.expovariate(1 / self._between_failures), self._fail)

    def _fail(self) -> None:
        node = self._random.choice(list(self.cluster.nodes))
        self.outcome.nodes_failed += 1
        for cohort in self.cluster.fail(node):
            del self._place[cohort], self._members[cohort]
            self.outcome.lost += 1
            self._searching(partial(self._search.on_lost, cohort, Failure("node", f"{node} is gone", ""), self._now))
        self._at(self._now + DOWN_SECONDS, partial(self.cluster.repair, node))
        self._await_failure()

    # --- keeping count

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._turns), what))

    def _searching(self, ask: Callable[[], _Answer]) -> _Answer:
        start = time.process_time()
        answer = ask()
        self.outcome.search_seconds += time.process_time() - start
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
    print(" trials   GPUs  slices  at once  nodes  cohorts  decisions   search    a second  placed    a second  memory")
    print("                                 failed    lost                 CPU s                                MiB")
    for size in SIZES:
        row = measure(*size)
        searched, packed = row.decisions / row.search_seconds, row.placed / row.pack_seconds
        print(
            f"{row.trials:7,} {row.gpus:6,} {row.slices:7,} {row.at_once:8,} {row.nodes_failed:6,} {row.lost:8,} "
            f"{row.decisions:10,} {row.search_seconds:8.1f} {searched:11,.0f} {row.placed:7,} {packed:11,.0f} "
            f"{row.memory_mib:7,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asdict(Simulation(int(sys.argv[1]), int(sys.argv[2])).run())))
    else:
        table()
