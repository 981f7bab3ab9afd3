"""How a machine joins a cluster: in parts, each with cores and with devices that are all alike."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from distml.errors import DistmlError
from distml.hardware.devices import DeviceClass, Inventory


@dataclass(frozen=True)
class Part:
    """What one raylet has to give."""

    cores: int
    devices: DeviceClass | None = None

    @property
    def uuids(self) -> tuple[str, ...]:
        """What CUDA_VISIBLE_DEVICES is for it."""
        return self.devices.uuids if self.devices else ()


def parts_of(classes: Sequence[DeviceClass], cores: int) -> tuple[Part, ...]:
    """One part for each class of device, and one for the cores that are left, in this order.

    Half of the cores go to the devices, as many to each, and never less than one: a cohort on a device needs one, and
    several may share a device. Cores of their own keep families without a GPU from taking those of the devices.

    >>> workstation = DeviceClass("rtx-3090", ("GPU-0", "GPU-1"), memory_mib=24_576, multiprocessors=82)
    >>> [(part.cores, part.uuids) for part in parts_of([workstation], cores=16)]
    [(8, ('GPU-0', 'GPU-1')), (8, ())]
    >>> [(part.cores, part.uuids) for part in parts_of([workstation], cores=2)]
    [(2, ('GPU-0', 'GPU-1'))]
    >>> [(part.cores, part.uuids) for part in parts_of([], cores=16)]
    [(16, ())]
    """
    devices = sum(len(one.uuids) for one in classes)
    each = max(1, cores // 2 // devices) if devices else 0
    parts = [Part(each * len(one.uuids), one) for one in classes]
    left = cores - each * devices
    return (*parts, Part(left)) if left > 0 or not parts else tuple(parts)


NO_DEVICE = ("", "-1")  # in CUDA_VISIBLE_DEVICES: of what stands there and after it CUDA sees nothing


def narrowed(classes: Sequence[DeviceClass], inventory: Inventory, visible: str | None) -> tuple[DeviceClass, ...]:
    """The classes without the devices that CUDA_VISIBLE_DEVICES leaves out; None: it is not set.

    Raises:
        DistmlError: it names what is not there.
    """
    if visible is None:
        return tuple(classes)
    known = {uuid: uuid for one in classes for uuid in one.uuids}
    cards = {str(card.index): card.uuid for card in inventory.cards if card.usable}
    words = itertools.takewhile(lambda word: word not in NO_DEVICE, map(str.strip, visible.split(",")))
    chosen = {_uuid(word, known, cards, visible) for word in words}
    kept = [replace(one, uuids=tuple(uuid for uuid in one.uuids if uuid in chosen)) for one in classes]
    return tuple(one for one in kept if one.uuids)


def _uuid(word: str, known: Mapping[str, str], cards: Mapping[str, str], visible: str) -> str:
    """The device that CUDA takes a word of its variable for: a number, or the beginning of one UUID."""
    found = [cards[word]] if word in cards else [uuid for uuid in known if uuid.startswith(word)]
    if len(found) == 1:
        return found[0]
    there = f"there are {', '.join(known)}" if known else "there is none"
    raise DistmlError(
        f"CUDA_VISIBLE_DEVICES is {visible!r}, but {word!r} is not one usable device here; {there}. "
        "Unset it, or name devices by UUID"
    )
