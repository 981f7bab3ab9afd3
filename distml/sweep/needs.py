"""What cohorts of each structure took of each class of device when they had one to themselves, and the share that later
ones take. Who measures, and who writes it down, is told elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from distml.hardware.devices import DeviceClass
from distml.hardware.packing import Measured, share_of_measured

Event = dict[str, Any]


@dataclass(frozen=True)
class Need:
    """What is known of one structure on one class of device."""

    measured: Measured | None = None  # None: not yet
    too_small_mib: int = 0  # of a slot on which memory ran out
    slots: int = 1  # cohorts on one device at once; 0: not even one
    reason: str = ""


class Needs:
    """All that a sweep has learnt so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], dict[str, Need]] = {}  # (family, structure) -> class of device -> need
        self._events: list[Event] = []

    def measure(self, family: str, structure: str, devices: DeviceClass, measured: Measured) -> bool:
        """A cohort had a device of this class to itself; whether later ones take another share than before."""
        need = self._need(family, structure, devices)
        return self._decide(family, structure, devices, replace(need, measured=_most(need.measured, measured)))

    def too_small(self, family: str, structure: str, devices: DeviceClass, slot_mib: int) -> bool:
        """Memory ran out on a slot of so much; whether later ones take another share than before."""
        need = self._need(family, structure, devices)
        return self._decide(family, structure, devices, replace(need, too_small_mib=max(need.too_small_mib, slot_mib)))

    def slots(self, family: str, structure: str) -> tuple[tuple[str, int], ...]:
        """Class of device -> how many cohorts of this structure one holds at once, for the classes that are known."""
        known = self._known.get((family, structure), {})
        return tuple(sorted((kind, need.slots) for kind, need in known.items()))

    def recall(self, event: Mapping[str, Any]) -> None:
        """Take up what an earlier driver of this sweep wrote down."""
        measured = None
        if event["members"] is not None:
            measured = Measured(event["members"], event["memory_mib"], event["utilisation"])
        need = Need(measured, event["too_small_mib"], event["slots"], event["reason"])
        self._known.setdefault((event["family"], event["structure"]), {})[event["kind"]] = need

    def take_events(self) -> list[Event]:
        """What was decided since the last call, for the journal."""
        events, self._events = self._events, []
        return events

    def _need(self, family: str, structure: str, devices: DeviceClass) -> Need:
        return self._known.get((family, structure), {}).get(devices.name, Need())

    def _decide(self, family: str, structure: str, devices: DeviceClass, need: Need) -> bool:
        share = share_of_measured(need.measured, devices, need.too_small_mib)
        before = self._known.get((family, structure), {}).get(devices.name)
        after = replace(need, slots=share.slots, reason=share.reason)
        self._known.setdefault((family, structure), {})[devices.name] = after
        if before is not None and (before.slots, before.too_small_mib) == (after.slots, after.too_small_mib):
            return False
        measured = after.measured
        self._events.append({
            "event": "need", "family": family, "structure": structure, "kind": devices.name,
            "members": None if measured is None else measured.members,
            "memory_mib": None if measured is None else measured.memory_mib,
            "utilisation": None if measured is None else measured.utilisation,
            "too_small_mib": after.too_small_mib, "slots": after.slots, "reason": after.reason,
        })  # fmt: skip
        return before is None or before.slots != after.slots


def _most(before: Measured | None, now: Measured) -> Measured:
    """The most of each that was seen: a rung may fall between two samples, and members may come."""
    if before is None:
        return now
    memory = [one for one in (before.memory_mib, now.memory_mib) if one is not None]
    utilisation = [one for one in (before.utilisation, now.utilisation) if one is not None]
    return Measured(max(before.members, now.members), max(memory, default=None), max(utilisation, default=None))
