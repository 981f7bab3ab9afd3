"""MIG: which layouts a card can be cut into, and which of them is best. Plans only; nothing here changes a card."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from distml.errors import DistmlError, did_you_mean


@dataclass(frozen=True)
class Profile:
    """A size of slice. Memory and multiprocessors as `nvidia-smi mig -lgip` shows them; drivers differ by 0.3 GiB."""

    name: str  # '3g.20gb'
    compute: int  # compute slices
    memory: int  # memory slices
    starts: tuple[int, ...]  # the memory slices at which it may begin
    memory_gib: float
    multiprocessors: int


@dataclass(frozen=True)
class Card:
    """A model of card: its compute and memory slices and the profiles that share them."""

    name: str  # 'a100-40'
    compute: int
    memory: int
    profiles: tuple[Profile, ...]

    def profile(self, name: str) -> Profile:
        """The profile of that name. Raises DistmlError for one this card does not have."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = [profile.name for profile in self.profiles]
        raise DistmlError(f"{self.name} has no profile {name!r}.{did_you_mean(name, names)} All: {', '.join(names)}")

    @property
    def multiprocessors(self) -> int:
        """Those that slices can have together: on an A100 98 of the 108 that the card has without MIG."""
        return max(profile.multiprocessors for profile in self.profiles)


def _seven(names: str, gib: Sequence[float], multiprocessors: Sequence[int]) -> tuple[Profile, ...]:
    """The six profiles of the cards with 7 compute and 8 memory slices; names are alike, sizes differ."""
    shapes = [
        (1, 1, (0, 1, 2, 3, 4, 5, 6)),
        (1, 2, (0, 2, 4, 6)),
        (2, 2, (0, 2, 4)),
        (3, 4, (0, 4)),
        (4, 4, (0,)),
        (7, 8, (0,)),
    ]
    rows = zip(names.split(), shapes, gib, multiprocessors, strict=True)
    return tuple(Profile(name, *shape, size, count) for name, shape, size, count in rows)


_RESERVED_GIB = 4  # a card's memory less that of its largest slice is below it
_HOPPER = (16, 26, 32, 60, 64, 132)
_AMPERE = (14, 14, 28, 42, 56, 98)
CARDS = (
    Card(
        "a30",
        4,
        4,
        (
            Profile("1g.6gb", 1, 1, (0, 1, 2, 3), 5.75, 14),
            Profile("2g.12gb", 2, 2, (0, 2), 11.5, 28),
            Profile("4g.24gb", 4, 4, (0,), 23.25, 56),
        ),
    ),
    Card(
        "a100-40",
        7,
        8,
        _seven("1g.5gb 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb", (4.75, 9.75, 9.75, 19.5, 19.5, 39.25), _AMPERE),
    ),
    Card(
        "a100-80",
        7,
        8,
        _seven("1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb", (9.5, 19.5, 19.5, 39.25, 39.25, 78.75), _AMPERE),
    ),
    Card(
        "h100-80",
        7,
        8,
        _seven("1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb", (9.75, 19.5, 19.5, 39.5, 39.5, 79.25), _HOPPER),
    ),
    Card(
        "h200",
        7,
        8,
        _seven("1g.18gb 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb", (16.0, 32.25, 32.25, 69.5, 69.5, 139.0), _HOPPER),
    ),
)


@dataclass(frozen=True, order=True)
class Placement:
    """A slice at its place."""

    start: int  # memory slice
    profile: str


Layout = tuple[Placement, ...]  # by start


@dataclass(frozen=True)
class Plan:
    """The layout chosen for a card, and why."""

    card: Card
    layout: Layout
    reason: str

    @property
    def profiles(self) -> tuple[str, ...]:
        """The slices' profiles, the largest first."""
        return _sorted_profiles(self.card, self.layout)

    def commands(self, index: int | str = "INDEX") -> list[str]:
        """What an administrator types, with the card idle; index: the card's number for nvidia-smi."""
        slices = ",".join(f"{placement.profile}:{placement.start}" for placement in self.layout)
        return [
            f"sudo nvidia-smi -i {index} -mig 1",
            f"sudo nvidia-smi mig -i {index} -dci",
            f"sudo nvidia-smi mig -i {index} -dgi",
            f"sudo nvidia-smi mig -i {index} -cgi {slices} -C",
        ]

    def mig_parted(self, devices: Sequence[int]) -> str:
        """The same as a configuration for mig-parted; devices: the cards' numbers, all of the machine when empty."""
        lines = [
            "version: v1",
            "mig-configs:",
            "  distml:",
            f"    - devices: {list(devices) or 'all'}",
            "      mig-enabled: true",
            "      mig-devices:",
        ]
        return "\n".join([*lines, *(f'        "{name}": {count}' for name, count in Counter(self.profiles).items())])


def find_card(name: str) -> Card:
    """The card of that short name. Raises DistmlError for an unknown one."""
    for card in CARDS:
        if card.name == name.lower():
            return card
    names = [card.name for card in CARDS]
    raise DistmlError(f"unknown card {name!r}.{did_you_mean(name, names)} All: {', '.join(names)}")


def recognise_card(name: str, memory_mib: int) -> Card | None:
    """The card that NVML describes so; None for one without MIG, or one whose profiles are not known here.

    >>> recognise_card("NVIDIA A100-SXM4-40GB", 40960).name, recognise_card("NVIDIA GeForce RTX 3090", 24576)
    ('a100-40', None)
    """
    for card in CARDS:
        model = card.name.partition("-")[0]
        largest = max(profile.memory_gib for profile in card.profiles)
        if re.search(rf"\b{model}\b", name, re.IGNORECASE) and 0 <= memory_mib / 1024 - largest < _RESERVED_GIB:
            return card
    return None


@cache
def maximal_layouts(card: Card) -> tuple[Layout, ...]:
    """All layouts to which no slice can be added.

    >>> [" ".join(placement.profile for placement in layout) for layout in maximal_layouts(find_card("a30"))]
    ['1g.6gb 1g.6gb 1g.6gb 1g.6gb', '1g.6gb 1g.6gb 2g.12gb', '2g.12gb 1g.6gb 1g.6gb', '2g.12gb 2g.12gb', '4g.24gb']
    """
    return tuple(layout for layout in _layouts(card, 0, ()) if not any(True for _ in _additions(card, layout)))


def _layouts(card: Card, start: int, begun: Layout) -> Iterator[Layout]:
    """All valid layouts that go on from `begun`, whose slices end before `start`."""
    if start == card.memory:
        yield begun
        return
    for placement in _additions(card, begun):
        if placement.start == start:
            yield from _layouts(card, start + card.profile(placement.profile).memory, (*begun, placement))
    yield from _layouts(card, start + 1, begun)


def _additions(card: Card, layout: Layout) -> Iterator[Placement]:
    """The slices that a layout has room for."""
    taken: set[int] = set()
    compute = card.compute
    for placement in layout:
        profile = card.profile(placement.profile)
        taken.update(range(placement.start, placement.start + profile.memory))
        compute -= profile.compute
    for profile in card.profiles:
        for start in profile.starts:
            if profile.compute <= compute and taken.isdisjoint(range(start, start + profile.memory)):
                yield Placement(start, profile.name)


def best_for_throughput(card: Card, throughput: Mapping[str, float]) -> Plan:
    """The layout with the highest sum of measured throughput (any unit, the same for all; by profile).

    A profile that was not measured counts as nothing. Among equals the one with fewer slices is taken.
    Raises DistmlError for a profile the card does not have, or where nothing was measured.

    >>> best_for_throughput(find_card("a100-40"), {"1g.5gb": 10, "7g.40gb": 38}).profiles
    ('1g.5gb', '1g.5gb', '1g.5gb', '1g.5gb', '1g.5gb', '1g.5gb', '1g.5gb')
    """
    if not throughput:
        raise DistmlError("no throughput was given; name at least one profile")
    for name in throughput:
        card.profile(name)

    def total(layout: Layout) -> float:
        return sum(throughput.get(placement.profile, 0.0) for placement in layout)

    ranked = sorted(maximal_layouts(card), key=lambda layout: (-total(layout), len(layout)))
    best = _working(card, ranked[0], throughput)
    reason = f"{_words(best)}: {total(ranked[0]):g} together"
    for layout in ranked:
        other = _working(card, layout, throughput)
        if not other <= best:  # not merely the same with less on it
            reason += f"; next best {_words(other)} with {total(layout):g}"
            break
    unmeasured = [profile.name for profile in card.profiles if profile.name not in throughput]
    if unmeasured:
        reason += f"; not measured: {', '.join(unmeasured)}"
    return Plan(card, ranked[0], reason)


def _working(card: Card, layout: Layout, throughput: Mapping[str, float]) -> Counter[str]:
    """The slices of a layout that do anything."""
    return Counter(name for name in _sorted_profiles(card, layout) if throughput.get(name))


def best_for_needs(card: Card, needs_gib: Sequence[float]) -> Plan:
    """The layout that holds the most of the needs, one on a slice, and gives them the most compute slices.

    Among equals the one with fewer slices is taken. Raises DistmlError where nothing was given, or none fits.

    >>> best_for_needs(find_card("a100-40"), [4, 9]).profiles
    ('4g.20gb', '3g.20gb')
    >>> best_for_needs(find_card("a100-40"), [9, 9, 9, 9]).profiles
    ('2g.10gb', '2g.10gb', '2g.10gb', '1g.10gb')
    """
    if not needs_gib:
        raise DistmlError("no needs were given; name at least one")
    largest = max(profile.memory_gib for profile in card.profiles)
    if min(needs_gib) > largest:
        raise DistmlError(f"needs {min(needs_gib):g} GiB; the largest slice of {card.name} has {largest:g} GiB")

    def worth(layout: Layout) -> tuple[int, int, int]:
        used = _assigned(card, layout, needs_gib)
        return len(used), sum(profile.compute for profile in used), -len(layout)

    best = max(maximal_layouts(card), key=worth)
    held, compute, _ = worth(best)
    slices = _words(Counter(_sorted_profiles(card, best)))
    reason = f"{slices}: {held} of {len(needs_gib)} held, on {compute} of {card.compute} compute slices"
    left = sorted(needs_gib)[held:]
    for said, some in (
        ("must wait for a slice", [need for need in left if need <= largest]),
        ("too large for any slice", [need for need in left if need > largest]),
    ):
        if some:
            reason += f"; {said}: {', '.join(f'{need:g} GiB' for need in some)}"
    return Plan(card, best, reason)


def _assigned(card: Card, layout: Layout, needs_gib: Sequence[float]) -> list[Profile]:
    """The slices that hold the needs, as many needs as can be, the smallest first.

    With needs and slices both in order of memory, giving the k smallest needs to the k largest slices holds
    whenever any way of placing k needs does.
    """
    slices = sorted(
        (card.profile(placement.profile) for placement in layout), key=lambda one: (one.memory_gib, one.compute)
    )
    needs = sorted(needs_gib)
    for held in range(min(len(needs), len(slices)), 0, -1):
        chosen = slices[len(slices) - held :]
        if all(need <= profile.memory_gib for need, profile in zip(needs, chosen, strict=False)):
            return chosen
    return []


def _sorted_profiles(card: Card, layout: Layout) -> tuple[str, ...]:
    profiles = sorted(
        (card.profile(placement.profile) for placement in layout), key=lambda one: (-one.compute, -one.memory)
    )
    return tuple(profile.name for profile in profiles)


def _words(slices: Counter[str]) -> str:
    """'3g.20gb + 4 x 1g.5gb'."""
    return " + ".join(name if count == 1 else f"{count} x {name}" for name, count in slices.items())
