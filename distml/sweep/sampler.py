"""The sampler of a node: an actor beside the cohorts, which reads the devices once a second and tells what rungs cost.

Samples stay on the node; what travels is the latest one and the cost of a rung. It imports little, as each node starts
one: neither NumPy nor the rest of the sweep.
"""

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import ray

from distml.hardware.attribution import Cost, attribute, boards
from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, Sample
from distml.hardware.telemetry import Sampler
from distml.sweep.holding import Holding, find_device, occupancies, unknown_cost

SECONDS = 1.0  # between two samples
_KEPT = 3600  # samples; a longer rung is costed by its last hour, which makes it an estimate
_LATE_SECONDS = 3.0  # that a cost waits for the sample after a rung's end
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class NodeReport:
    """A node as its sampler sees it now."""

    inventory: Inventory
    sample: Sample
    age_seconds: float  # of the sample; where NVML hangs, it grows
    pid: int  # the sampler's own
    cpu_seconds: float  # that it has used
    memory_mib: float  # that it takes


class History:
    """A node's last samples, and what happened between them."""

    def __init__(self, kept: int = _KEPT) -> None:
        self.samples: deque[Sample] = deque(maxlen=kept)
        self._reasons: dict[str, dict[str, str]] = {}

    def add(self, sample: Sample) -> None:
        """Keep a sample. The reasons of what is missing are the same for hours: those of one device are kept once."""
        self.samples.append(replace(sample, devices=tuple(map(self._thrifty, sample.devices))))

    def cost(self, cohort: str, holding: Holding, inventory: Inventory) -> Cost:
        """What a cohort took of this node, as far as the samples reach."""
        found = [(visible, find_device(visible, inventory)) for visible in holding.devices]
        unknown = [visible for visible, device in found if device is None]
        if unknown:
            return unknown_cost(holding, f"the sampler of its node knows no device {', '.join(unknown)}")
        devices: list[Device] = [device for _, device in found if device is not None]
        if self.samples and holding.end < self.samples[0].time:
            return unknown_cost(holding, "it was over when the sampler of its node began, or began again")
        samples = self._around(holding.start, holding.end)
        return attribute(samples, occupancies(cohort, holding, devices), boards(inventory))[cohort]

    def _around(self, start: float, end: float) -> Sequence[Sample]:
        """The samples that say something of this time: one from before it on, one from after it at most."""
        chosen: list[Sample] = []
        for sample in reversed(tuple(self.samples)):  # a copy: the thread that reads adds to them meanwhile
            if sample.time >= end and chosen:
                chosen.clear()
            chosen.append(sample)
            if sample.time <= start:
                break
        return chosen[::-1]

    def _thrifty(self, sample: DeviceSample) -> DeviceSample:
        known = self._reasons.get(sample.uuid)
        if known != sample.missing:
            known = self._reasons[sample.uuid] = dict(sample.missing)
        return replace(sample, missing=known)


class _NodeSampler:
    """Reads in a thread of its own: a driver that hangs in NVML must not keep it from answering."""

    def __init__(self) -> None:
        """Takes no arguments: before it could be given any, Ray would import what is kept out here."""
        # When a process first takes or gives an object, Ray imports these to be ready for objects of theirs: 45 MiB.
        sys.modules.update(dict.fromkeys(("pyarrow", "pydantic")))  # type: ignore[arg-type]  # None: as if not there
        self._history = History()
        self._sampler: Sampler | None = None
        self._process = psutil.Process()

    async def begin(self, disk: str) -> None:
        """Sample from now on; disk: a folder on the disk whose free room is watched."""
        threading.Thread(target=self._read, args=(Path(disk),), daemon=True).start()

    def _read(self, disk: Path) -> None:
        self._sampler = sampler = Sampler(disk)
        while True:
            started = time.monotonic()
            self._history.add(sampler.sample())
            time.sleep(max(0.1, SECONDS - (time.monotonic() - started)))

    async def latest(self) -> NodeReport:
        """The node now, once there is a first sample."""
        while self._sampler is None or not self._history.samples:
            await asyncio.sleep(_POLL_SECONDS)
        used = self._process.cpu_times()
        sample = self._history.samples[-1]
        return NodeReport(
            self._sampler.inventory, sample, max(0.0, time.time() - sample.time), self._process.pid,
            used.user + used.system, self._process.memory_info().rss / 2**20,
        )  # fmt: skip

    async def cost(self, cohort: str, holding: Holding) -> Cost:
        """What a cohort took from one moment to another, as soon as that has been sampled to its end."""
        await self.latest()
        latest = time.monotonic() + _LATE_SECONDS
        while self._history.samples[-1].time < holding.end and time.monotonic() < latest:
            await asyncio.sleep(_POLL_SECONDS)
        assert self._sampler is not None
        return self._history.cost(cohort, holding, self._sampler.inventory)


NodeSampler = ray.remote(num_cpus=0, max_restarts=0)(_NodeSampler)
