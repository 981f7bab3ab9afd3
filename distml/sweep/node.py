"""`distml node start` and `stop`: this machine as a part of a cluster, one raylet for each class of device."""

import contextlib
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from distml.errors import DistmlError, Mistake, MistakesError
from distml.hardware import mps
from distml.hardware.devices import device_classes, list_devices
from distml.hardware.parts import Part, narrowed, parts_of
from distml.hardware.processors import usable_cores, usable_memory
from distml.sweep.cluster import NODE_VARIABLE, class_of, is_slice, labels_of
from distml.sweep.mismatch import version_mismatch
from distml.sweep.reach import check_reached
from distml.training.processor import openblas_environment

LOOPBACK = "127.0.0.1"
PORT = 6379
_MOST_PORTS = 65535
DASHBOARD_PORT = 8265
_LOOPBACKS = (LOOPBACK, "localhost")
_WORKER_PORTS = (10_002, 19_999)  # Ray's own; raylets of one machine share them out, and firewalls know them
_AGENT_PORT = 52_365  # Ray's own, for the first raylet of a machine; one that finds it taken would take no jobs
_STORE_SHARE = 0.3  # of the memory, for Ray's shared tables
_LEAST_STORE = 80 * 2**20  # bytes; Ray refuses less
_START_SECONDS = 90.0
_STOP_SECONDS = 40.0  # Ray itself gives its processes 30
_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that asked for no GPU sees none
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",  # else a process for each core, of which a sweep may need few
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
# Ray's own processes replace a loopback address by one that the network reaches, at which nobody listens then. This
# says that a cluster is of one machine, as Ray means it for other systems; joining is left to distml.sweep.ray_command.
_STAY_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True)
class Request:
    """What is to be started. address: the head's, 'HOST:PORT'; None: this is the head."""

    name: str = field(default_factory=platform.node)
    address: str | None = None
    host: str = LOOPBACK  # this machine's address, at which it listens and others reach it
    port: int = PORT  # of a head
    dashboard_host: str = LOOPBACK
    dashboard_port: int = DASHBOARD_PORT
    mps: bool = False  # processes that share a whole card compute at the same time


@dataclass(frozen=True)
class Command:
    """The start of a raylet, or of an MPS daemon."""

    part: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        """As a shell takes it."""
        return shlex.join(["env", *(f"{key}={value}" for key, value in self.environment.items()), *self.arguments])


@dataclass(frozen=True)
class Started:
    """One raylet that was started here: the process that keeps it, and when that began, since numbers come again."""

    part: str
    pid: int
    created: float
    log: str
    mps: str = ""  # of an MPS daemon, the folder that is its own

    @property
    def process(self) -> psutil.Process | None:
        """None: it has ended."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def check(request: Request) -> None:
    """Raise MistakesError for what cannot be an address or a name."""
    mistakes = []
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", request.name):
        mistakes.append(Mistake("--name", f"{request.name!r} is not a name: letters, digits, -, _ and ., at most 63"))
    for option, port in (("--port", request.port), ("--dashboard-port", request.dashboard_port)):
        if not 0 <= port <= _MOST_PORTS:
            mistakes.append(Mistake(option, f"{port} is no port: 1 to {_MOST_PORTS}"))
    if request.address is not None and not _is_address(request.address):
        mistakes.append(Mistake("--address", f"{request.address!r} is not HOST:PORT, like 10.0.0.5:{PORT}"))
    elif request.address is not None and (_host_of(request.address) in _LOOPBACKS) != (request.host in _LOOPBACKS):
        if request.host in _LOOPBACKS:
            what = f"give this machine's own address, at which {_host_of(request.address)} reaches it: --host ADDRESS"
        else:
            what = f"{request.host}: a head on {request.address} is reached from its own machine alone"
        mistakes.append(Mistake("--host", what))
    if mistakes:
        raise MistakesError("node start", mistakes)


def parts_here(cpus: int | None) -> tuple[Part, ...]:
    """This machine in parts; cpus: how many of its cores, None for all that are usable. Raises DistmlError."""
    inventory = list_devices()
    if inventory.faults and not inventory.devices:
        raise DistmlError(f"{inventory.faults[0]}; see: distml doctor")
    classes = narrowed(device_classes(inventory), inventory, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return parts_of(classes, cpus or usable_cores())


def daemons(request: Request, parts: Sequence[Part]) -> dict[str, mps.Daemon]:
    """Class of device -> its MPS daemon: one for each class of whole cards, since slices are kept apart by the card.

    Raises:
        DistmlError: they are asked for, and there is no whole card.
    """
    if not request.mps:
        return {}
    whole = [part for part in parts if part.devices is not None and not is_slice(part.devices)]
    if not whole:
        there = (
            "only MIG slices, which the card itself keeps apart" if any(part.devices for part in parts) else "no GPU"
        )
        raise DistmlError(f"--mps: {there} on this machine; start without --mps")
    return {class_of(part): mps.daemon_for(f"{request.name}-{class_of(part)}", part.uuids) for part in whole}


def daemon_commands(request: Request, parts: Sequence[Part]) -> list[str]:
    """What starts the MPS daemons, as a shell takes it."""
    found = []
    for daemon in daemons(request, parts).values():
        private = (daemon.folder.parent, daemon.folder, daemon.pipes, daemon.logs)
        found.append(shlex.join(["install", "-d", "-m", "700", *map(str, private)]))
        found.append(str(Command("", daemon.environment, daemon.arguments)))
    return found


def commands(request: Request, parts: Sequence[Part], memory: int) -> list[Command]:
    """What starts each part, a head's first. memory: bytes of this machine that Ray may use.

    The first part's raylet is the head itself; the others join it.
    """
    found = []
    served = daemons(request, parts)
    for number, part in enumerate(parts):
        joins = request.address or (f"{request.host}:{request.port}" if number else None)
        found.append(
            Command(
                class_of(part),
                _environment(request, part, served.get(class_of(part))),
                _arguments(request, parts, number, joins, memory),
            )
        )
    return found


def _environment(request: Request, part: Part, daemon: mps.Daemon | None) -> dict[str, str]:
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(part.uuids)}
    if daemon is not None:
        visible[mps.PIPES] = str(daemon.pipes)
    local = _STAY_ON_LOOPBACK if request.host in _LOOPBACKS else {}
    return {**visible, NODE_VARIABLE: request.name, **_SETTINGS, **local, **openblas_environment()}


def _arguments(request: Request, parts: Sequence[Part], number: int, joins: str | None, memory: int) -> tuple[str, ...]:
    part = parts[number]
    local = request.host in _LOOPBACKS
    labels = ",".join(f"{key}={value}" for key, value in labels_of(request.name, part).items())
    if joins is None:
        role = ["--head", f"--port={request.port}", f"--dashboard-host={request.dashboard_host}",
                f"--dashboard-port={request.dashboard_port}"]  # fmt: skip
    else:
        role = [f"--address={joins}"]
    store = max(_LEAST_STORE, int(_STORE_SHARE * memory) // len(parts))
    first, last = _worker_ports(number, len(parts), local)
    return (
        sys.executable, "-m", "distml.sweep.ray_command", "start", *role,
        f"--node-ip-address={request.host}", f"--node-name={request.name}/{class_of(part)}",
        f"--num-cpus={part.cores}", f"--num-gpus={len(part.uuids)}",
        f"--resources={json.dumps({class_of(part): len(part.uuids) or part.cores})}", f"--labels={labels}",
        f"--memory={max(memory // len(parts) - store, store)}", f"--object-store-memory={store}",
        f"--min-worker-port={first}", f"--max-worker-port={last}",
        f"--dashboard-agent-listen-port={0 if local else _AGENT_PORT + number}", "--disable-usage-stats", "--block",
    )  # fmt: skip


def _worker_ports(number: int, parts: int, local: bool) -> tuple[int, int]:
    """Ports of a raylet's processes: on loopback any that is free, since several stand-ins of machines may share it."""
    if local:
        return 0, 0
    first, last = _WORKER_PORTS
    each = (last - first + 1) // parts
    return first + number * each, first + (number + 1) * each - 1


def start(request: Request, parts: Sequence[Part]) -> list[Started]:
    """Start all parts and wait until they are up; ends them again where one does not come up.

    Raises:
        DistmlError: this node runs already or is being started, there is no token to join with, the driver has no MPS,
            or Ray says why it does not start.
    """
    state = _State(request.name)
    with state.held():
        return _start(request, parts, state)


def _start(request: Request, parts: Sequence[Part], state: "_State") -> list[Started]:
    running = [one for one in state.read() if one.process is not None]
    if running:
        raise DistmlError(f"{request.name} runs already, process {running[0].pid}; end it with: {_stop(request.name)}")
    if request.mps:
        daemons(request, parts)
        mps.check()
    _ensure_token(request)
    if request.address is not None:
        check_reached(request.address)
    serving: list[Started] = []
    started: list[Started] = []
    starting: deque[tuple[Started, subprocess.Popen[bytes]]] = deque()
    at_once = max(1, usable_cores() // 2)  # Ray gives a raylet 30 s to be up, whoever else is starting
    try:
        for kind, daemon in daemons(request, parts).items():
            serving.append(_serve(kind, daemon))
            state.write(serving)
        for command in commands(request, parts, memory_here()):
            if len(starting) >= at_once or len(started) == 1:  # the first is a head, which the others join
                _wait_until_up(*starting.popleft())
            starting.append(_launch(command, state.folder / f"{request.name}-{command.part}.log"))
            started.append(starting[-1][0])
            state.write([*started, *serving])  # before it is up: `node stop` must find what a Ctrl-C leaves behind
        for one in starting:
            _wait_until_up(*one)
    except BaseException:
        _end([*started, *serving])
        state.forget()
        raise
    return [*started, *serving]


def said(request: Request, parts: Sequence[Part]) -> list[str]:
    """What a user should know of a node that is up."""
    lines = [f"{request.name}   {', '.join(_words(part) for part in parts)}"]
    if request.mps:
        lines.append(f"mps         processes that share a card compute together: {', '.join(daemons(request, parts))}")
    if request.address is None:
        head = f"{request.host}:{request.port}"
        local = request.host in _LOOPBACKS
        lines += [
            f"dashboard   http://{request.dashboard_host}:{request.dashboard_port}",
            f"join        distml node start --address {head}" + ("" if local else " --host ADDRESS"),
            f"sweep       distml sweep FILE --address {head}",
        ]
    return [*lines, f"end         {_stop(request.name)}"]


def _words(part: Part) -> str:
    cores = f"{part.cores} CPU{'s' * (part.cores != 1)}"
    return f"{len(part.uuids)} x {class_of(part)} with {cores}" if part.devices else f"{cores} for what needs no GPU"


def stop(name: str) -> list[Started]:
    """End what `start` started under this name, and nothing else; what had not ended by itself before."""
    state = _State(name)
    known = state.read()
    running = [one for one in known if one.process is not None]
    _end(known)
    state.forget()
    return running


def watch(started: Sequence[Started]) -> None:
    """Return when one of them ends."""
    while all(one.process is not None for one in started):
        time.sleep(1)


def memory_here() -> int:
    """Bytes of this machine's memory that Ray's shared tables and trials may take."""
    memory = usable_memory()
    shared = shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else memory
    return min(memory, int(shared / _STORE_SHARE * 0.9))


def _serve(kind: str, daemon: mps.Daemon) -> Started:
    process = mps.start(daemon)
    log = str(daemon.logs / "control.log")
    return Started(f"MPS of {kind}", process.pid, process.create_time(), log, str(daemon.folder))


def _launch(command: Command, log: Path) -> tuple[Started, subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.arguments, env={**os.environ, **command.environment}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return Started(command.part, process.pid, psutil.Process(process.pid).create_time(), str(log)), process


def _wait_until_up(one: Started, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        said = Path(one.log).read_text(errors="replace")
        if "Ray runtime started" in said:
            return
        if process.poll() is not None:
            raise DistmlError(f"Ray did not start for {one.part}: {_cause(said)}\n  all it said: {one.log}")
        time.sleep(0.1)
    raise DistmlError(f"Ray was not up for {one.part} after {_START_SECONDS:.0f} s\n  what it said: {one.log}")


def _cause(said: str) -> str:
    """What Ray says of versions, else the last line of an exception or of its complaint."""
    mismatch = version_mismatch(said)
    if mismatch is not None:
        return mismatch
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or lines or ["it said nothing"])[-1]


def _end(started: Sequence[Started]) -> None:
    """Ask them to end, those that joined before the first, which may be a head; kill those that do not. MPS daemons
    come last, when their clients have gone."""
    raylets = [one for one in started if not one.mps]
    for some in (raylets[1:], raylets[:1]):
        processes = [process for one in some if (process := one.process) is not None]
        below = [child for process in processes for child in _below(process)]
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
        _, below_alive = psutil.wait_procs(below, timeout=5)
        for left in (*alive, *below_alive):
            with contextlib.suppress(psutil.Error):
                left.kill()
    for one in started:
        if one.mps:
            mps.stop(mps.Daemon((), Path(one.mps)))


def _below(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _ensure_token(request: Request) -> None:
    """Ray's token: made where a head has none; one that joins must have been given the head's."""
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    if path.is_file():
        with contextlib.suppress(PermissionError):  # somebody else's, who lets this user read it
            path.chmod(0o600)
        return
    if request.address is None and not given:
        ray = str(Path(sys.executable).with_name("ray"))
        subprocess.run([ray, "get-auth-token", "--generate"], check=True, capture_output=True, umask=0o077)
        return
    there = "the head's file of that name" if request.address else "a file with a token, or unset RAY_AUTH_TOKEN_PATH"
    raise DistmlError(f"there is no token in {path}: copy {there} to this machine, readable by you alone (chmod 600)")


def _is_address(text: str) -> bool:
    """
    >>> _is_address("10.0.0.5:6379"), _is_address("10.0.0.5"), _is_address("10.0.0.5:99999")
    (True, False, False)
    """
    found = re.fullmatch(r"[^:\s]+:(\d{1,5})", text)
    return found is not None and 0 < int(found[1]) <= _MOST_PORTS


def _host_of(address: str) -> str:
    return address.rpartition(":")[0]


def _stop(name: str) -> str:
    return "distml node stop" + (f" --name {name}" if name != platform.node() else "")


class _State:
    """What was started under a name, in the user's own folder for such things."""

    def __init__(self, name: str) -> None:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self.folder = Path(base) / "distml"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self.folder / f"node-{name}.json"
        self._name = name

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """For who starts. Of two at once the one that fails would forget what the other has started."""
        with self._file.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DistmlError(
                    f"{self._name} is being started by another process; wait for it, or give another --name"
                ) from None
            yield

    def read(self) -> list[Started]:
        try:
            return [Started(**row) for row in json.loads(self._file.read_text())]
        except (FileNotFoundError, json.JSONDecodeError):
            return []

    def write(self, started: Sequence[Started]) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps([asdict(one) for one in started]))
        new.replace(self._file)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)


@contextlib.contextmanager
def ended_with_this(name: str) -> Iterator[None]:
    """For a process that stays in the foreground: what it started ends when it does, by SIGTERM or otherwise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        stop(name)
