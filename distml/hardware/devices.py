"""The GPUs of this machine and the MIG slices they are cut into."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distml.hardware.nvml import DeviceLostError, Nvml, NvmlUnavailableError

# CUDA cores to a multiprocessor, by compute capability; 128 where not named (CUDA programming guide, "Compute
# Capabilities"). NVML counts cores on a whole card and multiprocessors on a slice.
_CORES = {"6.0": 64, "7.0": 64, "7.2": 64, "7.5": 64, "8.0": 64}


@dataclass(frozen=True)
class Device:
    """A whole card, or a slice of one. What NVML does not tell is None, and `missing` says why."""

    index: int  # of the card on its machine; of the slice on its card, where numbers may be left out
    uuid: str  # 'GPU-...' or 'MIG-...', as CUDA_VISIBLE_DEVICES takes it
    name: str  # 'NVIDIA GeForce RTX 3090'
    memory_mib: int | None  # as nvidia-smi shows it
    multiprocessors: int | None
    driver: str | None
    reserved_mib: int = 0  # of it, what the driver keeps for itself
    capability: str | None = None  # CUDA compute capability, '8.6'
    mig_mode: str | None = None  # of a card: 'enabled', 'disabled', 'to be enabled', 'to be disabled' (by a reset)
    profile: str | None = None  # of a slice: '1g.10gb'
    parent: str | None = None  # of a slice: its card's UUID
    gpu_instance: int | None = None  # of a slice: NVML's number; slices of one number share their memory
    missing: Mapping[str, str] = field(default_factory=dict, compare=False)  # field -> why it is None

    @property
    def usable(self) -> bool:
        """Whether CUDA runs on it: a card in MIG mode is used through its slices alone."""
        return self.mig_mode in (None, "disabled", "to be enabled")


@dataclass(frozen=True)
class Inventory:
    """All devices of a machine, each card before its slices."""

    devices: tuple[Device, ...] = ()
    reason: str | None = None  # why there are none
    faults: tuple[str, ...] = ()  # what is there and does not work

    @property
    def cards(self) -> tuple[Device, ...]:
        """The whole cards, in MIG mode or not."""
        return tuple(device for device in self.devices if device.parent is None)

    def slices(self, card: Device) -> tuple[Device, ...]:
        """The slices a card is cut into."""
        return tuple(device for device in self.devices if device.parent == card.uuid)

    def card_of(self, device: Device) -> Device:
        """The card a slice belongs to; a card itself."""
        return next(card for card in self.cards if card.uuid == (device.parent or device.uuid))


@dataclass(frozen=True)
class DeviceClass:
    """Devices of one machine that are alike, so that a trial may run on any of them."""

    name: str  # 'rtx-3090', '1g.10gb': also that of a Ray custom resource
    uuids: tuple[str, ...]
    memory_mib: int | None  # of each, what programs can have
    multiprocessors: int | None


@dataclass(frozen=True)
class Found:
    """A device with what NVML wants to hear when it is asked about it."""

    device: Device
    handle: Any
    card_handle: Any


def list_devices() -> Inventory:
    """Ask NVML once and let it go again. Raises nothing: what fails stands in the inventory."""
    try:
        nvml = Nvml()
    except NvmlUnavailableError as error:
        return Inventory(reason=error.reason, faults=(error.reason,) * error.faulty)
    try:
        found, faults = find_devices(nvml)
    except NvmlUnavailableError as error:
        return Inventory(reason=error.reason, faults=(error.reason,))
    finally:
        nvml.close()
    reason = None if found else faults[0] if faults else "NVML finds no GPU: a CPU node"
    return Inventory(tuple(one.device for one in found), reason, tuple(faults))


def find_devices(nvml: Nvml) -> tuple[list[Found], list[str]]:
    """All devices, and what is wrong with those that do not answer. Raises NvmlUnavailableError."""
    found: list[Found] = []
    faults: list[str] = []
    try:
        driver = nvml.ask({}, "driver", "nvmlSystemGetDriverVersion")
        count = nvml.call("nvmlDeviceGetCount")
    except nvml.lib.NVMLError as error:
        raise NvmlUnavailableError(f"NVML fails: {nvml.reason(error)}", faulty=True) from None
    for index in range(count):
        try:
            card = _card(nvml, index, driver)
            found += [card, *_slices(nvml, card)]
        except DeviceLostError as error:
            faults.append(f"gpu{index}: {error}")
        except nvml.lib.NVMLError as error:
            faults.append(f"gpu{index}: {nvml.reason(error)}")
    return found, faults


def _card(nvml: Nvml, index: int, driver: str | None) -> Found:
    missing: dict[str, str] = {}
    handle = nvml.call("nvmlDeviceGetHandleByIndex", index)
    memory = nvml.memory(missing, "memory_mib", handle)
    version = nvml.ask(missing, "capability", "nvmlDeviceGetCudaComputeCapability", handle)
    capability = version and f"{version[0]}.{version[1]}"
    cores = nvml.ask(missing, "multiprocessors", "nvmlDeviceGetNumGpuCores", handle)
    if cores and not capability:
        missing["multiprocessors"] = f"compute capability {missing['capability']}"
    device = Device(
        index,
        uuid=nvml.call("nvmlDeviceGetUUID", handle),
        name=nvml.call("nvmlDeviceGetName", handle),
        memory_mib=memory.total if memory else None,
        reserved_mib=memory.reserved if memory else 0,
        multiprocessors=cores // _CORES.get(capability, 128) if cores and capability else None,
        driver=driver,
        capability=capability,
        mig_mode=_mig_mode(nvml, missing, handle),
        missing=missing,
    )
    return Found(device, handle, handle)


def _slices(nvml: Nvml, card: Found) -> list[Found]:
    if card.device.usable:
        return []
    found = []
    for index in range(nvml.call("nvmlDeviceGetMaxMigDeviceCount", card.handle)):
        try:
            handle = nvml.call("nvmlDeviceGetMigDeviceHandleByIndex", card.handle, index)
        except nvml.lib.NVMLError_NotFound:  # the numbers have gaps
            continue
        missing: dict[str, str] = {}
        name = nvml.call("nvmlDeviceGetName", handle)
        attributes = nvml.ask(missing, "multiprocessors", "nvmlDeviceGetAttributes", handle)
        memory = nvml.memory(missing, "memory_mib", handle)
        profile = re.search(r" MIG (\S+)$", name)
        if profile is None and attributes is None:
            missing["profile"] = missing["multiprocessors"]
        device = Device(
            index,
            uuid=nvml.call("nvmlDeviceGetUUID", handle),
            name=name,
            memory_mib=memory.total if memory else None,
            reserved_mib=memory.reserved if memory else 0,
            multiprocessors=attributes and attributes.multiprocessorCount,
            driver=card.device.driver,
            capability=card.device.capability,
            profile=profile[1] if profile else attributes and _profile(attributes),
            parent=card.device.uuid,
            gpu_instance=nvml.ask(missing, "gpu_instance", "nvmlDeviceGetGpuInstanceId", handle),
            missing=missing,
        )
        found.append(Found(device, handle, card.handle))
    return found


def _profile(attributes: Any) -> str:
    """A slice's profile where its name does not tell: '2g.10gb', or '1c.2g.10gb' for a part of the compute slices."""
    whole, part = attributes.gpuInstanceSliceCount, attributes.computeInstanceSliceCount
    memory = f"{whole}g.{round(attributes.memorySizeMB / 1024)}gb"
    return memory if part == whole else f"{part}c.{memory}"


def _mig_mode(nvml: Nvml, missing: dict[str, str], handle: Any) -> str | None:
    modes = nvml.ask(missing, "mig_mode", "nvmlDeviceGetMigMode", handle)
    if modes is None:
        return None
    current, pending = modes
    if current == pending:
        return "enabled" if current else "disabled"
    return "to be enabled" if pending else "to be disabled"


def device_classes(inventory: Inventory) -> tuple[DeviceClass, ...]:
    """The usable devices of a machine, those alike together, in the order in which NVML counts them.

    A class is named after the card or after the profile. Where two classes of one machine would share a name
    ('1g.10gb' of an A100-40 and of an A100-80), the card's name, and then the memory, is added.
    """
    alike: dict[tuple[str, str, int | None, int | None], list[str]] = {}
    sharers = Counter((device.parent, device.gpu_instance) for device in inventory.devices)
    for device in filter(lambda one: one.usable, inventory.devices):
        card = _resource_name(inventory.card_of(device).name)
        name = device.profile.replace("+", ".") if device.profile else card
        memory = device.memory_mib and device.memory_mib - device.reserved_mib
        if memory and device.gpu_instance is not None:
            memory //= sharers[device.parent, device.gpu_instance]
        alike.setdefault((name, card, memory, device.multiprocessors), []).append(device.uuid)
    names = _distinct(alike)
    return tuple(DeviceClass(names[key], tuple(uuids), key[2], key[3]) for key, uuids in alike.items())


def _distinct(
    keys: Iterable[tuple[str, str, int | None, int | None]],
) -> dict[tuple[str, str, int | None, int | None], str]:
    names = {key: key[0] for key in keys}
    for added in (1, 2, 3):
        often = Counter(names.values())
        names = {
            key: f"{name}-{key[added]}" if often[name] > 1 and str(key[added]) not in name else name
            for key, name in names.items()
        }
    return names


def _resource_name(name: str) -> str:
    """'NVIDIA GeForce RTX 3090' -> 'rtx-3090'."""
    words = re.sub(r"\b(nvidia|geforce|tesla|graphics|device)\b", " ", name.lower())
    return re.sub(r"[^a-z0-9.]+", "-", words).strip("-")
