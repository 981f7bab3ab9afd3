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
EXCHANGED = ["error * 18"]  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
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


@pytest.mark.long
def test_trials_are_charged_for_the_half_of_a_card_that_they_held_and_top_shows_them(
    card: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 0.5, trials=100)))
    try:
        wait_for(lambda: any(event["event"] == "cost" for event in journal(tmp_path)))
        shown = wait_for(lambda: placed(tmp_path))
        lines = distml(tmp_path, "top", "--once").stdout.splitlines()
        seen = sampler()
        assert seen is not None and seen.memory_info().rss <= 120 * 2**20
    finally:
        distml(tmp_path, "stop", "quick", "--now")
        process.communicate(timeout=60)

    (node,) = shown["nodes"]
    assert (node["node"], node["gap"]) == (platform.node(), None)
    (device,) = node["devices"]
    assert (device["uuid"], device["power_w"], device["utilisation"]) == ("GPU-a", WATTS, 0.8)
    assert node["host"]["memory_mib"] > 0
    assert {(one["sweep"], one["node"], tuple(one["devices"])) for one in shown["cohorts"]} <= {
        ("quick", platform.node(), ("GPU-a",)),
        ("quick", None, ()),  # one that has just begun
    }
    assert "gpu0 RTX 3090" in lines[2] and "2.0 / 24.0 GiB" in lines[2] and " 300 W" in lines[2]

    found = [row for row in rows(tmp_path) if row["state"] == "finished"]
    assert len(found) >= 2
    assert {row["device"] for row in found} <= {f"{platform.node()} gpu0 RTX 3090", f"{platform.node()} 0", "0"}
    for row in found:
        assert row["gpu_seconds"] > 0.5 * row["seconds"] * 0.99  # half a card, from the first moment to the last
    charged = [row for row in found if row["energy_j"] is not None]
    assert len(charged) >= len(found) - 2  # the first ones may have been over before the sampler began
    for row in charged:
        assert row["energy_j"] == pytest.approx(WATTS * row["gpu_seconds"], rel=0.02)
        assert (row["energy_estimated"], row["utilisation"]) == (True, pytest.approx(0.8))
    reasons = {event["missing"]["peak_memory_mib"] for event in journal(tmp_path) if event["event"] == "cost"}
    assert "the device was shared, and the driver does not tell its processes' memory" in reasons


def placed(folder: Path) -> Any:
    """What top shows, once a cohort has its place."""
    shown = json.loads(distml(folder, "top", "--once", "--format", "json").stdout)
    return shown if any(cohort["node"] for cohort in shown["cohorts"]) else None


@pytest.mark.long
def test_a_sampler_is_killed_a_card_lost_a_driver_exchanged_and_the_sweep_goes_on(card: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 1, seconds=0.5, trials=200)))
    try:
        first = wait_for(sampler)
        wait_for(lambda: charges(tmp_path, known=True))
        os.kill(first.pid, signal.SIGKILL)
        second = wait_for(lambda: another(first))
        known = len(charges(tmp_path, known=True))
        wait_for(lambda: len(charges(tmp_path, known=True)) > known)
        took, begun = sum(second.cpu_times()[:2]), time.monotonic()
        has(card, "error * 15")
        wait_for(lambda: charges(tmp_path, because="the GPU fell off the bus"))
        time.sleep(max(0.0, 10 - (time.monotonic() - begun)))
        share = (sum(second.cpu_times()[:2]) - took) / (time.monotonic() - begun)
        assert share < 0.02, (
            share
        )  # of a core: 1 % is meant, of which an idle Ray process takes most; clocks are coarse
        has(card, *EXCHANGED)
        differ = "driver and library differ in version: was the driver updated?"
        # Told of rungs that end before the next sampler is there, which may be none.
        wait_for(lambda: charges(tmp_path, because=differ) or another(second))
        wait_for(lambda: another(second))  # only a new process could read the new driver
        has(card)
        known = len(charges(tmp_path, known=True))
        wait_for(lambda: len(charges(tmp_path, known=True)) > known)
    finally:
        distml(tmp_path, "stop", "quick", "--now")
        _out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert {row["state"] for row in rows(tmp_path)} <= {"finished", "pending"}
    finished = [row for row in rows(tmp_path) if row["state"] == "finished"]
    assert sum(len(event["trials"]) for event in charges(tmp_path)) >= len(finished)  # each has an answer


def charges(folder: Path, known: bool = False, because: str = "") -> list[dict[str, Any]]:
    """The cost events so far; known: those with energy; because: those that lack it for this reason."""
    found = [event for event in journal(folder) if event["event"] == "cost"]
    return [
        event for event in found
        if (not known or event["energy_j"] is not None) and because in event["missing"].get("energy_j", "")
    ]  # fmt: skip


def another(before: psutil.Process) -> psutil.Process | None:
    found = sampler()
    return found if found is not None and found.pid != before.pid else None
