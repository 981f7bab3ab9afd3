"""The GPUs of a machine, with NVML's answers made up: this has to hold where there is no card."""

from types import SimpleNamespace

import pynvml
import pytest

from distml.hardware.devices import Device, Devices, devices


def raising(kind):
    def call(*_):
        raise kind

    return call


@pytest.fixture
def two_cards(monkeypatch):
    """An RTX 3090, which knows no MIG, and an A100 cut into slices."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "570.86.10",
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda card: f"GPU-{card}",
        "nvmlDeviceGetName": lambda card: ["NVIDIA GeForce RTX 3090", "NVIDIA A100-SXM4-40GB"][card],
        "nvmlDeviceGetMemoryInfo": lambda card: SimpleNamespace(total=[24, 40][card] * 2**30),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)

    def mig_mode(card):
        if card == 0:
            raise pynvml.NVMLError_NotSupported
        return [pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE]

    monkeypatch.setattr(pynvml, "nvmlDeviceGetMigMode", mig_mode)


def test_cards_are_told_with_memory_and_mig(two_cards):
    assert devices() == Devices(
        cards=(
            Device(0, "GPU-0", "NVIDIA GeForce RTX 3090", 24 * 1024, mig=False),
            Device(1, "GPU-1", "NVIDIA A100-SXM4-40GB", 40 * 1024, mig=True),
        ),
        driver="570.86.10",
    )


def test_without_the_library_it_is_a_cpu_node(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", raising(pynvml.NVMLError_LibraryNotFound))
    assert devices() == Devices(missing="no NVML: a CPU node")


def test_a_driver_that_does_not_fit_is_a_fault_and_not_a_cpu_node(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", raising(pynvml.NVMLError(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH)))
    found = devices()
    assert found.faulty
    assert found.missing.startswith("NVML does not start:")


def test_a_card_that_fell_off_the_bus_is_a_fault(two_cards, monkeypatch):
    lost = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", raising(lost))
    assert devices().faulty


def test_a_driver_without_cards_is_a_cpu_node(two_cards, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    assert (devices().missing, devices().faulty) == ("NVML finds no GPU: a CPU node", False)
