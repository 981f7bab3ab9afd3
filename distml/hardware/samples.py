"""What telemetry says of a node at one moment. What could not be read is None, and `missing` says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class ProcessUse:
    """A process that computes on a device."""

    pid: int  # as the host counts, which in a container is not what the process itself sees
    memory_mib: float | None  # None: the driver does not tell


@dataclass(frozen=True)
class DeviceSample:
    """A card or a slice."""

    uuid: str
    utilisation: float | None = None  # 0 to 1: part of the time in which anything ran on it
    memory_used_mib: float | None = None
    power_w: float | None = None  # as its sensor has it: a mean over 1 s on some cards, a moment on others
    energy_j: float | None = None  # of the last `energy_seconds`, from the card's own counter
    energy_seconds: float | None = None
    temperature_c: int | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    throttled_by: tuple[str, ...] | None = None
    processes: tuple[ProcessUse, ...] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def gap(cls, uuid: str, reason: str) -> "DeviceSample":
        """Nothing known, for one reason."""
        unread = [one.name for one in fields(cls) if one.name not in ("uuid", "missing")]
        return cls(uuid, missing=dict.fromkeys(unread, reason))


@dataclass(frozen=True)
class HostSample:
    """The machine around the devices."""

    utilisation: float  # 0 to 1, of all cores together, since the last sample
    memory_used_mib: float  # what could not be had by a new program
    memory_mib: float
    disk_free_mib: float | None  # where runs are written
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One node at one moment."""

    time: float  # Unix seconds
    host: HostSample
    devices: tuple[DeviceSample, ...]
    gap: str | None = None  # why there are no devices, or nothing is known of them
