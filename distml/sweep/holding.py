"""Who holds which device: what a cohort's process tells, and which device that is. Light enough for samplers."""

from collections.abc import Sequence
from dataclasses import dataclass

from distml.hardware.attribution import Cost, Occupancy
from distml.hardware.devices import Device, Inventory


@dataclass(frozen=True)
class Holding:
    """A cohort on a node from one rung's end to the next one's, as its own process tells it."""

    node: str  # Ray's id of it
    devices: tuple[str, ...]  # as in CUDA_VISIBLE_DEVICES; empty where it holds none
    share: float  # of each of them
    start: float  # Unix seconds by the node's clock, which its sampler goes by, too
    end: float
    pid: int
    peak_memory_mib: float | None = None  # of its own allocator, with its fixed CUDA context; None: it has none

    @property
    def gpu_seconds(self) -> float | None:
        """None: it holds no GPU."""
        return (self.end - self.start) * self.share * len(self.devices) if self.devices else None


def visible_devices(variable: str | None, gpus: float) -> tuple[tuple[str, ...], float]:
    """The devices that a process may use, and its share of each.

    Args:
        variable: CUDA_VISIBLE_DEVICES as Ray set it.
        gpus: what it asked for.

    >>> visible_devices("GPU-3090", 0.25), visible_devices("0,1", 2), visible_devices("0", 0)
    ((('GPU-3090',), 0.25), (('0', '1'), 1.0), ((), 0.0))
    """
    devices = tuple(filter(None, (variable or "").replace(" ", "").split(","))) if gpus else ()
    return devices, min(1.0, gpus / len(devices)) if devices else 0.0


def find_device(visible: str, inventory: Inventory) -> Device | None:
    """The device that an element of CUDA_VISIBLE_DEVICES names: a UUID, the beginning of one, or a card's number."""
    if visible.isdecimal():
        card = next((card for card in inventory.cards if card.index == int(visible)), None)
        if card is None or card.usable:
            return card
        return next(iter(inventory.slices(card)), None)  # of a card in MIG mode, CUDA sees the first slice
    found = [device for device in inventory.devices if device.uuid.startswith(visible)]
    return found[0] if len(found) == 1 else next((one for one in found if one.uuid == visible), None)


def device_name(device: Device, inventory: Inventory) -> str:
    """'gpu0 RTX 3090', 'gpu1 3g.20gb'.

    >>> card = Device(0, "GPU-0", "NVIDIA GeForce RTX 3090", 24576, 82, None)
    >>> device_name(card, Inventory((card,)))
    'gpu0 RTX 3090'
    """
    card = inventory.card_of(device)
    return f"gpu{card.index} {device.profile or device.name.removeprefix('NVIDIA ').removeprefix('GeForce ')}"


def occupancies(cohort: str, holding: Holding, devices: Sequence[Device]) -> list[Occupancy]:
    """The same for attribution; devices: those that the holding names."""
    return [
        Occupancy(cohort, device.uuid, holding.start, holding.end, holding.share, (holding.pid,)) for device in devices
    ]


def unknown_cost(holding: Holding, reason: str) -> Cost:
    """What is known where no sampler answers: the time alone."""
    missing = dict.fromkeys(("utilisation", "peak_memory_mib", "energy_j"), reason)
    return Cost(holding.gpu_seconds or 0.0, None, None, None, False, missing)
