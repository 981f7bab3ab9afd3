"""Which share of a device a cohort takes, and which cohort goes where. Pure functions of needs and devices."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distml.hardware.devices import DeviceClass

RAY_UNITS = 10_000  # Ray counts a GPU in ten-thousandths
HEADROOM = 1.1  # over a measured peak: members that come later may take more, and blocks of memory never fit tight
MOST_AT_ONCE = 6  # processes that follow from a measurement: more only wait for each other, each with its own context


@dataclass(frozen=True)
class Need:
    """What one cohort takes of a device. On one with fewer multiprocessors than it asks for it takes them all."""

    memory_mib: int  # the process's fixed CUDA context included
    multiprocessors: int = 0  # those it keeps busy; 0: not known to be short of any


@dataclass(frozen=True)
class Share:
    """The part of each device of a class that a cohort takes."""

    device_class: str
    slots: int  # cohorts on one device at once; 0: not even one fits
    devices: int
    reason: str

    @property
    def gpu(self) -> float:
        """What Ray is asked for, of 'GPU' and of the resource named after the class alike. 0 where none fits."""
        return RAY_UNITS // self.slots / RAY_UNITS if self.slots else 0.0

    @property
    def at_once(self) -> int:
        """Cohorts on all devices of the class together."""
        return self.slots * self.devices


def share_of(need: Need, devices: DeviceClass) -> Share:
    """The share of a class's devices that a cohort with this need takes.

    A device is split into equal slots, as many as memory and multiprocessors both allow, and the share is one slot,
    rounded down to Ray's resolution. That makes Ray's two counts agree. Ray sums a node's fractions before it looks at
    single GPUs: for 80 cohorts at 0.18 on 2 nodes of 8 GPUs it sees room for 44 on a node, where 5 fit on each
    GPU, sends the 41st there, and waits for ever. At 1/5 it sees 40.

    >>> workstation = DeviceClass("rtx-3090", ("GPU-0", "GPU-1"), memory_mib=24_576, multiprocessors=82)
    >>> share = share_of(Need(memory_mib=4_400, multiprocessors=10), workstation)
    >>> share.slots, share.gpu, share.at_once, share.reason
    (5, 0.2, 10, '5 on each: memory (4.3 of 24.0 GiB)')
    >>> share_of(Need(memory_mib=4_400, multiprocessors=30), workstation).reason
    '2 on each: compute (30 of 82 multiprocessors)'
    >>> share_of(Need(memory_mib=30_000), workstation).reason
    'needs 29.3 GiB; rtx-3090 has 24.0 GiB'
    """
    count = len(devices.uuids)
    if devices.memory_mib is None:
        return Share(devices.name, 1, count, "1 on each: the device does not tell its memory")
    memory = f"{_gib(need.memory_mib)} of {_gib(devices.memory_mib)} GiB"
    if need.memory_mib > devices.memory_mib:
        reason = f"needs {_gib(need.memory_mib)} GiB; {devices.name} has {_gib(devices.memory_mib)} GiB"
        return Share(devices.name, 0, count, reason)
    by_memory = min(RAY_UNITS, devices.memory_mib // max(1, need.memory_mib))
    slots, reason = by_memory, f"memory ({memory})"
    if devices.multiprocessors and need.multiprocessors:
        by_compute = max(1, devices.multiprocessors // need.multiprocessors)
        if by_compute < slots:
            slots = by_compute
            reason = f"compute ({need.multiprocessors} of {devices.multiprocessors} multiprocessors)"
    return _even(slots, devices, reason)


def share_of_fraction(fraction: float, devices: DeviceClass) -> Share:
    """The share of one who asks for a fraction of a device, above 0 and up to 1: one of as many equal slots as fit.

    >>> share_of_fraction(0.3, DeviceClass("rtx-3090", ("GPU-0",), memory_mib=24_576, multiprocessors=82))
    Share(device_class='rtx-3090', slots=3, devices=1, reason='3 on each: 0.3 of a device asked for')
    """
    return _even(max(1, int(1 / fraction + 1e-9)), devices, f"{fraction:g} of a device asked for")


@dataclass(frozen=True)
class Measured:
    """What a cohort took of a device that it had to itself."""

    members: int
    memory_mib: float | None  # at its peak, the process's fixed CUDA context included; None: nobody could tell
    utilisation: float | None  # 0 to 1, of the time in which it trained; None: nobody could tell


def share_of_measured(measured: Measured | None, devices: DeviceClass, too_small_mib: int = 0) -> Share:
    """The share of a class's devices for cohorts like one that had a device of it to itself.

    As many on a device as its memory holds with HEADROOM, as its time allows (one that keeps it busy for a third of the
    time leaves room for two more), and never more than MOST_AT_ONCE. Where memory or time is not known: one, since what
    a device has left could not be told.

    Args:
        measured: None: nothing is known but the next.
        too_small_mib: a slot of so much memory was tried and did not do.

    >>> workstation = DeviceClass("rtx-3090", ("GPU-0", "GPU-1"), memory_mib=24_576, multiprocessors=82)
    >>> share_of_measured(Measured(64, 3_072, 0.3), workstation).reason
    '3 on each: one alone kept it busy for 30 % of the time; 64 members took 3.0 of 24.0 GiB'
    >>> share_of_measured(Measured(512, 9_216, 0.3), workstation).reason
    '2 on each: memory (9.9 GiB with headroom); 512 members took 9.0 of 24.0 GiB, busy 30 % of the time'
    >>> share_of_measured(Measured(8, 600, 0.02), workstation).reason.split(";")[0]
    '6 on each: more processes on one device only wait for each other'
    >>> share_of_measured(Measured(8, 600, None), workstation).reason.split(";")[0]
    '1 on each: for how much of the time one keeps it busy is not known'
    >>> share_of_measured(Measured(64, 3_072, 0.3), workstation, too_small_mib=8_192).reason.split(";")[0]
    '2 on each: memory ran out in 8.0 GiB'
    """
    count = len(devices.uuids)
    total_mib = devices.memory_mib
    if total_mib is not None and total_mib <= too_small_mib:
        return Share(devices.name, 0, count, f"{devices.name} has {_gib(total_mib)} GiB, on which memory ran out")
    slots, why, seen = _room_for(measured, total_mib)
    if total_mib is not None and total_mib // slots <= too_small_mib:
        slots, why = total_mib // (too_small_mib + 1), f"memory ran out in {_gib(too_small_mib)} GiB"
    return _even(slots, devices, "; ".join(filter(None, [why, seen])))


def _room_for(measured: Measured | None, total_mib: int | None) -> tuple[int, str, str]:
    """How many fit a device, why not more, and what was seen of one alone."""
    if measured is None:
        return 1, "none had one to itself yet", ""
    members = f"{measured.members} member{'s' * (measured.members != 1)}"
    if measured.memory_mib is None or total_mib is None:
        return 1, f"what {members} take of its memory is not known", ""
    took = f"{members} took {_gib(round(measured.memory_mib))} of {_gib(total_mib)} GiB"
    if measured.utilisation is None:
        return 1, "for how much of the time one keeps it busy is not known", took
    busy = f"{measured.utilisation:.0%}".replace("%", " %")
    need_mib = HEADROOM * measured.memory_mib
    by_memory = max(1, int(total_mib / max(1.0, need_mib)))
    by_time = max(1, int(1 / max(measured.utilisation, 1 / RAY_UNITS)))
    slots = min(by_memory, by_time, MOST_AT_ONCE)
    if slots == by_time:
        return slots, f"one alone kept it busy for {busy} of the time", took
    if slots == by_memory:
        return slots, f"memory ({_gib(round(need_mib))} GiB with headroom)", f"{took}, busy {busy} of the time"
    return slots, "more processes on one device only wait for each other", f"{took}, busy {busy} of the time"


def _even(slots: int, devices: DeviceClass, reason: str) -> Share:
    """The share of one of so many slots, or of fewer where Ray would miscount."""
    count = len(devices.uuids)
    even = next(slots for slots in range(min(slots, RAY_UNITS), 0, -1) if _sums_agree(slots, count))
    if even < slots:
        reason += f", and not {slots} so that Ray counts right"
    return Share(devices.name, even, count, f"{even} on each: {reason}")


def _sums_agree(slots: int, devices: int) -> bool:
    """Whether Ray's sum over the devices of a node admits no cohort more than the devices hold."""
    return devices * RAY_UNITS // (RAY_UNITS // slots) == devices * slots


def allocator_cap(slot_mib: float, memory_mib: float, context_mib: float) -> float:
    """The part of a device's memory that a process's allocator may take: its slot less its fixed CUDA context.

    For torch.cuda.set_per_process_memory_fraction.

    >>> round(allocator_cap(slot_mib=24_576 // 5, memory_mib=24_576, context_mib=500), 4)
    0.1796
    """
    return min(1.0, max(0.0, slot_mib - context_mib) / memory_mib)


@dataclass(frozen=True)
class Slot:
    """What is free on one device."""

    name: str  # 'node3 gpu1'
    memory_mib: int
    multiprocessors: int
    of_multiprocessors: int | None = None  # that it has, free or not; None: all are free


@dataclass(frozen=True)
class Packing:
    """Which cohort goes where, and why the others wait."""

    placed: Mapping[str, str]  # cohort -> slot
    waiting: Mapping[str, str]  # cohort -> reason


def pack(needs: Mapping[str, Need], slots: Sequence[Slot]) -> Packing:
    """Give cohorts their places: the largest first, each where the least memory is left over that still suffices.

    No slot is given more than it has, and nobody waits who would fit what is left. Best fit of the largest first is
    not always the most that could be placed (that is bin packing), but it is where needs are alike. n needs on m slots
    take n log n + n log m comparisons while the free amounts that differ are few, as they are with few structures.

    >>> slots = [Slot("node1 gpu0", 24_576, 82), Slot("node2 2g.10gb", 9_984, 28)]
    >>> packing = pack({"c1": Need(20_000, 40), "c2": Need(9_318, 20), "c3": Need(9_318, 20)}, slots)
    >>> packing.placed
    {'c1': 'node1 gpu0', 'c2': 'node2 2g.10gb'}
    >>> packing.waiting
    {'c3': 'needs 9.1 GiB on one device; the best free is 4.5 GiB on node1 gpu0'}
    """
    free: dict[_Room, list[str]] = {}
    for slot in reversed(slots):  # so that the first of those alike is taken first
        in_all = slot.multiprocessors if slot.of_multiprocessors is None else slot.of_multiprocessors
        free.setdefault(_Room(slot.memory_mib, slot.multiprocessors, in_all), []).append(slot.name)
    rooms = sorted(free)
    refused: dict[Need, str] = {}  # what is free only shrinks: a need once refused stays so
    placed: dict[str, str] = {}
    waiting: list[str] = []
    for cohort, need in sorted(needs.items(), key=lambda item: (-item[1].memory_mib, -item[1].multiprocessors)):
        room = None if need in refused else next(_fitting(need, rooms), None)
        if room is None:
            refused[need] = ""
            waiting.append(cohort)
            continue
        placed[cohort] = free[room].pop()
        if not free[room]:
            del free[room]
            rooms.remove(room)
        left = room.less(need)
        if left not in free:
            free[left] = []
            insort(rooms, left)
        free[left].append(placed[cohort])
    for need in refused:
        refused[need] = _why(need, rooms, free)
    return Packing(placed, {cohort: refused[needs[cohort]] for cohort in waiting})


class _Room(NamedTuple):
    """What is free on a device; in order of memory."""

    memory_mib: int
    multiprocessors: int
    in_all: int  # multiprocessors, free or not

    def less(self, need: Need) -> "_Room":
        taken = min(need.multiprocessors, self.in_all)
        return _Room(self.memory_mib - need.memory_mib, self.multiprocessors - taken, self.in_all)


def _fitting(need: Need, rooms: Sequence[_Room]) -> Iterator[_Room]:
    """The rooms that a need fits, that with the least memory first."""
    for room in rooms[bisect_left(rooms, _Room(need.memory_mib, 0, 0)) :]:
        if min(need.multiprocessors, room.in_all) <= room.multiprocessors:
            yield room


def _why(need: Need, rooms: Sequence[_Room], free: Mapping[_Room, Sequence[str]]) -> str:
    """Why a need waits, by what is free in the end."""
    asked = f"needs {_gib(need.memory_mib)} GiB on one device"
    if not rooms:
        return f"{asked}; there is none"
    best = rooms[-1]
    if best.memory_mib < need.memory_mib:
        return f"{asked}; the best free is {_gib(best.memory_mib)} GiB on {free[best][-1]}"
    best = max((room for room in rooms if room.memory_mib >= need.memory_mib), key=lambda room: room.multiprocessors)
    compute = f"{min(need.multiprocessors, best.in_all)} multiprocessors and {_gib(need.memory_mib)} GiB"
    there = f"{best.multiprocessors} and {_gib(best.memory_mib)} GiB on {free[best][-1]}"
    return f"needs {compute} on one device; the best free is {there}"


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f}"
