"""What a cohort cost: seconds, utilisation, memory and energy, from a node's samples and who held what when."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from distml.hardware.devices import Device, Inventory
from distml.hardware.mig import recognise_card
from distml.hardware.samples import DeviceSample, Sample

ENERGY_RULE = (
    "the card's energy by the share of its multiprocessors and by time; what nobody held is nobody's; "
    "estimated unless the card was held whole"
)
_T = TypeVar("_T")
_WHOLE = 1 - 1e-9
_EDGES = 0.1  # of the time held: where more lies in intervals that were held in part, energy counts as estimated


@dataclass(frozen=True)
class Occupancy:
    """A cohort on a device from one moment to another."""

    cohort: str
    device: str  # UUID
    start: float  # Unix seconds
    end: float
    share: float = 1.0  # of the device: 0.25 for a quarter of a GPU
    pids: tuple[int, ...] = ()  # its processes, as the host counts


@dataclass(frozen=True)
class Board:
    """Where a device's energy is measured."""

    card: str  # UUID
    share: float | None  # of the card's multiprocessors that are the device's; None: not known


@dataclass(frozen=True)
class Cost:
    """What one cohort took. What is not known is None, and `missing` says why."""

    gpu_seconds: float  # time held, by the share of the device: half a GPU for 10 s is 5
    utilisation: float | None  # 0 to 1, the mean over the time held, of the whole device whoever else was on it
    peak_memory_mib: float | None
    energy_j: float | None
    energy_estimated: bool
    missing: Mapping[str, str] = field(default_factory=dict)


def boards(inventory: Inventory) -> dict[str, Board]:
    """For each device, the card that its energy is measured on, and its share of that card.

    A slice's share is that of the multiprocessors that slices can have: 42 of 98 for a 3g.20gb of an A100, although
    the card has 108 without MIG.
    """
    return {device.uuid: _board(device, inventory) for device in inventory.devices}


def _board(device: Device, inventory: Inventory) -> Board:
    if device.parent is None:
        return Board(device.uuid, 1.0)
    card = inventory.card_of(device)
    known = recognise_card(card.name, card.memory_mib or 0)
    in_all = known.multiprocessors if known else card.multiprocessors
    share = device.multiprocessors / in_all if device.multiprocessors and in_all else None
    return Board(card.uuid, share)


def attribute(
    samples: Sequence[Sample], occupancies: Iterable[Occupancy], boards: Mapping[str, Board]
) -> dict[str, Cost]:
    """What each cohort took of one node, by its name.

    Each sample stands for the time since the one before it. Energy follows ENERGY_RULE; an interval that was held in
    part counts in proportion to time, and time that no sample covers at the mean power of the time that one does.

    >>> def card(joules):
    ...     return DeviceSample("GPU-0", utilisation=0.5, memory_used_mib=900, energy_j=joules, energy_seconds=1)
    >>> node = [Sample(second, None, (card(joules),)) for second, joules in [(1, 100), (2, 300), (3, 200)]]
    >>> held = [Occupancy("c1", "GPU-0", 0, 3, share=0.25), Occupancy("c2", "GPU-0", 1, 3, share=0.5)]
    >>> costs = attribute(node, held, {"GPU-0": Board("GPU-0", 1.0)})
    >>> costs["c1"].energy_j, costs["c2"].energy_j, costs["c2"].gpu_seconds, costs["c2"].energy_estimated
    (150.0, 250.0, 1.0, True)
    """
    timeline = _Timeline(samples)
    held: dict[str, list[Occupancy]] = defaultdict(list)
    for occupancy in occupancies:
        held[occupancy.cohort].append(occupancy)
    return {cohort: _cost(timeline, some, boards) for cohort, some in held.items()}


class _Timeline:
    """By device, what each sample says of which time; and apart, as a gap does not part it, the energy."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.readings: dict[str, list[tuple[float, float, DeviceSample]]] = defaultdict(list)
        self.energy: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        before: float | None = None
        for sample in samples:
            now = sample.time
            for device in sample.devices:
                start = now - (device.energy_seconds or 0.0) if before is None else before
                self.readings[device.uuid].append((start, now, device))
                if device.energy_j is not None and device.energy_seconds:
                    self.energy[device.uuid].append((now - device.energy_seconds, now, device.energy_j))
            before = now


def _during(timeline: Sequence[tuple[float, float, _T]], one: Occupancy) -> Iterator[tuple[float, float, _T]]:
    """What falls into the time held: for how many seconds of it, and for how many in all."""
    for start, end, value in timeline[bisect_right(timeline, one.start, key=lambda entry: entry[1]) :]:
        if start >= one.end:
            return
        seconds = min(one.end, end) - max(one.start, start)
        if seconds > 0:
            yield seconds, end - start, value


def _cost(timeline: _Timeline, held: Sequence[Occupancy], boards: Mapping[str, Board]) -> Cost:
    missing: dict[str, str] = {}
    busy = watched = 0.0
    peaks: list[float] = []
    energies: list[float | None] = []
    estimated = False
    for one in held:
        for seconds, _, device in _during(timeline.readings[one.device], one):
            missing |= {name: reason for name, reason in device.missing.items() if name == "utilisation"}
            if device.utilisation is not None:
                busy += device.utilisation * seconds
                watched += seconds
            memory = _memory(one, device, missing)
            if memory is not None:
                peaks.append(memory)
        joules, guessed = _energy(timeline, one, boards.get(one.device), missing)
        energies.append(joules)
        estimated |= guessed
    known = [joules for joules in energies if joules is not None]
    cost = Cost(
        gpu_seconds=sum((one.end - one.start) * one.share for one in held),
        utilisation=busy / watched if watched else None,
        peak_memory_mib=max(peaks, default=None),
        energy_j=sum(known) if len(known) == len(energies) else None,
        energy_estimated=estimated,
    )
    unknown = [name for name in ("utilisation", "peak_memory_mib", "energy_j") if getattr(cost, name) is None]
    return replace(cost, missing={name: missing.get(name, "no sample fell into the time") for name in unknown})


def _memory(one: Occupancy, device: DeviceSample, missing: dict[str, str]) -> float | None:
    """MiB of the cohort's own processes; where those are not told apart, of the device, if it was held whole."""
    own = [process.memory_mib for process in device.processes or () if process.pid in one.pids]
    told = [memory for memory in own if memory is not None]
    if told and len(told) == len(own):
        return sum(told)
    if one.share >= _WHOLE:
        missing["peak_memory_mib"] = device.missing.get("memory_used_mib", "")
        return device.memory_used_mib
    missing["peak_memory_mib"] = "the device was shared, and the driver does not tell its processes' memory"
    return None


def _energy(
    timeline: _Timeline, one: Occupancy, board: Board | None, missing: dict[str, str]
) -> tuple[float | None, bool]:
    """Joules by ENERGY_RULE, and whether they are estimated."""
    if board is None or board.share is None:
        missing["energy_j"] = "the device's share of its card is not known"
        return None, False
    share = board.share * one.share
    joules = covered = in_part = 0.0
    for seconds, length, energy in _during(timeline.energy[board.card], one):
        joules += energy * share * seconds / length
        covered += seconds
        if seconds < length * _WHOLE:
            in_part += seconds
    if not covered:
        for _, _, device in _during(timeline.readings[board.card], one):
            missing |= {name: reason for name, reason in device.missing.items() if name == "energy_j"}
        return None, False
    time_held = one.end - one.start
    uncovered = max(0.0, time_held - covered)
    joules += joules / covered * uncovered
    return joules, share < _WHOLE or in_part + uncovered > _EDGES * time_held
