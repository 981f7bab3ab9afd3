"""A process is held to its share of a real card, shares follow from what is measured there: `make test-gpu`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from distml.hardware import mps
from distml.hardware.devices import list_devices
from distml.hardware.telemetry import Sampler
from distml.sweep.journal import read
from tests.running.command import distml, rows, sweep_file

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
SLOT_MIB = 4096
HELD = f"""
import torch
from distml.hardware.telemetry import Sampler
from distml.sweep.tune.cap import hold_to
allowed = int(hold_to({SLOT_MIB}))
inside = torch.empty((allowed - 64) * 2**20, dtype=torch.uint8, device="cuda")
try:
    torch.empty(256 * 2**20, dtype=torch.uint8, device="cuda")
except torch.OutOfMemoryError:
    used = max(device.memory_used_mib or 0 for device in Sampler().sample().devices)
    print(allowed, round(used))
"""
PEAK = """
import os, torch
from distml.hardware.telemetry import Sampler
from distml.sweep.tune.cap import forget_peak, peak_mib
torch.empty(3 * 2**30, dtype=torch.uint8, device="cuda")  # of another cohort, before
forget_peak()
held = torch.ones(2**30, dtype=torch.uint8, device="cuda")
device = next(one for one in Sampler().sample().devices if one.uuid == os.environ["CUDA_VISIBLE_DEVICES"])
own = [process.memory_mib for process in device.processes or () if process.pid == os.getpid()]
print(peak_mib(), own[0] if own and own[0] else device.memory_used_mib)
"""
LIMITED = """
import torch
free_mib = torch.cuda.mem_get_info()[0] / 2**20
try:
    torch.empty(5 * 2**30, dtype=torch.uint8, device="cuda")
    print("not held")
except torch.OutOfMemoryError:
    print("held", round(free_mib), torch.cuda.get_device_properties(0).multi_processor_count)
"""


@pytest.fixture(scope="module")
def uuid() -> str:
    """The first device on which CUDA runs."""
    usable = [device.uuid for device in list_devices().devices if device.usable]
    if not usable or not torch.cuda.is_available():
        pytest.skip("SKIPPED, NOTHING WAS MEASURED: no NVIDIA GPU on this machine, or a torch without CUDA")
    return usable[0]


def test_the_allocator_stops_at_the_share(uuid: str) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": uuid}
    done = subprocess.run([sys.executable, "-c", HELD], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    allowed, used = map(int, done.stdout.split())
    print(f"\n{allowed} MiB allowed of a slot of {SLOT_MIB}; {used} MiB in use on the device")
    assert SLOT_MIB - 1024 < allowed < SLOT_MIB


def test_networks_train_on_a_share(uuid: str, tmp_path: Path) -> None:
    families = {"scoring-network": {"space": {"epochs": 2}, "resources": {"gpu": "4GiB"}}}
    distml(tmp_path, "sweep", str(sweep_file(tmp_path, families=families)), timeout=280)
    assert {row["state"] for row in rows(tmp_path)} == {"finished"}
    slots = [event["slot"] for event in read(tmp_path / "runs" / "quick" / "journal.jsonl")
             if event["event"] == "cohort" and " on " in event.get("slot", "")]  # fmt: skip
    assert slots and all(slot.split()[-1] in {device.uuid for device in list_devices().devices} for slot in slots)


def used_mib(uuid: str) -> float:
    """On the device, by NVML."""
    sampler = Sampler()
    device = next(one for one in sampler.sample().devices if one.uuid == uuid)
    sampler.close()
    return device.memory_used_mib or 0.0


def test_the_peak_that_a_process_tells_is_nvmls(uuid: str) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": uuid}
    done = subprocess.run([sys.executable, "-c", PEAK], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told, seen = map(float, done.stdout.split())
    print(f"\na peak of {told:.0f} MiB told by the process, {seen:.0f} MiB seen by NVML")
    assert told == pytest.approx(seen, rel=0.1)


def test_auto_measures_networks_and_leaves_no_memory_behind(uuid: str, tmp_path: Path) -> None:
    before = used_mib(uuid)
    hidden = [[16], [32], [32, 32], [64], [64, 64], [128]]
    families = {"scoring-network": {"space": {"epochs": 9, "hidden": hidden}}}
    file = sweep_file(tmp_path, families=families, budget={"trials": 48}, split={"folds": 5})
    print("\n" + distml(tmp_path, "sweep", str(file), timeout=580).stdout)
    events = read(tmp_path / "runs" / "quick" / "journal.jsonl")
    needs = [event for event in events if event["event"] == "need"]
    print("\n".join(f"{need['kind']}: {need['reason']} {need['structure']}" for need in needs))
    assert needs and all(need["memory_mib"] > 100 for need in needs)
    assert {row["state"] for row in rows(tmp_path)} <= {"finished", "stopped", "diverged"}
    assert not [event for event in events if event["event"] == "lost"]
    assert abs(used_mib(uuid) - before) <= 64


def test_a_client_of_mps_is_held_to_its_share_of_memory_and_multiprocessors(uuid: str) -> None:
    if shutil.which(mps.CONTROL) is None or not uuid.startswith("GPU-"):
        pytest.skip(f"SKIPPED, NOTHING WAS MEASURED: no {mps.CONTROL} here, or only MIG slices")
    whole = next(device for device in list_devices().devices if device.uuid == uuid)
    daemon = mps.daemon_for("test", (uuid,))
    mps.start(daemon)
    try:
        client = {mps.PIPES: str(daemon.pipes), "CUDA_VISIBLE_DEVICES": uuid, **mps.client_limits(0.25, SLOT_MIB)}
        done = subprocess.run(
            [sys.executable, "-c", LIMITED], env={**os.environ, **client}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        print(f"\n{done.stdout.strip()}, of {whole.multiprocessors} multiprocessors and {whole.memory_mib} MiB")
        held, free_mib, multiprocessors = done.stdout.split()
        assert held == "held" and float(free_mib) <= SLOT_MIB
        assert int(multiprocessors) <= 0.3 * (whole.multiprocessors or 0)
    finally:
        mps.stop(daemon)
    assert daemon.process is None
