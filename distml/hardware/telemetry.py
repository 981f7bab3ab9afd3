"""The sampler: one a node, once a second. It goes on whatever becomes of the cards; what it misses is a gap."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from distml.hardware.devices import Found, Inventory, find_devices
from distml.hardware.gpm import SliceUtilisation
from distml.hardware.nvml import DeviceLostError, Nvml, NvmlUnavailableError, SliceGoneError
from distml.hardware.samples import DeviceSample, HostSample, ProcessUse, Sample

_MIB = 2**20
_THROTTLES = {  # nvmlClocksEventReasons; 0x1, idle, is no reason to worry
    0x2: "clocks set by the administrator",
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x10: "clocks kept equal with another GPU",
    0x20: "temperature (software)",
    0x40: "temperature (hardware)",
    0x80: "power brake",
    0x100: "display",
}
_OF_THE_BOARD = ("power_w", "energy_j", "energy_seconds", "temperature_c", "sm_clock_mhz", "memory_clock_mhz")
_SLICE_MISSING = dict.fromkeys([*_OF_THE_BOARD, "throttled_by"], "NVML measures it for the whole card alone")
_CUT_MISSING = {
    "utilisation": "NVML gives none for a card in MIG mode",
    "processes": "they run on the card's slices",
}


class Sampler:
    """Reads a node's devices and the host. Handles are kept from one sample to the next; nothing is raised.

    A driver that was exchanged for another version is readable again in a new process only: until then every sample
    says so.
    """

    def __init__(self, disk: Path = Path(), clock: Callable[[], float] = time.time) -> None:
        """disk: a folder on the disk to be watched; clock: Unix seconds."""
        self._disk = disk
        self._clock = clock
        self._nvml: Nvml | None = None
        self._found: list[Found] = []
        self._slices: dict[str, SliceUtilisation] = {}
        self._energy: dict[str, tuple[float, int]] = {}  # card -> time and millijoules of the last reading
        self._stale = False  # what is known of the devices has to be asked again
        self._gap: str | None = None
        self._final = False  # there is no NVML, and there will be none
        psutil.cpu_percent()  # the first answer has nothing to look back on
        self._open()

    @property
    def inventory(self) -> Inventory:
        """The devices that are sampled."""
        return Inventory(tuple(one.device for one in self._found), None if self._found else self._gap)

    def sample(self) -> Sample:
        """The node now."""
        now = self._clock()
        if self._stale:
            self._close()
        if self._nvml is None and not self._final:
            self._open()
        devices: tuple[DeviceSample, ...] = ()
        if self._nvml is not None:
            try:
                devices = tuple(self._device(self._nvml, one, now) for one in self._found)
            except NvmlUnavailableError as error:
                self._gap = error.reason
                self._close()
        if self._nvml is None:
            devices = tuple(DeviceSample.gap(one.device.uuid, self._gap or "") for one in self._found)
        return Sample(now, self._host(), devices, self._gap)

    def close(self) -> None:
        """Let NVML go."""
        self._close()
        self._final = True

    def _open(self) -> None:
        self._stale = False
        try:
            self._nvml = Nvml()
            self._found, faults = find_devices(self._nvml)
            self._slices = {
                one.device.uuid: SliceUtilisation(self._nvml, one) for one in self._found if one.device.parent
            }
        except (NvmlUnavailableError, DeviceLostError) as error:
            self._gap = str(error)
            self._final = isinstance(error, NvmlUnavailableError) and not error.faulty
            self._close()
        else:
            self._gap = "; ".join(faults) or (None if self._found else "NVML finds no GPU: a CPU node")

    def _close(self) -> None:
        if self._nvml is not None:
            for one in self._slices.values():
                try:
                    one.close()
                except (NvmlUnavailableError, self._nvml.lib.NVMLError):
                    break  # with the driver went the samples
            self._slices = {}
            self._nvml.close()
            self._nvml = None

    def _device(self, nvml: Nvml, found: Found, now: float) -> DeviceSample:
        device = found.device
        missing: dict[str, str] = {}
        try:
            memory = nvml.memory(missing, "memory_used_mib", found.handle)
            used = memory.used if memory else None
            if device.parent:
                utilisation = self._slices[device.uuid].read(missing, now)
                processes = self._processes(nvml, missing, found.handle)
                return DeviceSample(
                    device.uuid, utilisation, used, processes=processes, missing={**_SLICE_MISSING, **missing}
                )
            self._stale |= self._cut_anew(nvml, found)
            return self._card(nvml, found, now, used, missing)
        except DeviceLostError as error:
            self._stale |= isinstance(error, SliceGoneError)
            return DeviceSample.gap(device.uuid, str(error))

    def _card(self, nvml: Nvml, found: Found, now: float, used: float | None, missing: dict[str, str]) -> DeviceSample:
        lib, handle = nvml.lib, found.handle

        def ask(what: str, function: str, *arguments: Any, older: str = "") -> Any:
            return nvml.ask(missing, what, function, handle, *arguments, older=older)

        utilisation, processes = None, None
        if found.device.usable:
            rates = ask("utilisation", "nvmlDeviceGetUtilizationRates")
            utilisation = None if rates is None else rates.gpu / 100
            processes = self._processes(nvml, missing, handle)
        else:
            missing |= _CUT_MISSING
        milliwatts = ask("power_w", "nvmlDeviceGetPowerUsage")
        energy_j, energy_seconds = self._energy_since(nvml, missing, found, now)
        throttles = ask(
            "throttled_by", "nvmlDeviceGetCurrentClocksEventReasons", older="nvmlDeviceGetCurrentClocksThrottleReasons"
        )
        sensor = lib.NVML_TEMPERATURE_GPU
        return DeviceSample(
            found.device.uuid,
            utilisation,
            used,
            None if milliwatts is None else milliwatts / 1000,
            energy_j,
            energy_seconds,
            ask("temperature_c", "nvmlDeviceGetTemperatureV", sensor, older="nvmlDeviceGetTemperature"),
            ask("sm_clock_mhz", "nvmlDeviceGetClockInfo", lib.NVML_CLOCK_SM),
            ask("memory_clock_mhz", "nvmlDeviceGetClockInfo", lib.NVML_CLOCK_MEM),
            None if throttles is None else tuple(words for bit, words in _THROTTLES.items() if throttles & bit),
            processes,
            missing,
        )

    def _energy_since(
        self, nvml: Nvml, missing: dict[str, str], found: Found, now: float
    ) -> tuple[float | None, float | None]:
        """Joules and seconds since the counter was last read: a gap in between is covered by it, too."""
        counter = nvml.ask(missing, "energy_j", "nvmlDeviceGetTotalEnergyConsumption", found.handle)
        if counter is not None:
            before = self._energy.get(found.device.uuid)
            self._energy[found.device.uuid] = (now, counter)
            if before is None:
                missing["energy_j"] = "the first sample: there is nothing to compare it with"
            elif counter < before[1] or now <= before[0]:
                missing["energy_j"] = "the counter began anew: was the driver loaded again?"
            else:
                return (counter - before[1]) / 1000, now - before[0]
        missing["energy_seconds"] = missing["energy_j"]
        return None, None

    def _processes(self, nvml: Nvml, missing: dict[str, str], handle: Any) -> tuple[ProcessUse, ...] | None:
        function = "nvmlDeviceGetComputeRunningProcesses_v"
        found = nvml.ask(missing, "processes", f"{function}3", handle, older=f"{function}2")
        if found is None:
            return None
        return tuple(
            ProcessUse(one.pid, None if one.usedGpuMemory is None else one.usedGpuMemory / _MIB) for one in found
        )

    def _cut_anew(self, nvml: Nvml, found: Found) -> bool:
        """Whether MIG was switched on or off since the devices were listed."""
        modes = nvml.ask({}, "mig_mode", "nvmlDeviceGetMigMode", found.handle)
        return modes is not None and bool(modes[0]) == found.device.usable

    def _host(self) -> HostSample:
        memory = psutil.virtual_memory()
        missing: dict[str, str] = {}
        free = None
        try:
            free = psutil.disk_usage(str(self._disk)).free / _MIB
        except OSError as error:
            missing["disk_free_mib"] = error.strerror or str(error)
        return HostSample(
            psutil.cpu_percent() / 100, (memory.total - memory.available) / _MIB, memory.total / _MIB, free, missing
        )
