"""A process is held to its share of a real card, and networks train on shares: `make test-gpu`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from distml.hardware.devices import list_devices
from distml.sweep.journal import read
from tests.running.command import distml, rows, sweep_file

pytestmark = pytest.mark.gpu
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
