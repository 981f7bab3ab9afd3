"""The processes of one arm: started, told to train at once, ended. What becomes of one becomes of its arm."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

from distml.bench.ceilings import Limits
from distml.bench.worker import Broken, Done, Job, Order, Ready, measure_ceilings, probe, train

_PRELOADED = ["distml.bench.worker", "distml.training.chain", "distml.training.estimators", "distml.models.forests"]
_PATIENCE_SECONDS = 900.0  # that a process may say nothing
_KILLED = -int(signal.SIGKILL)


class ArmError(Exception):
    """An arm that gave no figure; its state and why."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state, self.reason = state, reason


class Crew:
    """The processes of one arm, warm and waiting."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        """Raises ArmError where one of them does not come to be ready."""
        self._finished = _context().Value("i", 0)
        self._members = _start(train, jobs, self._finished)
        try:
            self.ready: list[Ready] = _answers(self._members)
        except BaseException:
            self.end()
            raise

    def repeat(self, rounds: int, seeds: Sequence[int]) -> list[Done]:
        """Train so many cohorts in every process at once, each with its own seed. Raises ArmError."""
        self._finished.value = 0
        for (_, pipe), seed in zip(self._members, seeds, strict=True):
            pipe.send(Order(seed, rounds, len(self._members)))
        return _answers(self._members)

    def end(self) -> None:
        """End the processes, whatever they do; what they hold of a device is free afterwards."""
        _end(self._members)
        self._members = []

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def best_batch(job: Job, most: int) -> int:
    """The batch size, up to `most`, beyond which samples a second hardly rise. Raises ArmError."""
    return _ask(probe, [job], most)[0]


def limits(jobs: Sequence[Job]) -> Limits:
    """The machine's own limits: the sum of those that all slots have at once. Raises ArmError."""
    found: list[Limits] = _ask(measure_ceilings, jobs)
    return Limits(sum(one.gflops for one in found), found[0].product_by, sum(one.gigabytes_per_second for one in found))


def _ask(task: Callable[..., None], jobs: Sequence[Job], *arguments: Any) -> list[Any]:
    """The answer of one process for each job, all at once."""
    members = _start(task, jobs, *arguments)
    try:
        return _answers(members)
    finally:
        _end(members)


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _start(task: Callable[..., None], jobs: Sequence[Job], *arguments: Any) -> list[tuple[Any, Connection]]:
    """A process for each job, and the pipe to it. Ctrl-C meanwhile ends those that were started."""
    context = _context()
    with _ignored_ctrl_c():  # inherited by the server, and from it by every process
        forkserver.ensure_running()
    members: list[tuple[Any, Connection]] = []
    try:
        for job in jobs:
            with _late_ctrl_c():  # else it might come to a process that nobody knows of yet
                ours, theirs = context.Pipe()
                with theirs:
                    process = context.Process(target=task, args=(job, theirs, *arguments), daemon=True)
                    members.append((process, ours))
                    process.start()
    except BaseException:
        _end(members)
        raise
    return members


def _end(members: Sequence[tuple[Any, Connection]]) -> None:
    for process, pipe in members:
        pipe.close()
        if process.pid is not None:  # it was started
            process.kill()
    for process, _ in members:
        if process.pid is not None:
            process.join()
        process.close()


def _answers(members: Sequence[tuple[Any, Connection]]) -> list[Any]:
    """One answer of each, in their order. Raises ArmError for the first that breaks, dies or says nothing."""
    answers: dict[int, Any] = {}
    while len(answers) < len(members):
        waited = {pipe: number for number, (_, pipe) in enumerate(members) if number not in answers}
        ready = wait(list(waited), _PATIENCE_SECONDS)
        if not ready:
            raise ArmError("failed", f"a process did not answer for {_PATIENCE_SECONDS / 60:.0f} min")
        for pipe in ready:
            assert isinstance(pipe, Connection)
            number = waited[pipe]
            try:
                answer = pipe.recv()
            except (EOFError, ConnectionResetError):
                raise _death(members[number][0]) from None
            if isinstance(answer, Broken):
                raise ArmError(answer.state, answer.reason)
            answers[number] = answer
    return [answers[number] for number in range(len(members))]


def _death(process: Any) -> ArmError:
    process.join()
    if process.exitcode == _KILLED:
        return ArmError("out of memory", "the system killed a process, as it does where memory runs out")
    return ArmError("failed", f"a process ended with exit status {process.exitcode}")


@contextlib.contextmanager
def _ignored_ctrl_c() -> Iterator[None]:
    with _on_ctrl_c(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _late_ctrl_c() -> Iterator[None]:
    """Put Ctrl-C off to the end."""
    came: list[None] = []
    with _on_ctrl_c(lambda *_: came.append(None)):
        yield
    if came:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _on_ctrl_c(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
