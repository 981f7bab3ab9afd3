"""`distml bench`: every arm of a machine, in passes, so that what changes with time changes all arms alike.

Each pass visits each arm once: fresh processes, a warm-up that is dropped, one repeat with all slots busy. A repeat is
a figure; an interval over repeats thus holds what differs between processes and between minutes, too. Ctrl-C keeps what
has been measured.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import distml
from distml.bench import conditions, machine
from distml.bench.arms import Arm, Subject, first_arms, second_arms
from distml.bench.ceilings import Limits
from distml.bench.conditions import CpuTimes, Stretch
from distml.bench.processes import ArmError, Crew, best_batch, limits
from distml.bench.record import ArmRecord, Ceiling, Figure, Machine, Made, Measured, Repeat, Workload
from distml.bench.statistics import figure
from distml.bench.watch import CardWatch
from distml.bench.worker import Done, Job
from distml.bench.workload import FULL, QUICK, operations, size
from distml.errors import DistmlError
from distml.hardware.devices import Inventory
from distml.hardware.mps import PIPES
from distml.hardware.samples import DeviceSample
from distml.sweep.provenance import git_revision

_NO_ENERGY = "no counter of the processor's energy is read"
_NO_MPS = "/nonexistent/no-mps"  # where no daemon listens: processes share the card by its own time slices
_PYTHON = "import torch, distml.training.stacked, distml.models.metrics; torch.zeros(1, device={device!r})"
_WATCHED_SECONDS = 1.5  # that a repeat on a card takes at least: its energy counter is read twice a second
_NEAR = 0.1  # of the best rate: cohorts this near to it are as good


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    workload: Workload
    quick: bool
    repeats: int
    repeat_seconds: float  # that a repeat takes at least, if one cohort does not take longer


def settings_of(quick: bool, tf32: bool) -> Settings:
    """What `distml bench` measures, with --quick and without.

    The numbers of repeats are such that the interval of a median holds what it promises: 94 % for 5, 95 % for 9.
    """
    workload = (QUICK if quick else FULL).model_copy(update={"tf32": tf32})
    return Settings(workload, True, 5, 0.5) if quick else Settings(workload, False, 9, 2.0)


class Watcher(Protocol):
    """Who shows how far a bench has come."""

    def progress(self, what: str, done: float, left_seconds: float) -> None:
        """what: goes on now; done: 0 to 1."""

    def noted(self, line: str) -> None:
        """Something to know at once."""


@dataclass
class _Standing:
    """What is known of an arm so far."""

    arm: Arm
    rounds: int = 0  # cohorts of a repeat; 0: not visited yet
    repeats: list[Repeat] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ended: ArmError | None = None
    visit_seconds: float | None = None  # the last visit's

    @property
    def median(self) -> float:
        return figure([one.trials_per_hour for one in self.repeats]).median if self.repeats else 0.0


class Bench:
    """One machine's bench, from its first pass to its record."""

    def __init__(self, subject: Subject, inventory: Inventory, settings: Settings, watcher: Watcher) -> None:
        self._subject, self._settings, self._watcher = subject, settings, watcher
        self._standings = [_Standing(arm) for arm in first_arms(subject, settings.workload.batch_size, settings.quick)]
        self._limits: list[Limits] = []
        self._starts: list[float] = []
        self._stretches: list[Stretch] = []
        self._second = False  # the arms that build on others are known
        self._began = time.monotonic()
        card = machine.card_of(subject, inventory)
        self._watch = CardWatch(card.uuid) if card else None
        self.before: DeviceSample | None = self._watch.idle(subject.slices) if self._watch else None

    def run(self) -> bool:
        """Measure; whether it came to its end."""
        try:
            for number in range(self._settings.repeats):
                self._pass(number)
        except KeyboardInterrupt:
            return False
        return True

    def close(self) -> None:
        """Let the card go."""
        if self._watch is not None:
            self._watch.close()

    @property
    def slowed_by(self) -> list[str]:
        """What held the card's clocks back."""
        return self._watch.slowed_by if self._watch else []

    @property
    def stretches(self) -> Sequence[Stretch]:
        """What the processor did meanwhile."""
        return self._stretches

    def _pass(self, number: int) -> None:
        self._say("starting a process", number, 0)
        self._starts.append(self._start_seconds())
        self._say("the machine's own limits", number, 0)
        try:
            everywhere = Arm("scoring-network", "alone", self._subject.slices or self._first_place)
            jobs = [self._job(everywhere, self._all_cores, place) for place in everywhere.places]
            self._limits.append(limits(jobs))
        except ArmError as error:
            self._watcher.noted(f"the machine's own limits: {error.state} ({error})")
        place = 0
        while place < len(self._standings):
            standing = self._standings[place]
            place += 1
            if standing.ended is None:
                self._say(f"{standing.arm.model}, {standing.arm.name}", number, place - 1)
                self._visit(standing, number)
            if place == len(self._standings) and not self._second:
                self._standings += map(_Standing, self._arms_from_what_was_found())
                self._second = True

    def _visit(self, standing: _Standing, number: int) -> None:
        """One repeat of an arm, in fresh processes."""
        start, arm = time.monotonic(), standing.arm
        try:
            with Crew([self._job(arm, arm.threads, place) for place in arm.places]) as crew:
                if not standing.rounds:
                    slowest = max(one.round_seconds for one in crew.ready)
                    least = max(self._settings.repeat_seconds, _WATCHED_SECONDS if self._watch else 0.0)
                    standing.rounds = max(1, round(least / slowest))
                before, own, at = conditions.cpu_times(), time.process_time(), time.perf_counter()
                seeds = [_seed(number, place) for place in range(arm.processes)]
                done = crew.repeat(standing.rounds, seeds)
                own = time.process_time() - own + sum(one.cpu_seconds_in_all for one in done)
                after, passed = conditions.cpu_times(), time.perf_counter() - at
            self._stretches.append(stretch(before, after, own, passed * self._subject.cores))
            standing.repeats.append(self._repeat(standing, done, number))
            standing.notes |= dict.fromkeys(note for one in done for note in one.notes)
        except ArmError as error:
            standing.ended = error
            self._watcher.noted(f"{arm.model}, {arm.name}: {error.state} ({error})")
        standing.visit_seconds = time.monotonic() - start

    def _repeat(self, standing: _Standing, done: Sequence[Done], number: int) -> Repeat:
        start, end = min(one.started_at for one in done), max(one.ended_at for one in done)
        rate = sum(3600 * one.trials / one.seconds for one in done)
        cores = self._subject.cores
        memory: float | None = sum(one.peak_memory_mib for one in done)
        power: float | None = None
        utilisation: float | None = sum(one.cpu_seconds / one.seconds for one in done) / cores
        if standing.arm.places[0] is None:
            standing.missing["joules_per_trial"] = _NO_ENERGY
        elif self._watch is not None:
            use = self._watch.use(start, end)
            power, utilisation, memory = use.power_w, use.utilisation, use.peak_memory_mib
            names = {"power_w": "joules_per_trial"}
            standing.missing |= {names.get(name, name): reason for name, reason in use.missing.items()}
        return Repeat(
            seed=_seed(number, 0), trials=sum(one.trials for one in done), seconds=max(one.seconds for one in done),
            trials_per_hour=rate, power_w=power, utilisation=utilisation, peak_memory_mib=memory,
        )  # fmt: skip

    def _arms_from_what_was_found(self) -> list[Arm]:
        cohorts = [one for one in self._standings if one.arm.model == "scoring-network" and one.arm.way == "cohort"]
        if not any(one.repeats for one in cohorts):
            return []
        best = max(cohorts, key=lambda one: one.median)
        near = [one for one in cohorts if one.median >= (1 - _NEAR) * best.median]
        members = min(one.arm.members for one in near)
        fits = []
        for count in (1, members):
            self._watcher.progress(f"the best batch size for {count}", *self._how_far(0, len(self._standings)))
            arm = Arm("scoring-network", "cohort", self._first_place, count)
            with contextlib.suppress(ArmError):  # then there is no such arm
                fits.append((count, best_batch(self._job(arm, 1), self._settings.workload.rows)))
        workload = self._settings.workload
        return second_arms(self._subject, workload.batch_size, members, fits)

    @property
    def _first_place(self) -> tuple[str | None]:
        return (self._subject.card or next(iter(self._subject.slices), None),)

    @property
    def _all_cores(self) -> int:
        return self._subject.cores if self._subject.device == "cpu" else 1

    def _job(self, arm: Arm, threads: int, place: str | None = None) -> Job:
        device = place or arm.places[0]
        environment = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        if device is not None:
            environment[PIPES] = self._subject.mps if arm.mps and self._subject.mps else _NO_MPS
        return Job(
            self._settings.workload, arm.model, arm.members, arm.batch_size, "cpu" if device is None else "cuda",
            threads, tuple(environment.items()), arm.memory_share,
        )  # fmt: skip

    def _start_seconds(self) -> float:
        """Of a process that is to train a network, from its start until it could. Raises DistmlError if it cannot."""
        start = time.perf_counter()
        code = _PYTHON.format(device=self._subject.device)
        job = self._job(Arm("scoring-network", "alone", self._first_place), 1)
        environment = {**os.environ, **dict(job.environment)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise DistmlError(
                f"torch cannot use the device that is to be measured: {last}\n"
                "  what to try: distml doctor; or measure the processor: distml bench --device cpu"
            )
        return time.perf_counter() - start

    def _say(self, what: str, number: int, place: int) -> None:
        self._watcher.progress(what, *self._how_far(number, place))

    def _how_far(self, number: int, place: int) -> tuple[float, float]:
        """(share done, seconds left)."""
        passed = time.monotonic() - self._began
        known = [one.visit_seconds for one in self._standings]
        guess = 2 * self._settings.repeat_seconds + 1.0
        added = 0 if self._second else 4  # arms that will come of what is found
        one_pass = sum(guess if seconds is None else seconds for seconds in known) + added * guess + 2 * guess
        rest = sum(guess if seconds is None else seconds for seconds in known[place:]) + added * guess
        left = rest + (self._settings.repeats - number - 1) * one_pass
        return passed / (passed + left) if passed + left else 1.0, left

    def arms(self) -> list[ArmRecord]:
        """What was found of each arm."""
        limit = figure([one.gflops for one in self._limits]).median if self._limits else None
        return [arm_record(one.arm, self._settings, one.repeats, one, limit) for one in self._standings]

    def ceilings(self) -> list[Ceiling]:
        """The machine's own limits, all passes together."""
        if not self._limits:
            return []
        products, copies = [one.gflops for one in self._limits], [one.gigabytes_per_second for one in self._limits]
        threads = f"{self._all_cores} thread{'s' * (self._all_cores != 1)}"
        by, where = self._limits[-1].product_by, f"{self._subject.device}, {threads}"
        precision = "TF32" if self._settings.workload.tf32 else "fp32"
        return [
            Ceiling(
                what="matrix product", unit="GFLOP/s", rate=figure(products), values=tuple(products),
                how=f"square matrices by {by}, {precision}, {where}",
            ),
            Ceiling(
                what="device copy", unit="GB/s", rate=figure(copies), values=tuple(copies),
                how=f"read and written, {where}",
            ),
        ]  # fmt: skip

    def start_seconds(self) -> Figure | None:
        """Of a process."""
        return figure(self._starts) if self._starts else None


def arm_record(
    arm: Arm, settings: Settings, repeats: Sequence[Repeat], standing: _Standing, limit: float | None
) -> ArmRecord:
    """An arm's row. limit: GFLOP/s of the machine's matrix product."""
    workload = settings.workload
    blank = ArmRecord(
        model=arm.model, way=arm.way, processes=arm.processes, members=arm.members, batch=arm.batch,
        batch_size=arm.batch_size if arm.model == "scoring-network" else None, name=arm.name, state="not run",
        reason="interrupted before it", notes=tuple(standing.notes),
    )  # fmt: skip
    if standing.ended is not None:
        return blank.model_copy(update={"state": standing.ended.state, "reason": str(standing.ended)})
    if not repeats:
        return blank
    rates = [one.trials_per_hour for one in repeats]
    samples = workload.rows * size(workload, arm.model)
    joules = [one.power_w * 3600 / one.trials_per_hour for one in repeats if one.power_w is not None]
    busy = [one.utilisation for one in repeats if one.utilisation is not None]
    memory = [one.peak_memory_mib for one in repeats if one.peak_memory_mib is not None]
    whole = len(repeats) == settings.repeats
    of_limit = None
    if limit and arm.model == "scoring-network":
        of_limit = figure(rates).median / 3600 * operations(workload) / (1e9 * limit)
    return blank.model_copy(
        update={
            "state": "measured",
            "reason": "" if whole else f"interrupted after {len(repeats)} of {settings.repeats} repeats",
            "repeats": tuple(repeats),
            "trials_per_hour": figure(rates),
            "samples_per_second": figure([rate / 3600 * samples for rate in rates]),
            "joules_per_trial": figure(joules) if len(joules) == len(repeats) else None,
            "utilisation": figure(busy) if len(busy) == len(repeats) else None,
            "peak_memory_mib": max(memory, default=None),
            "of_matrix_rate": of_limit,
            "missing": {name: reason for name, reason in standing.missing.items() if reason},
        }
    )


def stretch(before: CpuTimes, after: CpuTimes, own: float, available: float) -> Stretch:
    """What the processor did between two moments. own: seconds of the bench's processes; available: cores times time.

    >>> stretch(CpuTimes(10.0, 0.0), CpuTimes(14.0, 0.5), own=3.0, available=4.0)
    Stretch(available=4.0, others=1.0, stolen=0.5)
    """
    return Stretch(available, max(0.0, after.busy - before.busy - own), after.stolen - before.stolen)


def _seed(repeat: int, process: int) -> int:
    """No two processes or repeats train the same trials."""
    return 1_000_000 * (repeat + 1) + 10_000 * process


@contextlib.contextmanager
def _benching(subject: Subject, inventory: Inventory, settings: Settings, watcher: Watcher) -> Iterator[Bench]:
    bench = Bench(subject, inventory, settings, watcher)
    try:
        yield bench
    finally:
        bench.close()


def measure(
    described: Machine,
    subject: Subject,
    inventory: Inventory,
    settings: Settings,
    watcher: Watcher,
    *,
    command: str,
    sweeps: Sequence[str] = (),
) -> Measured:
    """Measure a machine.

    Args:
        described: the machine as its record names it.
        command: how the bench was called, for the record.
        sweeps: those that run at the same time.
    """
    began, at, heat = time.monotonic(), datetime.now(UTC), machine.throttle_count()
    with _benching(subject, inventory, settings, watcher) as bench:
        for mark in conditions.busy_card(bench.before) if bench.before else ():
            watcher.noted(mark)
        complete = bench.run()
        hotter = None if heat is None else (machine.throttle_count() or 0) - heat
        marks = conditions.marks(described, bench.before, bench.stretches, bench.slowed_by, hotter, sweeps)
        return Measured(
            made=Made(
                date=at.isoformat(timespec="seconds"), command=command, distml=distml.__version__,
                git=git_revision(Path(__file__).parent), seconds=round(time.monotonic() - began, 1),
                repeats=settings.repeats, quick=settings.quick, complete=complete,
            ),
            workload=settings.workload,
            machine=described,
            marks=(*marks, *(() if complete else ("interrupted: not every arm has all its repeats",))),
            ceilings=tuple(bench.ceilings()),
            start_seconds=bench.start_seconds(),
            arms=tuple(bench.arms()),
        )  # fmt: skip
