"""Telemetry of several machines: raylets on loopback, each with a stand-in NVML of its own."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.hardware.standin import DRIVER, Card, a100, build, rtx_3090
from tests.running.command import diary_family, distml, rows, sweep_file

Up = Callable[..., None]
SMALL = ["--object-store-memory=80000000", "--memory=1000000000", "--disable-usage-stats", "--block"]


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """Starts a raylet on a machine that has these cards; ends it afterwards."""
    library = build(tmp_path / "nvml")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    short = tempfile.mkdtemp(prefix="distml-test-")  # a socket's path holds at most 107 bytes
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, visible: str = "", cards: tuple[Card, ...] = ()) -> None:
        file = tmp_path / f"machine{len(started)}.txt"
        machine = [f"driver {DRIVER}", "cuda 12080", f"epoch {time.time() - 100}", *(card.text() for card in cards)]
        file.write_text("\n".join(machine) + "\n")
        environment = {"LD_LIBRARY_PATH": str(library), "NVML_STANDIN": str(file), "CUDA_VISIBLE_DEVICES": visible}
        where = [] if started else [f"--temp-dir={short}"]  # the head's is everybody's
        options = [*arguments, *where, f"--num-gpus={bool(visible):d}", *SMALL]
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("ray")), "start", *options],
            env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert any("Ray runtime started" in line for line in process.stdout)

    yield begin
    for process in [one for head in started for one in [*psutil.Process(head.pid).children(recursive=True), head]]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in started:
        process.communicate(timeout=60)
    shutil.rmtree(short, ignore_errors=True)


@pytest.mark.long
def test_each_machine_is_sampled_and_its_trials_are_charged_by_its_own_cards(up: Up, tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    up("--head", f"--port={address.split(':')[1]}", "--node-ip-address=127.0.0.1", "--num-cpus=0",
       "--include-dashboard=false")  # fmt: skip
    join = [f"--address={address}", "--node-ip-address=127.0.0.2", "--num-cpus=1"]
    up(*join, visible="GPU-w", cards=(rtx_3090("GPU-w", "power 0:300", "utilisation 0:80"),))
    up(*join, visible="MIG-b-0", cards=(a100("GPU-b", {0: "3g.20gb", 4: "2g.10gb"}),))  # the same address: one machine?
    file = sweep_file(tmp_path, families=diary_family(seconds=0.7), resources={"gpu": 1}, budget={"trials": 16})
    distml(tmp_path, "sweep", str(file), "--address", address)
    whole = [row for row in rows(tmp_path) if row["device"].endswith("gpu0 RTX 3090")]
    part = [row for row in rows(tmp_path) if row["device"].endswith("gpu0 3g.20gb")]
    # Which of the two the machine's first sampler sees is chance; the other one's first rungs are a gap, no more.
    for trials, watts in ((whole, 300.0), (part, 210.0 * 42 / 98)):
        charged = [row for row in trials if row["energy_j"] is not None]
        assert len(charged) >= 3
        for row in charged:
            assert row["energy_j"] == pytest.approx(watts * row["gpu_seconds"], rel=0.03)
    assert {row["utilisation"] for row in part} == {None}
    assert all(row["energy_estimated"] for row in part if row["energy_j"] is not None)
    shown = json.loads(distml(tmp_path, "top", "--address", address, "--once", "--format", "json").stdout)
    uuids = [device["uuid"] for node in shown["nodes"] for device in node["devices"]]
    assert uuids in (["GPU-w"], ["GPU-b", "MIG-b-0", "MIG-b-4"])  # no cohort needs the other
    assert {node["gap"] for node in shown["nodes"]} <= {None, "NVML finds no GPU: a CPU node"}
