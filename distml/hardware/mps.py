"""NVIDIA's Multi-Process Service: processes that share a card compute at the same time; without it they take turns.

A control daemon of the user's own, reached through a folder of its own, for the cards it was started with.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from distml.errors import DistmlError

CONTROL = "nvidia-cuda-mps-control"
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
_LOGS = "CUDA_MPS_LOG_DIRECTORY"
_WITHOUT = "start without --mps: processes on one card take turns then"
_ANSWER_SECONDS = 30.0  # of the daemon; it may have to load the driver
_SERVER_SECONDS = 20.0
_QUIT_SECONDS = 15.0
_LONGEST_SOCKET = 107  # bytes of a path


@dataclass(frozen=True)
class Daemon:
    """One control daemon and the cards that are its own."""

    uuids: tuple[str, ...]
    folder: Path

    @property
    def pipes(self) -> Path:
        """Where it listens."""
        return self.folder / "pipe"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with; by UUID, so that its clients' own variable means the same."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.uuids), PIPES: str(self.pipes), _LOGS: str(self.logs)}

    @property
    def arguments(self) -> tuple[str, ...]:
        return (CONTROL, "-d")

    @property
    def process(self) -> psutil.Process | None:
        """None: it is not there."""
        return _process_at(self.pipes)


def daemon_for(name: str, uuids: tuple[str, ...]) -> Daemon:
    """The user's own daemon of that name on this machine. Not in the home folder, which machines may share."""
    return Daemon(uuids, Path(tempfile.gettempdir()) / f"distml-mps-{os.getuid()}" / name)


def serves(pipes: Path, card: str) -> bool:
    """Whether a daemon of this user or of the system listens there, has that card (UUID), and answers."""
    process = _process_at(pipes)
    try:
        if process is None or process.uids().real not in (os.getuid(), 0):
            return False
        visible = process.environ().get("CUDA_VISIBLE_DEVICES", "")
    except psutil.AccessDenied:  # the system's: of its cards nothing is known
        visible = ""
    except psutil.Error:
        return False
    named = [name for name in visible.split(",") if name.startswith("GPU-")]
    if named and not any(card.startswith(name) for name in named):
        return False
    return _run({PIPES: str(pipes)}, (CONTROL,), "get_server_list\n").returncode == 0


def client_limits(share: float, slot_mib: int | None) -> dict[str, str]:
    """What a process that has a share of a card is told before it uses CUDA: MPS holds it to that.

    Args:
        share: of the card, above 0 and below 1.
        slot_mib: of its memory; None: not known.

    >>> client_limits(0.25, 6144)
    {'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE': '25', 'CUDA_MPS_PINNED_DEVICE_MEM_LIMIT': '0=6144M'}
    """
    limits = {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": f"{max(1, round(100 * share))}"}
    return limits if slot_mib is None else {**limits, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": f"0={slot_mib}M"}


def check() -> None:
    """Raise DistmlError where there is no MPS here."""
    if shutil.which(CONTROL) is None:
        raise DistmlError(f"--mps: there is no {CONTROL} here, which comes with NVIDIA's driver for Linux; {_WITHOUT}")


def start(daemon: Daemon) -> psutil.Process:
    """Start it, and one server, so that a driver which refuses says so now and not to the first trial.

    Raises:
        DistmlError: what the daemon or the driver said.
    """
    stop(daemon)  # one that an earlier start left behind
    _make_private(daemon)
    try:
        done = _run(daemon.environment, daemon.arguments)
        if done.returncode:
            raise DistmlError(f"--mps: {CONTROL} does not start: {_last_line(done.stderr or done.stdout)}; {_WITHOUT}")
        latest = time.monotonic() + _SERVER_SECONDS
        asked = False
        while (process := daemon.process) is None or not _ask(daemon, "get_server_list").split():
            if process is not None and not asked:
                _ask(daemon, f"start_server -uid {os.getuid()}")
                asked = True
            if time.monotonic() > latest or _refused(daemon):
                raise DistmlError(f"--mps: the driver starts no MPS server: {_last_line(_refused(daemon))}; {_WITHOUT}")
            time.sleep(0.1)
        return process
    except BaseException:
        stop(daemon)
        raise


def stop(daemon: Daemon) -> None:
    """Ask it to quit; end it where it does not. Its clients must have ended before."""
    process = daemon.process
    if process is not None:
        _ask(daemon, "quit")
        try:
            process.wait(_QUIT_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
    shutil.rmtree(daemon.folder, ignore_errors=True)


def _refused(daemon: Daemon) -> str:
    """What the logs say of a server that failed; empty as long as none has."""
    said = "\n".join(_read(daemon.logs / name) for name in ("control.log", "server.log"))
    return said if re.search(r"fail|error", said, re.IGNORECASE) else ""


def _make_private(daemon: Daemon) -> None:
    """Its folders, which nobody else can enter: who reaches the pipes runs work on the cards."""
    if len(os.fsencode(daemon.pipes)) + len("/control_privileged") > _LONGEST_SOCKET:
        raise DistmlError(f"--mps: the path {daemon.pipes} is too long for sockets; set TMPDIR to a shorter one")
    top = daemon.folder.parent
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = top.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DistmlError(f"--mps: {top} is not a folder of yours alone; remove it, or set TMPDIR to another")
    for folder in (daemon.folder, daemon.pipes, daemon.logs):
        folder.mkdir(mode=0o700, exist_ok=True)


def _ask(daemon: Daemon, command: str) -> str:
    """What the daemon answers; nothing where it is not there."""
    return _run(daemon.environment, (CONTROL,), command + "\n").stdout


def _process_at(pipes: Path) -> psutil.Process | None:
    """By the number that a daemon wrote down itself."""
    try:
        process = psutil.Process(int((pipes / f"{CONTROL}.pid").read_text()))
        return process if CONTROL in " ".join(process.cmdline()) else None  # numbers come again
    except (OSError, ValueError, psutil.Error):
        return None


def _run(more: Mapping[str, str], command: tuple[str, ...], said: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **more}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:  # a daemon may keep a pipe open
        try:
            done = subprocess.run(
                command, input=said, env=environment, stdout=out, stderr=err, text=True, timeout=_ANSWER_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"
