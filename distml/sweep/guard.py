"""One driver a sweep, on any file system: no file locks, no clocks compared between machines.

Drivers leave numbered files, driver.1.json, driver.2.json, ...; the highest number holds the sweep. Whoever finds that
one gone creates the next number, which the file system lets only one process do (O_EXCL), and removes the lower ones.
A number is never used twice, so a slow process cannot take over what has changed hands meanwhile; and a driver that was
taken for dead (asleep, cut off) finds its file removed and knows that it must not write any more.
"""

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from distml.errors import DistmlError

HEARTBEAT_SECONDS = 2.0
SILENCE_SECONDS = 10.0  # without a heartbeat, as long as we watch, before a driver elsewhere counts as gone


class SweepHeldError(DistmlError):
    """Another driver runs this sweep."""


@dataclass(frozen=True)
class Driver:
    """The process that runs a sweep, or did last."""

    host: str
    pid: int
    process_started: float  # seconds after boot; tells a process from a later one with the same pid
    scope: str  # where that pid means something: this boot of this machine, this container
    started_at: float  # unix seconds
    released: bool = False  # it ended by itself

    @property
    def is_here(self) -> bool:
        """Whether its pid can be looked up from this process."""
        return self.scope == _scope()

    @property
    def is_alive_here(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(_started(process) - self.process_started) < 2.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started_at))
        return f"process {self.pid} on {self.host}, started {started}"


class Guard:
    """Holds a run's folder for this process while the context lasts.

    Raises:
        SweepHeldError: on entering, when another driver holds it.
    """

    def __init__(self, folder: Path, heartbeat: float = HEARTBEAT_SECONDS, silence: float = SILENCE_SECONDS) -> None:
        """heartbeat, silence: seconds; the same for all drivers of a folder."""
        self._folder = folder
        self._heartbeat = heartbeat
        self._silence = silence
        self._ended = threading.Event()
        self._file: Path | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        while self._file is None:
            number, holder = _last(self._folder)
            if number and _holds(_file(self._folder, number), holder, self._silence):
                raise SweepHeldError(
                    f"{self._folder.name} is being run by {holder or 'another driver'}. "
                    f"Watch it with: distml status {self._folder.name}   end it with: distml stop {self._folder.name}"
                )
            self._file = self._claim(number + 1)
        self._thread = threading.Thread(target=self._beat, name="distml-heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None and self._thread is not None
        self._ended.set()
        self._thread.join()
        if self._file.exists():
            temporary = self._file.with_suffix(".tmp")
            with contextlib.suppress(OSError):  # a full disk: that this process is gone tells the same
                temporary.write_text(json.dumps(_myself() | {"released": True}))
                temporary.replace(self._file)

    def confirm(self) -> None:
        """Raise SweepHeldError if the sweep has been taken over; to be called before every write."""
        if self._file is None or not self._file.exists():
            raise SweepHeldError(
                f"{self._folder.name} was taken over by another driver while this one was not heard of; this one stops"
            )

    def _claim(self, number: int) -> Path | None:
        """Try to become the holder with this number; None when someone else was faster."""
        file = _file(self._folder, number)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return None
        with os.fdopen(descriptor, "w") as opened:
            opened.write(json.dumps(_myself()))
        if max(_numbers(self._folder)) > number:  # ours was a number that had been given and removed before
            file.unlink()
            return None
        for lower in _numbers(self._folder):
            if lower < number:
                _file(self._folder, lower).unlink(missing_ok=True)
        return file

    def _beat(self) -> None:
        assert self._file is not None
        while not self._ended.wait(self._heartbeat):
            with contextlib.suppress(OSError):  # a server that is away for a moment; removed: confirm() tells
                os.utime(self._file)


def driver_of(folder: Path) -> Driver | None:
    """Who runs the sweep in this folder, as far as that can be seen at once; None for nobody.

    A driver on another machine is believed in for a minute after its last heartbeat.
    """
    number, driver = _last(folder)
    if driver is None or driver.released:
        return None
    if driver.is_here:
        return driver if driver.is_alive_here else None
    return driver if time.time() - (_heartbeat_of(_file(folder, number)) or 0.0) < 60 else None


def _holds(file: Path, driver: Driver | None, silence: float) -> bool:
    """Whether the driver that left this file is still there; takes `silence` seconds where that must be watched."""
    if driver is not None and driver.released:
        return False
    if driver is not None and driver.is_here:
        return driver.is_alive_here
    return _changes_within(silence, lambda: _heartbeat_of(file))


def _changes_within(seconds: float, look: Callable[[], Any]) -> bool:
    first, end = look(), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.5, seconds / 20))
        if look() != first:
            return True
    return False


def _heartbeat_of(file: Path) -> float | None:
    """The file's time of change as the server has it: opening a file renews what an NFS client remembers of it."""
    try:
        with file.open("rb") as opened:
            return os.fstat(opened.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _last(folder: Path) -> tuple[int, Driver | None]:
    """The highest number, 0 for none, and who left it; None while that one is still being written."""
    number = max(_numbers(folder), default=0)
    try:
        return number, Driver(**json.loads(_file(folder, number).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return number, None


def _numbers(folder: Path) -> list[int]:
    names = (re.fullmatch(r"driver\.(\d+)\.json", path.name) for path in folder.iterdir())
    return [int(name[1]) for name in names if name]


def _file(folder: Path, number: int) -> Path:
    return folder / f"driver.{number}.json"


def _myself() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "host": socket.gethostname(),
        "pid": process.pid,
        "process_started": _started(process),
        "scope": _scope(),
        "started_at": time.time(),
    }


def _started(process: psutil.Process) -> float:
    """Seconds after boot: the clock may be set, and the time of boot with it, while a driver runs."""
    return process.create_time() - psutil.boot_time()


def _scope() -> str:
    """Names the space in which a pid is unique: a machine's boot and, on Linux, a container's own pids."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # other systems have neither
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return " ".join(parts)
