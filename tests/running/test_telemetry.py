"""What a sweep's rungs cost where NVML is a stand-in: real Ray, real processes, a sampler that is killed."""

import json
import os
import platform
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hardware.standin import DRIVER, build, rtx_3090
from tests.running.command import diary_family, distml, rows, start, sweep_file

WATTS = 300.0
WORKING = ["power 0:300", "utilisation 0:80", "used 0:2048"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def card(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with one 3090 at work, for every process that is started from here."""
    machine = tmp_path / "machine.txt"
    has(machine)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_STANDIN", str(machine))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return machine


def has(machine: Path, *lines: str) -> None:
    text = "\n".join(
        [f"driver {DRIVER}", "cuda 12080", f"epoch {time.time() - 100}", rtx_3090("GPU-a", *WORKING).text()]
    )
    written = machine.with_suffix(".new")
    written.write_text("\n".join([text, *lines]) + "\n")
    written.replace(machine)


def sweep_on_gpu(folder: Path, share: float, seconds: float = 0.7, trials: int = 6) -> Path:
    return sweep_file(
        folder, families=diary_family(seconds=seconds), resources={"cpu": 1, "gpu": share}, budget={"trials": trials}
    )


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs" / "quick" / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def sampler() -> psutil.Process | None:
    """The sampler's process among those that this one started."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "NodeSampler" in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            continue
    return None


def wait_for(found: Any, seconds: float = 60.0) -> Any:
    latest = time.monotonic() + seconds
    while time.monotonic() < latest:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("it did not happen")


def test_trials_are_charged_for_the_half_of_a_card_that_they_held(card: Path, tmp_path: Path) -> None:
    distml(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 0.5)))
    found = rows(tmp_path)
    assert len(found) == 6
    assert {row["device"] for row in found} == {f"{platform.node()} gpu0 RTX 3090"}
    assert {row["energy_estimated"] for row in found} == {True}
    for row in found:
        assert row["gpu_seconds"] > 0.5 * row["seconds"] * 0.99  # half a card, from the first moment to the last
        assert row["energy_j"] == pytest.approx(WATTS * row["gpu_seconds"], rel=0.02)
        assert row["utilisation"] == pytest.approx(0.8)
    charged = [event for event in journal(tmp_path) if event["event"] == "cost"]
    assert sum(len(event["trials"]) for event in charged) == 6
    assert {reason for event in charged for reason in event["missing"].values()} == {
        "the device was shared, and the driver does not tell its processes' memory"
    }


@pytest.mark.long
def test_a_sampler_that_is_killed_is_a_gap_and_the_sweep_goes_on(card: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 1, seconds=1.0, trials=8)))
    try:
        first = wait_for(sampler)
        wait_for(lambda: any(event["event"] == "cost" for event in journal(tmp_path)))
        os.kill(first.pid, signal.SIGKILL)
        second = wait_for(lambda: (found := sampler()) and found.pid != first.pid and found)
        assert second.pid != first.pid
        _out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, err
    assert {row["state"] for row in rows(tmp_path)} == {"finished"}
    charged = [event for event in journal(tmp_path) if event["event"] == "cost"]
    assert sum(len(event["trials"]) for event in charged) == 8  # each is answered, if only by a reason
    assert sum(event["energy_j"] is not None for event in charged) >= 4


@pytest.mark.long
def test_a_card_that_falls_off_the_bus_costs_its_figures_and_not_the_sweep(card: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 1, seconds=1.0)))
    try:
        wait_for(lambda: any(event["event"] == "cost" for event in journal(tmp_path)))
        has(card, "error * 15")
        _out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, err
    last = [event for event in journal(tmp_path) if event["event"] == "cost"][-1]
    assert (last["energy_j"], last["missing"]["energy_j"]) == (None, "the GPU fell off the bus")
    assert {row["state"] for row in rows(tmp_path)} == {"finished"}


def test_on_a_machine_without_a_card_nothing_is_invented(tmp_path: Path) -> None:
    distml(tmp_path, "sweep", str(sweep_file(tmp_path, families=diary_family(), budget={"trials": 2})))
    for row in rows(tmp_path):
        assert [row[name] for name in ("gpu_seconds", "energy_j", "energy_estimated", "utilisation", "device")] == [
            None
        ] * 5
    assert not [event for event in journal(tmp_path) if event["event"] == "cost"]


def test_top_shows_a_running_sweep_its_devices_and_what_runs_there(card: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 0.5, seconds=1.5, trials=50)))
    try:
        wait_for(lambda: any(event["event"] == "cost" for event in journal(tmp_path)))
        time.sleep(3)  # until the next two looks of the driver
        shown = json.loads(distml(tmp_path, "top", "--once", "--format", "json").stdout)
        lines = distml(tmp_path, "top", "--once").stdout.splitlines()
        seen = sampler()
        assert seen is not None
        memory, before = seen.memory_info().rss / 2**20, sum(seen.cpu_times()[:2])
        time.sleep(5)
        print(f"sampler: {memory:.0f} MiB, {(sum(seen.cpu_times()[:2]) - before) / 5:.1%} of a core")
    finally:
        distml(tmp_path, "stop", "quick", "--now")
        process.communicate(timeout=60)
    (node,) = shown["nodes"]
    assert (node["node"], node["gap"]) == (platform.node(), None)
    (device,) = node["devices"]
    assert (device["uuid"], device["power_w"], device["utilisation"]) == ("GPU-a", WATTS, 0.8)
    assert node["host"]["memory_mib"] > 0
    assert {(one["sweep"], one["node"], tuple(one["devices"])) for one in shown["cohorts"]} == {
        ("quick", platform.node(), ("GPU-a",))
    }
    assert "gpu0 RTX 3090" in lines[2] and "2.0 / 24.0 GiB" in lines[2] and "diary x1, rung 1" in lines[2]
