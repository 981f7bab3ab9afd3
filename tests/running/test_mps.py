"""`distml node start --mps`, a sweep on it, `distml node stop`: everything but the card and its driver is real."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.hardware.standin import DRIVER, build, rtx_3090
from tests.hardware.test_mps import STANDIN, diary
from tests.running.command import ROOT, diary_family, sweep_file

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="dm-", dir="/tmp"))  # short: sockets lie below it
    yield made
    shutil.rmtree(made)


@pytest.fixture
def distml(folder: Path) -> Iterator[Call]:
    """The command on a machine of one 3090 and a stand-in for MPS; what it started has ended with the test."""
    machine = folder / "machine.txt"
    machine.write_text("\n".join([f"driver {DRIVER}", "cuda 12080", rtx_3090("GPU-3090").text()]) + "\n")
    foreign = ("RAY_", "CUDA_", "XDG_", "LD_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "HOME": str(folder), "TMPDIR": str(folder), "RAY_TMPDIR": str(folder), "COLUMNS": "100",
        "PATH": f"{STANDIN}:{os.environ['PATH']}", "MPS_DIARY": str(folder / "diary.jsonl"),
        "LD_LIBRARY_PATH": str(build(folder / "nvml")), "NVML_STANDIN": str(machine),
        "DISTML_TEST_ENVIRONMENT": str(folder / "environment.jsonl"),
    }  # fmt: skip

    def call(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).with_name("distml"), *arguments], cwd=ROOT, env={**environment, **more},
            capture_output=True, text=True, timeout=150,
        )  # fmt: skip

    yield call
    call("node", "stop", "--name", "ws")
    left = [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or [])]
    assert not left


def test_trials_on_shares_of_a_card_are_clients_with_limits(distml: Call, folder: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    start = ("node", "start", "--head", "--name", "ws", "--port", str(port), "--cpus", "4", "--mps")
    refused = distml(*start, MPS_REFUSES="server")
    assert refused.returncode == 2 and "the driver starts no MPS server: Failed to start" in refused.stderr
    assert not list(folder.rglob("node-ws.json"))  # no raylet was begun
    started = distml(*start, "--dashboard-port", "0")
    assert started.returncode == 0, started.stderr
    assert "mps         processes that share a card compute together: rtx-3090" in started.stdout
    families = {
        "quarter": {**diary_family(seconds=0.1)["diary"], "resources": {"gpu": 0.25}},
        "whole": {**diary_family(seconds=0.1)["diary"], "resources": {"gpu": 1}},
        "none": {**diary_family(seconds=0.1)["diary"], "resources": {"gpu": "none"}},
    }
    file = sweep_file(folder, families=families, split={"folds": 1}, budget={"trials": 6})
    swept = distml("sweep", str(file), "--address", f"127.0.0.1:{port}", "--runs", str(folder / "runs"))
    assert swept.returncode == 0, swept.stderr
    told = [json.loads(line) for line in (folder / "environment.jsonl").read_text().splitlines()]
    pipes = str(folder / f"distml-mps-{os.getuid()}" / "ws-rtx-3090" / "pipe")
    seen = {
        (one.get("CUDA_MPS_PIPE_DIRECTORY"), one.get("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"),
         one.get("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"), one["CUDA_VISIBLE_DEVICES"]) for one in told
    }  # fmt: skip
    assert seen >= {(pipes, "25", "0=6144M", "GPU-3090"), (pipes, None, None, "GPU-3090")}
    assert {one[1:3] for one in seen} == {("25", "0=6144M"), (None, None)}
    assert all(one[0] is None for one in seen if not one[3])  # who has no device is no client
    servers = [one for one in psutil.process_iter(["cmdline"]) if str(STANDIN) in " ".join(one.info["cmdline"] or [])]
    (server,) = [one for one in servers if one.environ().get("MPS_DIARY") == str(folder / "diary.jsonl")]
    ended = distml("node", "stop", "--name", "ws")
    assert "ended: rtx-3090, cpu-only, MPS of rtx-3090" in ended.stdout
    assert not server.is_running() and diary(folder)[-1]["did"] == "quit"
    assert not Path(pipes).exists()
