"""The GPUs of this machine, from NVML alone: no CUDA context, no torch."""

from dataclasses import dataclass

import pynvml


@dataclass(frozen=True)
class Device:
    """One card as NVML describes it."""

    index: int
    uuid: str
    name: str  # 'NVIDIA GeForce RTX 3090'
    memory_mib: int
    mig: bool  # cut, or about to be cut, into slices


@dataclass(frozen=True)
class Devices:
    """All cards of a machine; `missing` says why there are none."""

    cards: tuple[Device, ...] = ()
    driver: str | None = None
    missing: str | None = None  # 'no NVML: a CPU node'
    faulty: bool = False  # NVML is there and does not work


def devices() -> Devices:
    """Ask NVML once, and let it go again."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return Devices(missing="no NVML: a CPU node")
    except pynvml.NVMLError as error:
        return Devices(missing=f"NVML does not start: {error}", faulty=True)
    try:
        cards = tuple(_device(index) for index in range(pynvml.nvmlDeviceGetCount()))
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        return Devices(cards, driver, None if cards else "NVML finds no GPU: a CPU node")
    except pynvml.NVMLError as error:
        return Devices(missing=f"NVML fails: {error}", faulty=True)
    finally:
        pynvml.nvmlShutdown()


def _device(index: int) -> Device:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    try:
        mig = pynvml.NVML_DEVICE_MIG_ENABLE in pynvml.nvmlDeviceGetMigMode(handle)
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):  # a card, or a driver, without MIG
        mig = False
    return Device(
        index,
        str(pynvml.nvmlDeviceGetUUID(handle)),
        str(pynvml.nvmlDeviceGetName(handle)),
        pynvml.nvmlDeviceGetMemoryInfo(handle).total // 2**20,
        mig,
    )
