"""Which cohort goes where, and why the next one of a family waits: a driver's own account of its cluster.

Ray hands out the devices. This account says what to ask it for, and asks for nothing that is not free, so that no
cohort waits inside Ray while another could train.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from distml.hardware.devices import DeviceClass
from distml.hardware.packing import MOST_AT_ONCE, RAY_UNITS, Measured, Need, Share, Slot, pack
from distml.sweep.candidates import Candidates, Rank
from distml.sweep.cluster import Cluster, Node
from distml.sweep.needs import Event, Needs
from distml.sweep.wish import Wish, in_order, share


@dataclass(frozen=True)
class Placement:
    """What one cohort was given."""

    node: str  # one on which there was room; Ray may take another of that kind
    kind: str  # class of device; '' for cores alone
    resources: Mapping[str, float]  # what Ray is asked for
    memory_mib: int | None = None  # of a share of a device: how much of its memory; None: all of it, or unknown

    @property
    def on_gpu(self) -> bool:
        return bool(self.kind)

    def __str__(self) -> str:
        """'0.2 of a rtx-3090', '1 CPU'."""
        gpus, cpus = self.resources.get("GPU", 0), self.resources["CPU"]
        if not gpus:
            return f"{cpus:g} CPU{'s' * (cpus != 1)}"
        return self.kind if gpus == 1 else f"{gpus:g} x {self.kind}" if gpus > 1 else f"{gpus:g} of {self.kind}"


@dataclass
class _State:
    """What is free on a node."""

    node: Node
    cpus: int
    free: list[int] = field(default_factory=list)  # of each device, in Ray's units
    number: int = 0  # among the nodes

    @classmethod
    def of(cls, node: Node, number: int = 0) -> "_State":
        return cls(node, node.cpus, [RAY_UNITS] * len(node.devices.uuids) if node.devices else [], number)


@dataclass(frozen=True)
class _Taken:
    state: _State
    cpus: int
    devices: tuple[int, ...]  # their places in `free`
    units: int  # of each
    placement: Placement
    wish: Wish


class Places:
    """The account of one sweep. Args: wishes: family -> what one of its cohorts asks for.

    Where that is 'auto', it is a whole device until `learn` has been told what a cohort of a structure took of one.
    """

    def __init__(self, wishes: Mapping[str, Wish], cluster: Cluster) -> None:
        self._wishes = dict(wishes)
        self._needs = Needs()
        self._learnt: dict[tuple[str, str], Wish] = {}  # (family, structure) -> what one of its cohorts asks for
        self._asked = {family: Counter([wish]) for family, wish in self._wishes.items()}  # and how many structures do
        self._structures: dict[str, str] = {}  # of each cohort
        self._taken: dict[str, _Taken] = {}
        self._placements: dict[str, Placement] = {}  # also of those whose node has gone
        self.stranded: set[str] = set()  # those
        self.update(cluster)

    def update(self, cluster: Cluster) -> None:
        """The nodes that are there now. What stands on one that went counts no more."""
        self._cluster = cluster
        self._states = [_State.of(node, number) for number, node in enumerate(cluster.nodes)]
        self._any_gpu = any(wish.any_gpu for wish in self._wishes.values())
        self._apart = self._any_gpu and any(not (node.apart and node.devices) for node in cluster.nodes)
        self._share_out()
        taken, self._taken = self._taken, {}
        here: dict[Node, list[_State]] = {}  # several nodes may look the same
        for state in self._states:
            here.setdefault(state.node, []).append(state)
        for cohort, one in taken.items():
            if one.state.node not in here:
                self.stranded.add(cohort)
            for state in here.get(one.state.node, ()):
                if state.cpus >= one.cpus and all(state.free[device] >= one.units for device in one.devices):
                    self._book(cohort, replace(one, state=state))
                    break

    def _share_out(self) -> None:
        self._shares: dict[Wish, dict[DeviceClass, Share]] = {}
        self._candidates: dict[Wish, Candidates] = {}
        for wish in {*self._wishes.values(), *self._learnt.values()}:
            self._admit(wish)

    def _admit(self, wish: Wish) -> None:
        if wish not in self._candidates:
            if wish.any_gpu:
                devices = {node.devices for node in self._cluster.nodes if node.devices}
                self._shares[wish] = {one: share(wish, one) for one in devices}
            self._candidates[wish] = self._line_up(wish)

    # --- what cohorts turn out to need

    def learn(self, family: str, structure: str, kind: str, measured: Measured) -> None:
        """A cohort had a device of this class to itself, and took so much of it."""
        devices = self._class(kind)
        if devices is not None and self._needs.measure(family, structure, devices, measured):
            self._ask_by_needs(family, structure)

    def recall(self, event: Event) -> None:
        """Take up what an earlier driver learnt."""
        if event["family"] in self._wishes and self._wishes[event["family"]].gpu == "auto":
            self._needs.recall(event)
            self._ask_by_needs(event["family"], event["structure"])

    def take_events(self) -> list[Event]:
        """What was learnt since the last call, for the journal."""
        return self._needs.take_events()

    def held_whole(self, cohort: str) -> bool:
        """Whether a cohort has a device to itself because nobody knows better."""
        taken = self._taken.get(cohort)
        return taken is not None and taken.wish.gpu == "auto" and taken.units == RAY_UNITS

    def shared(self, family: str, structure: str, kind: str) -> bool:
        """Whether cohorts of this structure take a part of a device of this class now, not all of it."""
        return dict(self._needs.slots(family, structure)).get(kind, 1) > 1

    def cramped(self, cohort: str, family: str) -> None:
        """Several members ran out of memory in a share that followed from a measurement: it was too small."""
        taken = self._taken.get(cohort)
        devices = taken.state.node.devices if taken else None
        if taken is None or devices is None or taken.wish.gpu != "auto" or taken.placement.memory_mib is None:
            return
        structure = self._structures[cohort]
        if self._needs.too_small(family, structure, devices, taken.placement.memory_mib):
            self._ask_by_needs(family, structure)

    def outgrown(self, cohort: str, family: str) -> bool:
        """One member alone ran out of memory on its device: whether there is a larger slot, which it gets next time."""
        taken = self._taken.get(cohort)
        devices = taken.state.node.devices if taken else None
        if taken is None or not taken.placement.on_gpu or devices is None or devices.memory_mib is None:
            return False
        structure = self._structures[cohort]
        slot_mib = taken.placement.memory_mib or devices.memory_mib
        wish = replace(self._wish(family, structure), too_small_mib=slot_mib)
        if not in_order(wish, self._cluster.device_classes):
            return False
        if wish.gpu == "auto":
            self._ask(family, structure, wish)
            self._needs.too_small(family, structure, devices, slot_mib)
            self._ask_by_needs(family, structure)
        else:
            self._wishes[family] = wish
            self._asked[family] = Counter([wish])
            self._admit(wish)
        return True

    def _ask_by_needs(self, family: str, structure: str) -> None:
        learnt = self._needs.slots(family, structure)
        self._ask(family, structure, replace(self._wish(family, structure), learnt=learnt))

    def _ask(self, family: str, structure: str, wish: Wish) -> None:
        """From now on cohorts of this structure ask for this."""
        asked, before = self._asked[family], self._learnt.get((family, structure))
        if before is not None:
            asked[before] -= 1
            if not asked[before]:
                del asked[before]
        asked[wish] += 1
        self._learnt[family, structure] = wish
        self._admit(wish)

    def _wish(self, family: str, structure: str) -> Wish:
        return self._learnt.get((family, structure), self._wishes[family])

    def _class(self, kind: str) -> DeviceClass | None:
        """As the machine with the most of them has it: Ray counts the devices of one machine together."""
        alike = [node.devices for node in self._cluster.nodes if node.devices and node.devices.name == kind]
        return max(alike, key=lambda one: len(one.uuids), default=None)

    # --- places

    @property
    def slots(self) -> int:
        """How many cohorts can train at once, those that take least first; at least one."""
        wishes = sorted(set(self._wishes.values()), key=self._size)
        return max(1, sum(self._capacity(node, wishes) for node in self._cluster.nodes))

    @property
    def most_slots(self) -> int:
        """How many could train at once if all that is measured turned out to be small."""
        devices = self._cluster.gpus if any(wish.gpu == "auto" for wish in self._wishes.values()) else 0
        return self.slots + (MOST_AT_ONCE - 1) * devices

    def kind_for(self, family: str, structure: str | None = None) -> str | None:
        """The class of device that the next cohort of this structure would get, '' for cores; None: it has to wait.

        structure: None: whichever of the family has a place.
        """
        wishes = self._asked[family] if structure is None else [self._wish(family, structure)]
        found = next((found for wish in wishes if (found := self._find(wish)) is not None), None)
        return None if found is None else _kind(*found)

    def waits_for(self, family: str, kind: str) -> bool:
        """Whether the next cohort of a family that shall have a device to itself would find one of this class, were
        it not for those who have a part of each."""
        wish = self._wishes[family]
        return wish.gpu == "auto" and any(
            state.cpus >= wish.cpus and self._share(wish, state.node) is not None
            for state in self._states
            if state.node.devices is not None and state.node.devices.name == kind
        )

    def take(self, cohort: str, family: str, structure: str = "") -> Placement | None:
        """Give a cohort its place; None where there is none now."""
        wish = self._wish(family, structure)
        found = self._find(wish)
        if found is None:
            return None
        state, part = found
        placement = self._placement(wish, state.node, part)
        devices = tuple(_devices(state, wish, part)) if part else ()
        self._structures[cohort] = structure
        self._book(cohort, _Taken(state, wish.cpus, devices, _units(wish, part) if part else 0, placement, wish))
        return placement

    def release(self, cohort: str) -> None:
        """A cohort has ended."""
        self._placements.pop(cohort, None)
        self._structures.pop(cohort, None)
        self.stranded.discard(cohort)
        one = self._taken.pop(cohort, None)
        if one is None:
            return
        one.state.cpus += one.cpus
        for device in one.devices:
            one.state.free[device] += one.units
        self._changed(one.state)

    def clear(self) -> None:
        """Nothing trains any more."""
        for cohort in list(self._placements):
            self.release(cohort)

    def of(self, cohort: str) -> Placement:
        """What a cohort was given."""
        return self._placements[cohort]

    def behind(self, family: str, structure: str = "") -> list[str]:
        """The cohorts that hold what the family's next one could use."""
        wish = self._wish(family, structure)
        if not wish.any_gpu:
            return [cohort for cohort, one in self._taken.items() if self._shares_cores(one.state.node)]
        return [
            cohort for cohort, one in self._taken.items()
            if one.devices and self._share(wish, one.state.node) is not None
        ]  # fmt: skip

    def why_waiting(self, family: str, structure: str | None = None) -> str | None:
        """Why the family's next cohort, of this structure if any, has no place; None where it has one."""
        if self.kind_for(family, structure) is not None:
            return None
        wish = self._wish(family, structure or "")
        if not wish.any_gpu:
            most = max(self._states, key=lambda state: state.cpus, default=None)
            return f"for {_cpus(wish.cpus)}; " + (f"the most free are {most.cpus} on {most.node.name}" if most else "")
        suited = [state for state in self._states if self._share(wish, state.node) is not None]
        if not suited:
            return f"for {_said(wish)}; there is none now"
        most = max(suited, key=lambda state: state.cpus)
        if any(self._has_devices(state, wish) for state in suited):
            return f"for {_cpus(wish.cpus)} beside a GPU; the most free are {most.cpus} on {most.node.name}"
        if wish.memory_mib is not None:
            return pack({family: Need(wish.memory_mib)}, list(_rooms(suited))).waiting.get(
                family, f"for {_said(wish)}; each device is shared by as many as it holds"
            )
        if wish.whole == 1:
            count = sum(len(state.free) for state in suited)
            return f"for {_said(wish)}; {f'all {count} are' if count > 1 else 'the only one is'} taken"
        name, most_free = max(
            ((f"{state.node.name} {_device_name(state, place)}", free) for state in suited
             for place, free in enumerate(state.free)), key=lambda pair: pair[1],
        )  # fmt: skip
        return f"for {_said(wish)}; the most free is {most_free / RAY_UNITS:g} on {name}"

    # --- finding room

    def _find(self, wish: Wish) -> tuple[_State, Share | None] | None:
        """Where a cohort fits, and its share of a device there."""
        number = self._candidates[wish].first()
        if number is None:
            return None
        state = self._states[number]
        return state, self._share(wish, state.node) if wish.any_gpu else None

    def _line_up(self, wish: Wish) -> Candidates:
        """The nodes that suit a wish, in the order in which they are to be tried."""
        if not wish.any_gpu:
            return Candidates(
                [state.number for state in self._states if self._shares_cores(state.node)],
                lambda number: self._rank_for_cores(self._states[number]),
                lambda number: self._cores_free(self._states[number]) >= wish.cpus,
            )
        order = {devices.name: n for n, (devices, _) in enumerate(in_order(wish, self._cluster.device_classes))}
        ranks: dict[int, Rank] = {
            state.number: (order[part.device_class], state.number)
            for state in self._states
            if (part := self._share(wish, state.node)) is not None and part.device_class in order
        }
        return Candidates(
            ranks,
            ranks.__getitem__,
            lambda number: self._states[number].cpus >= wish.cpus and self._has_devices(self._states[number], wish),
        )

    @staticmethod
    def _rank_for_cores(state: _State) -> Rank:
        """Nodes without devices first, of those the one with the most cores free."""
        return len(state.free), -state.cpus, state.number

    def _changed(self, state: _State) -> None:
        for candidates in self._candidates.values():
            candidates.changed(state.number)

    def _has_devices(self, state: _State, wish: Wish) -> bool:
        part = self._share(wish, state.node)
        return part is not None and len(_devices(state, wish, part)) == max(1, wish.whole)

    def _share(self, wish: Wish, node: Node) -> Share | None:
        if node.devices is None:
            return None
        part = self._shares[wish][node.devices]
        return part if part.slots else None

    def _shares_cores(self, node: Node) -> bool:
        """Whether a node's cores are for cohorts without a GPU, too: not those that belong to devices, unless no
        family wants these or there are no other cores."""
        return not self._apart or not (node.apart and node.devices)

    def _cores_free(self, state: _State) -> int:
        """On a node whose cores are for all, one is kept for each device that is free, but not more than half."""
        if not self._any_gpu:
            return state.cpus
        idle = sum(free == RAY_UNITS for free in state.free)
        return state.cpus - min(idle, state.node.cpus // 2)

    def _placement(self, wish: Wish, node: Node, part: Share | None) -> Placement:
        if part is None or node.devices is None:
            return Placement(node.name, "", node.resources(wish.cpus, 0) if self._apart else {"CPU": wish.cpus})
        memory = node.devices.memory_mib
        whole = part.slots == 1
        return Placement(
            node.name, node.devices.name, node.resources(wish.cpus, wish.whole or part.gpu),
            None if whole or memory is None else memory // part.slots,
        )  # fmt: skip

    def _book(self, cohort: str, one: _Taken) -> None:
        one.state.cpus -= one.cpus
        for device in one.devices:
            one.state.free[device] -= one.units
        self._changed(one.state)
        self._placements[cohort] = one.placement
        self._taken[cohort] = one

    def _size(self, wish: Wish) -> tuple[bool, float, int]:
        """Order of filling a node: those on devices first, since others cannot use them, then those that take least."""
        shares = [part.gpu for part in self._shares.get(wish, {}).values() if part.slots]
        return not wish.any_gpu, min(shares, default=0.0), wish.cpus

    def _capacity(self, node: Node, wishes: Sequence[Wish]) -> int:
        state, count = _State.of(node), 0
        for wish in wishes:
            part = self._share(wish, node) if wish.any_gpu else None
            if part is None and (wish.any_gpu or not self._shares_cores(node)):
                continue
            while state.cpus >= wish.cpus:
                devices = _devices(state, wish, part) if part else []
                if part and len(devices) < max(1, wish.whole):
                    break
                state.cpus -= wish.cpus
                for device in devices:
                    state.free[device] -= _units(wish, part) if part else 0
                count += 1
        return count


def _kind(state: _State, part: Share | None) -> str:
    return state.node.devices.name if part is not None and state.node.devices else ""


def _units(wish: Wish, part: Share) -> int:
    return RAY_UNITS if wish.whole else round(part.gpu * RAY_UNITS)


def _devices(state: _State, wish: Wish, part: Share) -> list[int]:
    """The devices of a node for one cohort, of those with room the fullest; fewer than it takes where there are not."""
    units = _units(wish, part)
    room = [place for place, free in enumerate(state.free) if free >= units]
    return sorted(room, key=lambda place: state.free[place])[: max(1, wish.whole)]


def _rooms(states: Iterable[_State]) -> Iterator[Slot]:
    """What is free on each device."""
    for state in states:
        if state.node.devices is None or state.node.devices.memory_mib is None:
            continue
        for place, free in enumerate(state.free):
            memory = state.node.devices.memory_mib * free // RAY_UNITS
            yield Slot(f"{state.node.name} {_device_name(state, place)}", memory, 0)


def _device_name(state: _State, place: int) -> str:
    """'rtx-3090 1': the second of its class on its machine."""
    assert state.node.devices is not None
    return f"{state.node.devices.name} {place}"


def _said(wish: Wish) -> str:
    return f"{wish.memory_mib / 1024:.1f} GiB of a GPU" if wish.memory_mib else str(wish)


def _cpus(count: int) -> str:
    return f"{count} CPU{'s' * (count != 1)}"
