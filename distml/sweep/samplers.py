"""The samplers of a sweep's nodes, as its driver sees them: started late, asked from a thread, never waited for."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from distml.hardware.attribution import Cost
from distml.hardware.devices import Inventory
from distml.sweep.cluster import host_of, machine_of
from distml.sweep.holding import Holding, device_name, find_device, unknown_cost
from distml.sweep.sampler import NodeReport, NodeSampler

RESTARTS = 3  # of one node's sampler
RENEWALS = 5  # of one that reads no device, or not all: 10 s after its start, then 20, ... 160; a dead card stays dead
_TURN_SECONDS = 1.0
_NODES_SECONDS = 5.0  # between two looks at which nodes there are
_START_SECONDS = 60.0  # for a sampler's first answer; a machine that is busy importing takes its time
_ASK_SECONDS = 2.0  # between two questions how a node is doing
_RENEW_SECONDS = 10.0  # of a sampler that lost all its devices: a driver that was exchanged answers new processes only
_SLOW_SECONDS = 10.0  # for each later answer, and the oldest that a sample may be
_COST_SECONDS = 10.0  # for a rung's cost
_END_SECONDS = 2.0  # for the last costs, when the sweep ends


@dataclass(frozen=True)
class RungCost:
    """A question to a node, and what goes back with its answer."""

    cohort: str
    holding: Holding
    about: Any  # the caller's own


@dataclass(frozen=True)
class NodeView:
    """A node as the driver knows it."""

    name: str
    report: NodeReport | None  # the last one
    gap: str | None = None  # why there is none, or none that is fresh


@dataclass(frozen=True)
class Place:
    """Where a cohort is; what no sampler has seen yet is called as in CUDA_VISIBLE_DEVICES."""

    node: str | None
    devices: tuple[str, ...]  # UUIDs
    names: tuple[str, ...]

    def __str__(self) -> str:
        """'ws-1 gpu0 RTX 3090'."""
        return " ".join(filter(None, [self.node, ", ".join(self.names)]))


@dataclass
class _Node:
    node: str  # Ray's id
    name: str
    machine: str
    actor: Any = None
    asked: Any = None  # reference to its next answer
    asked_at: float = 0.0
    begun: float = 0.0
    report: NodeReport | None = None
    gap: str | None = "its sampler is starting"
    lost: int = 0  # times its sampler was
    lost_at: float = 0.0
    renewed: int = 0  # times its sampler was for a gap


@dataclass
class _Open:
    question: RungCost
    until: float
    answer: Any = None  # reference to it, once somebody was asked
    settled: bool = False  # it has been answered, by whoever was first


class Samplers:
    """One sampler a machine, and their answers.

    Several raylets of one machine share a sampler, unless one of them holds a device that it does not know.
    """

    def __init__(self, delay: float, disk: Path, publish: Callable[[Sequence[NodeView]], None]) -> None:
        """
        Args:
            delay: seconds from `begin` to the first sampler.
            disk: a folder on the disk whose free room is watched.
            publish: called once a second, from the thread.
        """
        self._delay, self._disk, self._publish = delay, disk, publish
        self._nodes: dict[str, _Node] = {}
        self._machines: Mapping[str, str] = {}  # Ray's id of a node -> its machine
        self._own: set[str] = set()  # nodes that need a sampler of their own
        self._looked = -_NODES_SECONDS
        self._questions: queue.SimpleQueue[RungCost] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[RungCost, Cost]] = queue.SimpleQueue()
        self._open: list[_Open] = []
        self._answering = threading.Lock()  # a thread that Ray keeps waiting may still answer after `close`
        self._fault: str | None = None  # the last thing that went wrong in the thread
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """The first cohorts are ordered: samplers may start now. Returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="distml-samplers", daemon=True)
            self._thread.start()

    def ask(self, question: RungCost) -> None:
        """Have a rung costed. The answer comes with `answers` a second or two later, whatever happens."""
        self._questions.put(question)

    def answers(self) -> list[tuple[RungCost, Cost]]:
        """The costs that have come in since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._answers.get_nowait())
        return found

    def place_of(self, holding: Holding) -> Place:
        """Where a cohort is, as a user knows it."""
        node = self._of(holding.node)
        inventory = node.report.inventory if node and node.report else Inventory()
        found = [(visible, find_device(visible, inventory)) for visible in holding.devices]
        return Place(
            node.name if node else None,
            tuple(device.uuid if device else visible for visible, device in found),
            tuple(device_name(device, inventory) if device else visible for visible, device in found),
        )

    def close(self) -> None:
        """End, once the costs that were asked for are there; waits two seconds for them at most."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS + _TURN_SECONDS)
        self._take_questions(time.monotonic())
        for one in list(self._open):
            self._answer(one, unknown_cost(one.question.holding, "the sweep ended before it was sampled"))

    # --- in the thread

    def _run(self) -> None:
        begin = time.monotonic() + self._delay
        while time.monotonic() < begin and not self._ended.wait(min(_TURN_SECONDS, self._delay)):
            with contextlib.suppress(Exception):
                self._publish([])
        end: float | None = None
        while True:
            try:
                self._turn(time.monotonic())
            except Exception as error:  # whatever Ray raises while its head is away: the sweep goes on
                self._fault = f"{type(error).__name__}: {error}"
            if self._ended.is_set():
                end = end or time.monotonic() + _END_SECONDS
                if not self._open or time.monotonic() > end:
                    return
                time.sleep(_TURN_SECONDS / 10)
            else:
                self._ended.wait(_TURN_SECONDS)

    def _turn(self, now: float) -> None:
        self._take_questions(now)
        if not self._ended.is_set():
            if now - self._looked >= _NODES_SECONDS:
                self._looked = now
                self._look()
            for node in list(self._nodes.values()):
                self._hear(node, now)
        for one in list(self._open):
            if self._settle(one, now):
                self._open.remove(one)
        if not self._ended.is_set():
            self._publish([NodeView(node.name, node.report, node.gap) for node in self._nodes.values()])

    def _take_questions(self, now: float) -> None:
        with self._answering, contextlib.suppress(queue.Empty):
            while True:
                self._open.append(_Open(self._questions.get_nowait(), now + _COST_SECONDS))

    def _look(self) -> None:
        """Which machines there are: each has a sampler on one of its raylets."""
        alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        self._machines = {name: machine_of(node) for name, node in alive.items()}
        nodes = {name: node for name, node in self._nodes.items() if name in alive}  # with a raylet goes its sampler
        watched = {node.machine for node in nodes.values()}
        for name, node in alive.items():
            machine = self._machines[name]
            if name not in nodes and (machine not in watched or name in self._own):
                watched.add(machine)
                host = host_of(node)
                taken = any(one.name == host for one in nodes.values())  # as where clusters are tried out
                nodes[name] = _Node(name, f"{host}-{name[:6]}" if taken else host, machine)
        self._nodes = nodes

    def _hear(self, node: _Node, now: float) -> None:
        """Start a sampler, take its answer in, ask anew."""
        if node.actor is None:
            if node.lost <= RESTARTS and (not node.lost or now - node.lost_at >= 2.0**node.lost):
                strategy = NodeAffinitySchedulingStrategy(node.node, soft=False)
                node.actor = NodeSampler.options(scheduling_strategy=strategy).remote()
                node.actor.begin.remote(str(self._disk))
                node.asked, node.asked_at, node.begun = node.actor.latest.remote(), now, now
            return
        if node.asked is None:
            if now - node.asked_at >= _ASK_SECONDS:
                node.asked, node.asked_at = node.actor.latest.remote(), now
            return
        if not ray.wait([node.asked], timeout=0)[0]:
            if now - node.asked_at > (_START_SECONDS if node.begun == node.asked_at else _SLOW_SECONDS):
                self._lose(node, "its sampler does not answer", now)
            return
        try:
            report: NodeReport = ray.get(node.asked, timeout=_TURN_SECONDS)
        except Exception as error:  # dead, or its code could not be run there
            self._lose(node, f"its sampler ended: {type(error).__name__}", now)
            return
        if report.age_seconds > _SLOW_SECONDS:
            self._lose(node, "its sampler does not get on: NVML does not answer", now)
            return
        node.report, node.gap, node.asked = report, None, None
        if not report.sample.gap or not report.sample.devices:
            return
        if node.renewed >= RENEWALS:  # with a new one, what is known of the other devices would go, too
            gap = f"{report.sample.gap}; its sampler was started anew {RENEWALS} times, and stays as it is"
            node.report = replace(report, sample=replace(report.sample, gap=gap))
        elif now - node.begun > _RENEW_SECONDS * 2**node.renewed:
            ray.kill(node.actor)
            node.actor, node.gap, node.renewed = None, report.sample.gap, node.renewed + 1

    def _lose(self, node: _Node, reason: str, now: float) -> None:
        with contextlib.suppress(Exception):
            ray.kill(node.actor)
        node.actor = node.asked = None
        node.lost, node.lost_at = node.lost + 1, now
        node.gap = reason if node.lost <= RESTARTS else f"{reason}; given up after {RESTARTS} restarts"

    def _of(self, node: str) -> _Node | None:
        """Who samples a node: its own sampler, or that of another raylet on the same machine."""
        nodes, machine = self._nodes, self._machines.get(node)
        return nodes.get(node) or next((one for one in nodes.values() if one.machine == machine), None)

    def _settle(self, one: _Open, now: float) -> bool:
        """Ask for a rung's cost, or take it in; True once there is an answer, if only that none can be had."""
        holding = one.question.holding
        node = self._of(holding.node)
        if one.answer is None and node is not None and node.actor is not None:
            one.answer = node.actor.cost.remote(one.question.cohort, holding)
        if one.answer is not None and ray.wait([one.answer], timeout=0)[0]:
            try:
                cost = ray.get(one.answer, timeout=_TURN_SECONDS)
            except Exception:
                one.answer = None  # its sampler died: the next one may still see this rung's end
            else:
                self._note_unseen(holding, node)
                self._answer(one, cost)
                return True
        if now <= one.until:
            return False
        gap = "its node is gone" if node is None else node.gap
        self._answer(one, unknown_cost(holding, gap or self._fault or "its sampler did not answer in time"))
        return True

    def _answer(self, one: _Open, cost: Cost) -> None:
        """Once for each question: two would charge a rung twice."""
        with self._answering:
            if not one.settled:
                one.settled = True
                self._answers.put((one.question, cost))

    def _note_unseen(self, holding: Holding, node: _Node | None) -> None:
        """A device that its machine's sampler does not see: from now on that raylet has one of its own."""
        inventory = node.report.inventory if node and node.report else None
        unseen = inventory and not all(find_device(visible, inventory) for visible in holding.devices)
        if unseen and holding.node not in self._nodes and holding.node not in self._own:
            self._own.add(holding.node)
            self._looked = -_NODES_SECONDS
