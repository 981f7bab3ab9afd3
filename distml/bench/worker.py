"""A process of an arm: it trains its share of the trials whenever it is told to, and says how long that took.

It is forked from a server that has imported all this once, so that an arm may have fresh processes for each repeat.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from distml.bench import ceilings
from distml.bench.record import Model, Workload
from distml.bench.workload import assignment, members, size
from distml.training.cohort import Cohort, Member
from distml.training.stacked import StackedCohort
from distml.training.start import start_cohort
from distml.training.usage import is_out_of_memory, peak_memory_mib

_PROBE_STEPS, _PROBE_WARM_UP = 8, 2
_GAIN = 1.1  # a batch twice as large must raise samples a second by this much to be worth it
_PART = 1  # epochs or trees of warming up, and of what keeps a process busy until all are done


@dataclass(frozen=True)
class Job:
    """What a process is for."""

    workload: Workload
    model: Model
    members: int
    batch_size: int | None
    device: str  # 'cpu' or 'cuda'
    threads: int
    environment: tuple[tuple[str, str], ...] = ()  # set before the device is first touched
    memory_share: float | None = None


@dataclass(frozen=True)
class Ready:
    """It has trained once to warm up."""

    pid: int
    round_seconds: float  # of one cohort from its start to its scores, estimated
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """Train so many cohorts one after another, then go on until `processes` are done."""

    seed: int
    rounds: int
    processes: int


@dataclass(frozen=True)
class Done:
    """What a process did of an order; the time after its own trials, spent keeping the machine busy, is left out."""

    trials: int
    seconds: float
    cpu_seconds: float
    cpu_seconds_in_all: float  # the time after its own trials included
    started_at: float  # Unix seconds
    ended_at: float
    peak_memory_mib: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """It cannot go on."""

    state: str  # 'out of memory' or 'failed'
    reason: str


def train(job: Job, pipe: Connection, finished: Any) -> None:
    """Serve orders until None comes, or nobody is left to give them. finished: how many processes are done."""
    _serve(lambda: _train(job, pipe, finished), pipe, job)


def probe(job: Job, pipe: Connection, most: int) -> None:
    """Send the batch size, from the job's own up to `most`, beyond which samples a second hardly rise."""
    _serve(lambda: pipe.send(_best_batch(job, most)), pipe, job)


def measure_ceilings(job: Job, pipe: Connection) -> None:
    """Send the machine's own limits."""
    _serve(lambda: pipe.send(ceilings.measure(job.device, job.threads)), pipe, job)


def _serve(body: Callable[[], None], pipe: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives orders
    os.environ.update(job.environment)
    try:
        _prepare_device(job)
        body()
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # whatever it is, it becomes a row of the record
        words = (str(error).strip().splitlines() or [""])[0]
        state = "out of memory" if is_out_of_memory(error) else "failed"
        pipe.send(Broken(state, words if state == "out of memory" else f"{type(error).__name__}: {words}"))


def _prepare_device(job: Job) -> None:
    torch.set_num_threads(job.threads)
    torch.set_float32_matmul_precision("high" if job.workload.tf32 else "highest")
    if job.device == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # of torch
        if job.memory_share is not None:
            torch.cuda.set_per_process_memory_fraction(job.memory_share)


class _Trainee:
    """Trains cohorts of a job one after another."""

    def __init__(self, job: Job) -> None:
        self._job = job
        given = assignment(job.workload, job.model, job.device, job.threads)
        typical = members(job.workload, job.model, 1, job.batch_size, 0)[0].params
        self._cohort: Cohort = start_cohort(given, typical)[0]
        self.parts = size(job.workload, job.model) / _PART

    @property
    def notes(self) -> tuple[str, ...]:
        """What changed on the way, like fewer networks at a time where memory ran out."""
        return tuple(getattr(self._cohort, "notes", ())[1:])

    def cohort(self, seed: int, only_a_part: bool = False) -> int:
        """Make, train and score one cohort; how many trials those were."""
        job = self._job
        chosen = members(job.workload, job.model, job.members, job.batch_size, seed)
        if only_a_part:
            chosen = [Member(one.trial, one.params, one.seed, (_PART,)) for one in chosen]
        self._cohort.admit(chosen)
        results = self._cohort.advance()
        self._cohort.release([one.trial for one in chosen])
        for result in results:
            if result.failure is not None:
                if result.failure.kind == "memory":
                    raise MemoryError(result.failure.error)
                raise RuntimeError(f"a trial failed: {result.failure.error}")
        return len(chosen)


def _train(job: Job, pipe: Connection, finished: Any) -> None:
    trainee = _Trainee(job)
    for seed in range(2):  # the first pays for what is done once: caches, kernels, pages of memory
        start = time.perf_counter()
        trainee.cohort(seed, only_a_part=True)
        seconds = time.perf_counter() - start
    pipe.send(Ready(os.getpid(), seconds * trainee.parts, trainee.notes))
    while (order := pipe.recv()) is not None:
        pipe.send(_repeat(job, trainee, order, finished))


def _repeat(job: Job, trainee: _Trainee, order: Order, finished: Any) -> Done:
    started_at, start, cpu = time.time(), time.perf_counter(), time.process_time()
    trials = sum(trainee.cohort(order.seed + number) for number in range(order.rounds))
    seconds = time.perf_counter() - start
    ended_at, cpu_seconds = time.time(), time.process_time() - cpu
    with finished.get_lock():
        finished.value += 1
    while finished.value < order.processes:
        trainee.cohort(order.seed, only_a_part=True)
    return Done(
        trials, seconds, cpu_seconds, time.process_time() - cpu, started_at, ended_at,
        peak_memory_mib(torch.device(job.device)), trainee.notes,
    )  # fmt: skip


def _best_batch(job: Job, most: int) -> int:
    batch = job.workload.batch_size
    rate = _samples_per_second(job, batch)
    while 2 * batch <= most:
        try:
            doubled = _samples_per_second(job, 2 * batch)
        except Exception as error:
            if is_out_of_memory(error):
                break
            raise
        if doubled < _GAIN * rate:
            break
        batch, rate = 2 * batch, doubled
    return batch


def _samples_per_second(job: Job, batch: int) -> float:
    chosen = members(job.workload, job.model, job.members, batch, 0)
    cohort = StackedCohort(assignment(job.workload, job.model, job.device, job.threads), chosen[0].params)
    cohort.admit(chosen[:1])
    return batch / cohort.seconds_per_step(job.members, _PROBE_STEPS, _PROBE_WARM_UP)
