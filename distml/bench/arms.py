"""Which arms a machine has: the ways of sharing it, as a pure function of its devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from distml.bench.record import Batch, Model, Way

_FRACTIONS = (2, 4, 8)  # processes on one card at once
_LADDER = {"cpu": (8, 16, 32, 64), "cuda": (16, 64, 256, 1024, 4096)}  # members of a cohort
_QUICK_LADDER = {"cpu": (16, 64), "cuda": (64, 512)}


@dataclass(frozen=True)
class Subject:
    """What is measured: a machine's cores, and of its devices one whole card, or one that is cut into slices."""

    cores: int
    card: str | None = None  # UUID of a whole card
    slices: tuple[str, ...] = ()  # UUIDs of the slices of one card
    mps: str | None = None  # where an MPS daemon listens; None: there is none

    @property
    def device(self) -> str:
        """As torch names its kind."""
        return "cuda" if self.card or self.slices else "cpu"


@dataclass(frozen=True)
class Arm:
    """One way of sharing a machine."""

    model: Model
    way: Way
    places: tuple[str | None, ...]  # the device of each process, by UUID; None: processor cores
    members: int = 1  # trials that each process trains as one
    batch: Batch = "fixed"
    batch_size: int | None = None
    mps: bool = False
    threads: int = 1

    @property
    def processes(self) -> int:
        return len(self.places)

    @property
    def memory_share(self) -> float | None:
        """Of its device's memory, what a process's allocator may take; None: all of it."""
        sharers = self.places.count(self.places[0])
        return 1 / sharers if self.places[0] is not None and sharers > 1 else None

    @property
    def name(self) -> str:
        """As a table has it.

        >>> Arm("scoring-network", "processes", ("GPU-0",) * 8, batch_size=256).name
        '8 processes, fractions'
        >>> Arm("scoring-network", "cohorts", (None, None), members=64, batch="best-fit", batch_size=2048).name
        '2 cohorts of 64, batch 2,048 (best fit)'
        """
        shared = self.places[0] is not None and self.memory_share is not None
        how = ", MPS" if self.mps else ", fractions" if shared else ""
        on_slices = len(set(self.places)) > 1 and self.places[0] is not None
        cohorts = f"{self.processes} cohorts" if self.processes > 1 else "cohort"
        words = {
            "alone": "one process",
            "processes": f"{self.processes} processes{how}",
            "mps": f"{self.processes} processes{how}",
            "mig": f"{self.processes} MIG slices",
            "cohort": f"cohort of {self.members:,}",
            "cohorts": f"{cohorts} of {self.members:,}{how}{', one a MIG slice' if on_slices else ''}",
        }
        fit = f", batch {self.batch_size:,} (best fit)" if self.batch == "best-fit" else ""
        return words[self.way] + fit


def first_arms(subject: Subject, batch_size: int, quick: bool) -> list[Arm]:
    """The arms that need nothing but the machine; the scoring network's on its devices, the forest's on its cores.

    >>> [arm.name for arm in first_arms(Subject(cores=4), 256, quick=False) if arm.model == "scoring-network"]
    ['one process', '2 processes', '4 processes', 'cohort of 8', 'cohort of 16', 'cohort of 32', 'cohort of 64']
    >>> cut = Subject(cores=16, slices=("MIG-0", "MIG-1", "MIG-2"))
    >>> [arm.name for arm in first_arms(cut, 256, quick=True) if arm.model == "scoring-network"]
    ['one process', '3 MIG slices', 'cohort of 64', 'cohort of 512']
    """

    def network(way: Way, *places: str | None, members: int = 1, mps: bool = False) -> Arm:
        return Arm("scoring-network", way, places, members, batch_size=batch_size, mps=mps)

    place = subject.card or next(iter(subject.slices), None)
    found = [network("alone", place)]
    found += [network("processes", *[place] * count) for count in _counts(subject, quick)]
    if subject.mps and subject.card:
        found += [network("mps", *[place] * count, mps=True) for count in _counts(subject, quick)]
    if len(subject.slices) > 1:
        found.append(network("mig", *subject.slices))
    ladder = (_QUICK_LADDER if quick else _LADDER)[subject.device]
    found += [network("cohort", place, members=count) for count in ladder]
    found.append(Arm("random-forest", "alone", (None,)))
    if subject.cores > 1:
        found.append(Arm("random-forest", "processes", (None,) * subject.cores))
    return found


def second_arms(subject: Subject, batch_size: int, members: int, fits: Sequence[tuple[int, int]]) -> list[Arm]:
    """The arms that build on the first: the best cohort on all slots at once, and the batch sizes that fit best.

    Args:
        members: of the best cohort among the first arms.
        fits: (members, batch size that was found best for them).

    >>> [arm.name for arm in second_arms(Subject(cores=2), 256, 64, [(1, 2048), (64, 512)])]
    ['2 cohorts of 64', 'one process, batch 2,048 (best fit)', 'cohort of 64, batch 512 (best fit)']
    """
    place = subject.card or next(iter(subject.slices), None)
    everywhere: list[tuple[tuple[str | None, ...], bool]] = []
    if subject.card:
        everywhere.append(((place,) * 2, subject.mps is not None))
    elif len(subject.slices) > 1:
        everywhere.append((subject.slices, False))
    elif subject.device == "cpu" and subject.cores > 1:
        everywhere.append(((None,) * subject.cores, False))
    found = [
        Arm("scoring-network", "cohorts", places, members, batch_size=batch_size, mps=mps) for places, mps in everywhere
    ]
    for count, size in fits:
        way: Way = "alone" if count == 1 else "cohort"
        found.append(Arm("scoring-network", way, (place,), count, "best-fit", size))
    return found


def _counts(subject: Subject, quick: bool) -> list[int]:
    """How many processes share what there is; on processor cores never more than there are."""
    if subject.slices:
        return []
    if subject.card:
        return [count for count in _FRACTIONS if not quick or count <= 4]
    fitting = [count for count in _FRACTIONS if count < subject.cores and not quick]
    return [*fitting, subject.cores] if subject.cores > 1 else []
