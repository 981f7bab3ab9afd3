"""What a family asks for, `gpu: 6GiB` and so on, and the part of each device that this is. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from distml.hardware.devices import DeviceClass
from distml.hardware.packing import MOST_AT_ONCE, Need, Share, share_of, share_of_fraction
from distml.sweep.cluster import is_slice

Gpu = str | float  # as a sweep file has it


@dataclass(frozen=True)
class Wish:
    """What one cohort of a family asks for."""

    cpus: int
    gpu: Gpu = "none"  # 'none', 'auto', '6GiB', 'mig:1g.10gb', 'mig:any', a fraction of a device, a number of them
    too_small_mib: int = 0  # of a slot on which one member alone ran out of memory
    # Of 'auto': class of device -> how many cohorts of this structure one holds, as was learnt. A class that is not
    # named is taken whole: the first cohort has it to itself, and is measured.
    learnt: tuple[tuple[str, int], ...] = ()

    @property
    def any_gpu(self) -> bool:
        return self.gpu != "none"

    @property
    def whole(self) -> int:
        """Devices that it takes whole; 0 for one that takes a share."""
        if isinstance(self.gpu, str):
            return 0 if self.memory_mib or self.learnt else int(self.any_gpu)
        return int(self.gpu)

    @property
    def memory_mib(self) -> int | None:
        """Memory of one device; None: it did not say."""
        return round(1024 * float(self.gpu[:-3])) if isinstance(self.gpu, str) and self.gpu.endswith("GiB") else None

    def __str__(self) -> str:
        """What it waits for: '0.25 of a GPU'."""
        if isinstance(self.gpu, str):
            auto = "a share of a GPU" if self.learnt else "a whole GPU"
            words = {"auto": auto, "mig:any": "a MIG slice", "none": "CPU cores"}
            return words.get(self.gpu, f"a {self.gpu.removeprefix('mig:')} slice")
        return f"{self.gpu:g} GPUs" if self.gpu > 1 else "a whole GPU" if self.gpu == 1 else f"{self.gpu:g} of a GPU"


def share(wish: Wish, devices: DeviceClass) -> Share:
    """The share of a class's devices that a cohort takes. None of one that does not suit: 0 slots, and why.

    What was too small is not tried again: who asked for a part of a device gets a larger one.
    """
    found = _asked_share(wish, devices)
    if not wish.too_small_mib or not found.slots or devices.memory_mib is None:
        return found
    if devices.memory_mib // found.slots > wish.too_small_mib:
        return found
    if wish.whole:
        reason = f"{devices.name} has {devices.memory_mib / 1024:.1f} GiB, on which one member ran out of memory"
        return Share(devices.name, 0, len(devices.uuids), reason)
    return share_of(Need(wish.too_small_mib + 1), devices)


def _asked_share(wish: Wish, devices: DeviceClass) -> Share:
    name, count = devices.name, len(devices.uuids)
    memory_mib = wish.memory_mib
    if memory_mib is not None and devices.memory_mib is None:
        return Share(name, 0, count, f"{name} does not tell its memory")
    if memory_mib is not None:
        return share_of(Need(memory_mib), devices)
    if isinstance(wish.gpu, str) and wish.gpu.startswith("mig:"):
        profile = wish.gpu.removeprefix("mig:").replace("+", ".")
        if not is_slice(devices):
            return Share(name, 0, count, f"{name} is a whole card")
        if profile != "any" and name != profile and not name.startswith(f"{profile}-"):
            return Share(name, 0, count, f"{name} is no {profile}")
        return Share(name, 1, count, "1 on each: a whole slice asked for")
    if wish.whole > 1 and is_slice(devices):
        return Share(name, 0, count, f"{name}: a process uses one slice only")
    if wish.whole > count:
        return Share(name, 0, count, f"{count} of {name} on a machine")
    if isinstance(wish.gpu, str):
        return _learnt_share(wish, devices)
    return share_of_fraction(min(1.0, wish.gpu), devices)


def _learnt_share(wish: Wish, devices: DeviceClass) -> Share:
    """Of 'auto': the whole device, until it is known how much of it a cohort of this structure takes."""
    name, count = devices.name, len(devices.uuids)
    slots = dict(wish.learnt).get(name)
    if slots is None:
        reason = f"1 on each until the first cohort of a structure is measured, then up to {MOST_AT_ONCE}"
        return Share(name, 1, count, reason)
    if not slots:
        return Share(name, 0, count, f"{name}: memory ran out on a whole one")
    return share_of_fraction(1 / slots, devices)


def in_order(wish: Wish, classes: Sequence[DeviceClass]) -> list[tuple[DeviceClass, Share]]:
    """The classes that suit, the one to take first before the others.

    Where memory was asked for, that is the smallest slot that holds it, so that larger ones stay free for larger
    needs; else the largest device, which trains the most at once.
    """
    suited = [(one, found) for one in classes if (found := share(wish, one)).slots]
    if wish.memory_mib is not None:
        return sorted(suited, key=lambda pair: (pair[0].memory_mib or 0) / pair[1].slots)
    return sorted(suited, key=lambda pair: (-(pair[0].multiprocessors or 0), -(pair[0].memory_mib or 0)))
