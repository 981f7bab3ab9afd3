"""The machine as a record names it: its processor, its devices, its versions, and what it costs."""

import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Callable
from pathlib import Path

import psutil

from distml.bench.arms import Subject
from distml.bench.record import DeviceFacts, Machine
from distml.bench.site import Site
from distml.errors import DistmlError, did_you_mean
from distml.hardware.board import BoardFacts, board_facts
from distml.hardware.devices import Device, Inventory, device_classes
from distml.hardware.parts import NO_DEVICE
from distml.training.processor import processor_text

PROCESSOR = "cpu"  # what --device and a site file call it
_PACKAGES = ("distml", "torch", "scikit-learn", "numpy", "scipy")


def choose_subject(
    inventory: Inventory,
    cores: int,
    mps: Callable[[str], str | None],
    asked: str | None = None,
    visible: str | None = None,
) -> Subject:
    """Which device is measured: the asked one; else the first whole card, the first cut one, or the processor.

    Args:
        mps: where an MPS daemon listens for a card (UUID), if one does.
        asked: 'cpu', 'gpu0', a class like 'rtx-3090' or '1g.10gb', or a UUID.
        visible: CUDA_VISIBLE_DEVICES, whose first device goes before all others where none is asked for.

    Raises:
        DistmlError: there is no such device, or it is a cut card without slices.
    """
    if asked is None and visible is not None:
        first = visible.split(",")[0].strip()
        asked = PROCESSOR if first in NO_DEVICE else f"gpu{first}" if first.isdecimal() else first
    card = None if asked == PROCESSOR else _first(inventory) if asked is None else _named(inventory, asked)
    if card is None:
        return Subject(cores)
    if card.usable:
        return Subject(cores, card=card.uuid, mps=mps(card.uuid))
    slices = tuple(one.uuid for one in inventory.slices(card))
    if not slices:
        raise DistmlError(f"gpu{card.index} is in MIG mode and has no slice; see: distml mig plan")
    return Subject(cores, slices=slices)


def _first(inventory: Inventory) -> Device | None:
    whole = [card for card in inventory.cards if card.usable]
    return next(iter([*whole, *(card for card in inventory.cards if inventory.slices(card))]), None)


def _named(inventory: Inventory, asked: str) -> Device:
    names = {f"gpu{card.index}": card for card in inventory.cards}
    by_uuid = {one.uuid: inventory.card_of(one) for one in inventory.devices}
    names |= {one.name: by_uuid[one.uuids[0]] for one in reversed(device_classes(inventory))}
    if asked in names:
        return names[asked]
    if asked in by_uuid:
        return by_uuid[asked]
    there = [*names, PROCESSOR]
    raise DistmlError(f"no device {asked!r} here.{did_you_mean(asked, there)} There are: {', '.join(there)}")


def card_of(subject: Subject, inventory: Inventory) -> Device | None:
    """The card that is measured, whole or by its slices; None: the processor."""
    wanted = subject.card or next(iter(subject.slices), None)
    return next((inventory.card_of(one) for one in inventory.devices if one.uuid == wanted), None)


def describe(subject: Subject, inventory: Inventory, site: Site) -> Machine:
    """The machine now."""
    card = card_of(subject, inventory)
    board = board_facts(card.uuid) if card else BoardFacts()
    clock, battery, processor = psutil.cpu_freq(), psutil.sensors_battery(), processor_name()
    missing = {"device": inventory.reason or "the processor was asked for"} if card is None else {}
    if "cuda" in board.missing:
        missing["cuda"] = board.missing["cuda"]
    price = site.price([card.name, *_class_names(card, inventory)] if card else [PROCESSOR])
    if price is None:
        missing["price"] = site.no_price
    return Machine(
        identity=identity(inventory),
        label=_label(card) if card else f"{_short(processor)}, {subject.cores} core{'s' * (subject.cores != 1)}",
        system=f"{platform.system()} {platform.machine()}",
        processor=processor,
        cores=subject.cores,
        memory_mib=psutil.virtual_memory().total // 2**20,
        processor_clock_mhz=clock.current if clock and clock.current else None,
        device=_facts(card, inventory, board) if card else None,
        others=tuple(_facts(one, inventory, None) for one in inventory.cards if card is None or one.uuid != card.uuid),
        driver=card.driver if card else None,
        cuda=board.cuda,
        mps=subject.mps is not None,
        on_battery=None if battery is None else not battery.power_plugged,
        price=price,
        versions={"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        missing=missing,
    )


def identity(inventory: Inventory) -> str:
    """Tells this machine from others without naming it."""
    cards = [card.uuid for card in inventory.cards]
    facts = [platform.node(), processor_name(), str(psutil.cpu_count()), *cards]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def processor_name() -> str:
    """As its maker has it; the architecture where the system does not tell."""
    named = re.search(r"^model name\s*:\s*(.+)$", processor_text(), re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def throttle_count(root: Path = Path("/sys/devices/system/cpu")) -> int | None:
    """How often the processor's cores slowed down for their heat since the machine started; None: it does not tell."""
    counts = [int(file.read_text()) for file in root.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    return sum(counts) if counts else None


def _facts(card: Device, inventory: Inventory, board: BoardFacts | None) -> DeviceFacts:
    known = board or BoardFacts(missing={"clocks": "not asked: another device was measured"})
    missing = {**card.missing, **known.missing}
    missing.pop("cuda", None)
    return DeviceFacts(
        name=card.name,
        uuid=card.uuid,
        memory_mib=card.memory_mib,
        multiprocessors=card.multiprocessors,
        capability=card.capability,
        mig_mode=card.mig_mode,
        mig_layout=tuple(one.profile or "?" for one in inventory.slices(card)),
        sm_clock_mhz=known.sm_clock_mhz,
        memory_clock_mhz=known.memory_clock_mhz,
        power_cap_w=known.power_cap_w,
        missing=missing,
    )


def _class_names(card: Device, inventory: Inventory) -> list[str]:
    mine = {card.uuid, *(one.uuid for one in inventory.slices(card))}
    return [one.name for one in device_classes(inventory) if mine & set(one.uuids)]


def _label(card: Device) -> str:
    """'NVIDIA GeForce RTX 3090' -> 'RTX 3090'."""
    return card.name.removeprefix("NVIDIA ").removeprefix("GeForce ")


def _short(processor: str) -> str:
    """'AMD EPYC 9B14 96-Core Processor' -> 'AMD EPYC 9B14'."""
    return re.sub(r"(\(R\)|\(TM\)|\bCPU\b|\d+-Core|\bProcessor\b|@.*)", "", processor).strip() or processor


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
