"""A real Ray of three machines on loopback, small enough to be killed piece by piece: head, ws with a card, cpu."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.hardware.standin import DRIVER, build, rtx_3090
from tests.running.command import GERMAN, ROOT
from tests.running.test_cluster import free_port

CPUS = {"head": 1, "ws": 2, "cpu": 1}  # ws: a raylet for the card, one for what needs none
PARTS = {"head": 1, "ws": 2, "cpu": 1}  # raylets
CARD = "GPU-ws"
START_AGAIN = 2  # Ray gives a raylet 30 s, however busy its machine is


@dataclass
class Machines:
    """The cluster, while it runs."""

    folder: Path
    port: int
    environment: dict[str, str]
    library: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def hold(self) -> Path:
        """While this file is there, no fit of `card` and `plain` ends."""
        return self.folder / "hold"

    def start(self, *names: str) -> None:
        """`distml node start` on these machines, the head's first."""
        if "head" in names:
            self._node("head", "start", "--head", f"--port={self.port}", f"--dashboard-port={free_port()}")
        others = [name for name in names if name != "head"]
        for name in others:  # one after another: see START_AGAIN
            self._node(name, "start", f"--address={self.address}")

    def bring_back(self) -> None:
        """Whatever has died, as an administrator would: where the head has, all machines."""
        self.hold.unlink(missing_ok=True)
        down = [name for name, parts in PARTS.items() if len(self._kept(name)) < parts]
        down = list(PARTS) if "head" in down else down
        self.stop(*down)
        self.start(*down)

    def stop(self, *names: str) -> None:
        """`distml node stop` on these machines, the head's last."""
        others = [name for name in names if name != "head"]
        with ThreadPoolExecutor() as at_once:
            list(at_once.map(lambda name: self._node(name, "stop"), others))
        if "head" in names:
            self._node("head", "stop")

    def _node(self, name: str, what: str, *options: str) -> None:
        card = [rtx_3090(CARD, "power 0:300", "utilisation 0:80").text()] if name == "ws" else []
        machine = self.folder / f"{name}.txt"
        machine.write_text("\n".join([f"driver {DRIVER}", "cuda 12080", f"epoch {time.time() - 100}", *card]) + "\n")
        environment = self.environment | {"LD_LIBRARY_PATH": str(self.library), "NVML_STANDIN": str(machine)}
        cpus = [f"--cpus={CPUS[name]}"] if what == "start" else []
        for _ in range(1 + START_AGAIN):
            done = subprocess.run(
                [_program(), "node", what, *options, *cpus, f"--name={name}"], env=environment, cwd=ROOT,
                capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            if "timed out during startup" not in done.stderr:
                break
        assert done.returncode == 0, done.stdout + done.stderr

    # --- sweeps

    @contextlib.contextmanager
    def sweep(self, file: Path) -> Iterator["subprocess.Popen[str]"]:
        """A driver at work; killed where the test ends before it does."""
        process = subprocess.Popen(
            [_program(), *self.arguments(file)], cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def arguments(self, file: Path) -> list[str]:
        return ["sweep", str(file), "--address", self.address, "--runs", str(self.folder / "runs")]

    def shown(self, *arguments: str) -> Any:
        """What `distml ... --format json` says."""
        done = subprocess.run(
            [_program(), *arguments, "--runs", str(self.folder / "runs"), "--format", "json"], cwd=ROOT,
            env=self.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sweep_file(self, name: str, **changes: Any) -> Path:
        """Families of both engines, and one that holds the card; the same trials whatever the sweep's name."""
        diary = {
            "class": "tests.running.models:Diary",
            "space": {"strength": {"low": 0.0, "high": 1.0}, "seconds": 0.8},
        }
        content = {
            "name": name, "seed": 5, "metric": "log_loss", "split": {"folds": 2}, "budget": {"trials": 32},
            "data": {"source": str(GERMAN), "target": "creditability", "positive": "bad"},
            "search": {"algorithm": "random", "scheduler": "none"},
            "families": {
                "scoring-network": {"space": {"hidden": [[16, 16]], "epochs": 40}, "resources": {"gpu": "none"}},
                "random-forest": {"space": {"n_estimators": 60}, "resources": {"gpu": "none"}},
                "card": {**diary, "resources": {"gpu": 1}},
                "plain": {**diary, "resources": {"gpu": "none"}},
            },
            **changes,
        }  # fmt: skip
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(content))))
        return path

    def journal(self, name: str) -> Path:
        return self.folder / "runs" / name / "journal.jsonl"

    def ended(self, name: str) -> int:
        """How many trials of a sweep have ended."""
        journal = self.journal(name)
        return journal.read_text().count('"event":"ended"') if journal.exists() else 0

    # --- processes

    def processes(self, name: str) -> list[psutil.Process]:
        """All that runs on a machine: what `distml node start` keeps, and what is below it."""
        found = []
        for keeper in self._kept(name):
            with contextlib.suppress(psutil.Error):
                found += [keeper, *keeper.children(recursive=True)]
        return found

    def _kept(self, name: str) -> list[psutil.Process]:
        """The processes that each keep one raylet of a machine, of those that still run."""
        state = self.folder / ".local" / "state" / "distml" / f"node-{name}.json"
        found = []
        for row in json.loads(state.read_text()) if state.exists() else []:
            with contextlib.suppress(psutil.Error):
                keeper = psutil.Process(row["pid"])
                found += [keeper] if keeper.status() != psutil.STATUS_ZOMBIE else []
        return found

    def named(self, machine: str, program: str) -> list[psutil.Process]:
        """Those of a machine's processes that run Ray's program of this name: 'raylet', 'gcs_server'."""
        return [process for process in self.processes(machine) if _name(process) == program]

    def titled(self, machine: str, word: str) -> list[psutil.Process]:
        """Those of a machine's processes in whose title a word stands."""
        return [process for process in self.processes(machine) if word in _title(process)]

    def trainers(self, machine: str, family: str) -> list[psutil.Process]:
        """A machine's processes that train a cohort of a family now, as their titles say."""
        trains = re.compile(rf"{family} x\d+, rung \d+")
        return [process for process in self.processes(machine) if trains.match(_title(process))]


def kill(processes: Sequence[psutil.Process]) -> None:
    """As when the power goes: all at once, first stopped, so that none sees another's end."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not [process for process in alive if _status(process) != psutil.STATUS_ZOMBIE]


def running_machines() -> Iterator[Machines]:
    """Three machines from their start to their end; nothing of them is left behind."""
    folder = Path(tempfile.mkdtemp(prefix="dm-", dir="/tmp"))  # short: Ray's sockets lie below it
    foreign = ("RAY_", "CUDA_", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "HOME": str(folder), "RAY_TMPDIR": str(folder), "DISTML_TEST_DIARY": str(folder / "diary.txt"),
        "COLUMNS": "150",
    }  # fmt: skip
    before = set(psutil.pids())
    machines = Machines(folder, free_port(), environment, build(folder / "nvml"))
    try:
        machines.start(*CPUS)
        yield machines
    finally:
        machines.stop(*CPUS)
        left = [process for process in psutil.process_iter(["cmdline"]) if process.pid not in before
                and str(folder) in " ".join(process.info["cmdline"] or [])]  # fmt: skip
        _, left = psutil.wait_procs(left, timeout=20)
        for process in left:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
        assert not left


def _program() -> Path:
    return Path(sys.executable).with_name("distml")


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _name(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return None


def _status(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        return process.status()
    return psutil.STATUS_ZOMBIE
