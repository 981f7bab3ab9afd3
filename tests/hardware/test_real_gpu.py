"""The inventory and the sampler against a real card and nvidia-smi: `make test-gpu`."""

import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from distml.hardware.attribution import Occupancy, attribute, boards
from distml.hardware.devices import device_classes, list_devices
from distml.hardware.telemetry import Sampler
from tests.hardware import cuda_load

pytestmark = pytest.mark.gpu
LOAD = Path(cuda_load.__file__)
BLOCK_MIB = 2048


@pytest.fixture(scope="module")
def inventory():
    """What distml finds here; without a card there is nothing to compare."""
    found = list_devices()
    if not found.devices or shutil.which("nvidia-smi") is None:
        pytest.skip(f"SKIPPED, NOTHING WAS MEASURED: no NVIDIA GPU on this machine ({found.reason or 'no nvidia-smi'})")
    return found


@pytest.fixture(scope="module")
def smi():
    """nvidia-smi's own account."""
    return ET.fromstring(subprocess.run(["nvidia-smi", "-q", "-x"], capture_output=True, check=True).stdout)


def load(seconds):
    """A process that keeps the first card busy, once it does."""
    command = [sys.executable, LOAD, str(BLOCK_MIB), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "ready"
    return process


def test_cards_are_those_of_nvidia_smi(inventory, smi):
    mig = {"Enabled": "enabled", "Disabled": "disabled", "N/A": None}
    assert [(card.uuid, card.name, card.memory_mib, card.driver, card.mig_mode) for card in inventory.cards] == [
        (
            gpu.findtext("uuid"),
            gpu.findtext("product_name"),
            int(gpu.findtext("fb_memory_usage/total").split()[0]),
            smi.findtext("driver_version"),
            mig[gpu.findtext("mig_mode/current_mig")],
        )
        for gpu in smi.findall("gpu")
    ]


def test_slices_are_those_of_nvidia_smi(inventory):
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    expected = re.findall(r"MIG (\S+) +Device +\d+: \(UUID: (\S+)\)", listed)
    assert [(one.profile, one.uuid) for one in inventory.devices if one.parent] == expected
    assert set(re.findall(r"UUID: (\S+)\)", listed)) == {one.uuid for one in inventory.devices}


def test_compute_capability_and_multiprocessors_are_cudas_own(inventory):
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    said = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    assert [card.capability for card in inventory.cards] == said
    first = next(device for device in inventory.devices if device.usable)
    count = "from tests.hardware.cuda_load import multiprocessors; print(multiprocessors())"
    command = [sys.executable, "-c", count]
    root = Path(__file__).parents[2]
    counted = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    assert first.multiprocessors == int(counted)


def test_every_usable_device_is_in_one_class(inventory):
    uuids = [uuid for one in device_classes(inventory) for uuid in one.uuids]
    assert sorted(uuids) == sorted(device.uuid for device in inventory.devices if device.usable)


def test_a_known_load_is_seen_in_memory_power_and_energy(inventory):
    first = next(device for device in inventory.devices if device.usable)
    sampler = Sampler()

    def read():
        sample = sampler.sample()
        return sample, next(one for one in sample.devices if one.uuid == first.uuid)

    _, idle = read()
    begun = time.time()
    process = load(seconds=8)
    samples = []
    for _ in range(6):
        time.sleep(1)
        samples.append(read())
    ended = samples[-1][0].time
    busy = samples[-1][1]
    assert BLOCK_MIB <= busy.memory_used_mib - idle.memory_used_mib <= BLOCK_MIB + 1024  # and the context
    if first.parent is None:
        assert busy.utilisation > 0.5
        assert busy.power_w > idle.power_w
        middle = [device for _, device in samples[1:]]
        mean_w = sum(device.power_w for device in middle) / len(middle)
        energy_w = sum(device.energy_j for device in middle) / sum(device.energy_seconds for device in middle)
        assert energy_w == pytest.approx(mean_w, rel=0.3)  # sensor and counter sample differently
    held = [Occupancy("c1", first.uuid, begun, ended, pids=(process.pid,))]
    cost = attribute([sample for sample, _ in samples], held, boards(inventory))["c1"]
    print(f"\n{first.name}: {cost}\n{busy}")
    assert cost.energy_j > 0
    assert cost.peak_memory_mib >= BLOCK_MIB
    process.wait(timeout=30)
    time.sleep(1)
    _, after = read()
    assert abs(after.memory_used_mib - idle.memory_used_mib) <= 64
    sampler.close()


def test_the_sampler_costs_little(inventory):
    sampler = Sampler()
    sampler.sample()
    begun = time.process_time()
    for _ in range(20):
        time.sleep(0.1)
        sampler.sample()
    spent = (time.process_time() - begun) / 20
    sampler.close()
    print(f"\n{spent * 1000:.2f} ms of processor time a sample, {len(inventory.devices)} devices")
    assert spent <= 0.01  # at one sample a second: 1 % of a core
