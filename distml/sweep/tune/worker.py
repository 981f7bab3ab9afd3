"""What runs in a slot: the Ray Tune trainable that carries one cohort."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray._private.worker import _changeproctitle

from distml.data.task import FoldArrays, Outline
from distml.hardware.devices import list_devices
from distml.hardware.mps import PIPES, client_limits
from distml.models.family import Family
from distml.models.metrics import Evaluator
from distml.sweep.cluster import NODE_VARIABLE
from distml.sweep.holding import Holding, find_device, visible_devices
from distml.sweep.keeping import Keeper
from distml.sweep.orders import CohortOrder, Reply
from distml.sweep.tune.desk import Desk
from distml.training.cohort import Assignment, Cohort, Member, RungResult
from distml.training.failures import failure_of


@dataclass(frozen=True)
class Prepared:
    """The table under one preprocessing variant, shared by all trials through Ray's object store."""

    outline: Outline
    folds: "tuple[FoldArrays, ...] | ray.ObjectRef[tuple[FoldArrays, ...]]"  # a reference where families share them
    whole: FoldArrays | None  # given where out-of-bag rows may validate


@dataclass(frozen=True)
class Start:
    """A cohort's first message: all it needs to train."""

    order: CohortOrder
    family: Family
    evaluator: Evaluator
    prepared: "ray.ObjectRef[Prepared]"
    checkpoint: Path
    threads: int
    device: str
    predictions: Path | None = None  # the folder for those of the best members, once they have finished
    slot_mib: int | None = None  # of a share of a GPU: its memory, which the process must hold to
    most: int | None = None  # find out how many members, up to this, train best together; None: that is known


@dataclass(frozen=True)
class News:
    """What a cohort found out when it started."""

    reason: str  # why it trains as it does
    place: str  # 'ws-3090 GPU-1b2c': the machine, and what CUDA_VISIBLE_DEVICES lets it see
    size: int | None = None  # members that train best together, where that was measured


class DeviceGoneError(Exception):
    """The device that Ray handed out is not there any more; no trial's fault."""


class CohortTrainable(tune.Trainable):
    """One Ray Tune iteration is one rung of one cohort; the process serves many cohorts (`reuse_actors`)."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        return tune.PlacementGroupFactory([config["resources"]])

    def setup(self, config: dict[str, Any]) -> None:
        self._family = config["family"]
        self._desk: Desk = config["desk"]
        self._name = config["cohort"]
        self._cohort: Cohort | None = None
        self._news: News | None = None  # told once
        self._members: dict[str, Member] = {}
        self._rung = 0  # advances so far
        self._checkpoint: Path | None = None
        self._keeper = getattr(self, "_keeper", None) or Keeper()  # of the process, which serves many cohorts
        self._predictions: Path | None = None
        self._unwritten: dict[str, str] = {}  # since the last answer: what -> why
        self._gpus = float(config["resources"].get("GPU", 0))
        self._since = 0.0  # when what it holds was last accounted for, Unix seconds

    def __str__(self) -> str:
        return f"{self._family} x{len(self._members)}, rung {self._rung}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        letter: Start | Reply = self._desk.take(self._name)
        if isinstance(letter, Start) and self._gpus:
            _check_device()
        self._rung += 1
        self._since = self._since or time.time()
        refused: list[RungResult] = []
        try:
            refused = self._start(letter) if isinstance(letter, Start) else self._follow(letter)
            if isinstance(letter, Reply) and letter.end:  # what it learnt is saved; a later driver goes on from there
                return {"cohort": self._name, "ended": True, "unwritten": list(self._unwritten.items())}
            results = list(refused)
            if self._cohort is not None:
                with _changeproctitle(str(self), "ray::CohortTrainable"):  # what the Ray dashboard and `top` show
                    results += self._cohort.advance()
                self._keep(results)
        except Exception as error:  # a module that cannot be built, data that no member can train on
            results = [*refused, *_failed(self._members, error)]
        news, self._news = self._news, None
        unwritten, self._unwritten = self._unwritten, {}
        answer = {"cohort": self._name, "results": list(map(_placed, results)), "news": news, "ended": False}
        return {**answer, "unwritten": list(unwritten.items()), "holding": self._holding()}

    def _holding(self) -> Holding:
        """What it held since it was last asked; between two rungs too, when it waits for the driver's word."""
        devices, share = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), self._gpus)
        start, self._since = self._since, time.time()
        node = ray.get_runtime_context().get_node_id()
        return Holding(node, devices, share, start, self._since, os.getpid(), _peak_mib() if devices else None)

    def _keep(self, results: list[RungResult]) -> None:
        assert self._cohort is not None
        if self._predictions is not None:
            wrong = self._keeper.keep(self._family, self._metric, results, self._cohort, self._predictions)
            if wrong is not None:
                self._unwritten["validation predictions"] = _why(wrong)

    def cleanup(self) -> None:
        self._cohort = None  # its checkpoint stays: whether it is needed again, the driver knows

    def _start(self, start: Start) -> list[RungResult]:
        """Begin a cohort; those of its members that cannot be built."""
        from distml.training.start import stacks, start_cohort  # imports torch only where a network trains

        refused: list[RungResult] = []
        self._members = {member.trial: member for member in start.order.members}
        prepared = ray.get(start.prepared)
        folds = prepared.folds if isinstance(prepared.folds, tuple) else ray.get(prepared.folds)
        assignment = Assignment(
            family=start.family, outline=prepared.outline, folds=folds, evaluator=start.evaluator,
            whole=prepared.whole, device=start.device, threads=start.threads,
        )  # fmt: skip
        self._checkpoint, self._predictions = start.checkpoint, start.predictions
        self._metric = start.evaluator.metric
        _limit_in_mps(self._gpus, start.slot_mib)
        _forget_peak()  # of the cohort that this process had before
        allowed_mib = _hold(start)
        for member in start.order.members:  # the first that can be built shows how all of them train
            try:
                self._cohort, reason = start_cohort(assignment, member.params)
            except Exception as error:
                refused += _failed([member.trial], error)
                del self._members[member.trial]
            else:
                break
        if self._cohort is None:
            return refused
        self._news = News(reason, _place())
        if start.most is not None and stacks(self._cohort):
            from distml.training.sizing import size_cohort

            sizing = size_cohort(assignment, member.params, start.most, allowed_mib)
            _forget_peak()  # of the probes
            self._news = News(f"{reason}; {sizing.reason}", _place(), sizing.members)
        held = self._take_up(start) if start.order.resumed and start.checkpoint.is_file() else []
        self._cohort.admit([member for trial, member in self._members.items() if trial not in held])
        return refused

    def _take_up(self, start: Start) -> list[str]:
        """Take up a checkpoint; the trials it held. One that is damaged costs what it held, not the trials."""
        assert self._cohort is not None
        try:
            held = self._cohort.restore(start.checkpoint)
        except Exception as error:
            self._cohort.release(list(self._members))
            again = f"begins again: {start.checkpoint.name} cannot be taken up ({type(error).__name__})"
            self._news = News(again, _place())
            return []
        self._cohort.release([trial for trial in held if trial not in self._members])
        return held

    def _follow(self, reply: Reply) -> list[RungResult]:
        """Let members go and take others in; those that could not be taken in."""
        assert self._cohort is not None and self._checkpoint is not None
        self._cohort.release(reply.release)
        for trial in reply.release:
            self._members.pop(trial, None)
        if self._members:  # some go on: what they have learnt is worth keeping
            try:
                self._cohort.save(self._checkpoint)
            except Exception as error:  # a full disk costs the checkpoint, not the cohort
                self._unwritten["checkpoints"] = _why(error)
        try:
            self._cohort.admit(reply.admit)
        except Exception as error:  # no memory for them, say: those that were there go on
            names = [member.trial for member in reply.admit]
            self._cohort.release(names)
            return _failed(names, error)
        self._members |= {member.trial: member for member in reply.admit}
        return []


def _why(error: Exception) -> str:
    """In a few words; which file it was is no use to who reads that none could be written."""
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"


def _check_device() -> None:
    """Raise DeviceGoneError where NVML knows no device that this process was given: CUDA's own words for it are
    'no device', or none, where a library goes on without one."""
    inventory = list_devices()
    visible, _ = visible_devices(os.environ.get("CUDA_VISIBLE_DEVICES"), 1)
    gone = [one for one in visible if find_device(one, inventory) is None]
    if gone and inventory.devices and not inventory.faults:
        raise DeviceGoneError(
            f"{_node()} has no longer {', '.join(gone)}: was MIG changed since Ray was started there? "
            "Start its node anew (distml node stop, distml node start); the same command then goes on"
        )


def _limit_in_mps(share: float, slot_mib: int | None) -> None:
    """Where this node has MPS, hold this process to its share of a card. CUDA reads it when it starts, which is now at
    the earliest; a process that serves several cohorts has had the same share from its first."""
    if PIPES in os.environ and 0 < share < 1:
        os.environ.update(client_limits(share, slot_mib))


def _hold(start: Start) -> float | None:
    """Hold this process to its share of a GPU; MiB that its arrays may take, None where that is the whole device."""
    if start.slot_mib is None or start.family.engine != "network":  # an estimator's memory is not torch's to hold
        return None
    from distml.sweep.tune.cap import hold_to

    return hold_to(start.slot_mib)


def _peak_mib() -> float | None:
    """What this process took of its GPU at most; None where it is not torch that knows."""
    if not _uses_cuda():
        return None
    from distml.sweep.tune.cap import peak_mib

    return peak_mib()


def _forget_peak() -> None:
    if _uses_cuda():
        from distml.sweep.tune.cap import forget_peak

        forget_peak()


def _uses_cuda() -> bool:
    """Whether torch is at work on a GPU here; to ask loads neither."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _placed(result: RungResult) -> RungResult:
    """A failure with the node it happened on."""
    if result.failure is None:
        return result
    return replace(result, failure=replace(result.failure, node=_node()))


def _node() -> str:
    """This machine's name, as `distml node start` was told, else its address."""
    return os.environ.get(NODE_VARIABLE) or ray.util.get_node_ip_address()


def _place() -> str:
    """'ws-3090 GPU-1b2c': this machine, and the devices that Ray lets this process see."""
    return f"{_node()} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}".strip()


def _failed(trials: Iterable[str], error: Exception) -> list[RungResult]:
    failure = failure_of(error)
    return [RungResult(trial, 0, "failed", failure=failure) for trial in trials]
