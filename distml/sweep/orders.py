"""What a search goes by, and what it tells those who train."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from distml.models.space import Value
from distml.sweep.population import Population
from distml.training.cohort import Member


class Searcher(Protocol):
    """Proposes configurations of one family; None when its space is used up."""

    def suggest(self, trial: str) -> Mapping[str, Value] | None: ...

    def recall(self, trial: str, params: Mapping[str, Value]) -> None:
        """A trial that an earlier run of this sweep asked for."""

    def result(self, trial: str, resource: int, score: float) -> None: ...

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        """Score None: stopped early or diverged."""


class Stopper(Protocol):
    """Compares trials at rungs: first all results of a rung are recorded, then it is asked about each."""

    def record(self, trial: str, resource: int, score: float) -> None: ...

    def cuts(self, trial: str, resource: int, score: float) -> bool:
        """True: this trial, recorded last at this resource, should stop here."""

    def forget(self, trial: str) -> None:
        """The trial ended otherwise."""


@dataclass(frozen=True)
class FamilyPlan:
    """One family's part in a sweep."""

    name: str
    searcher: Searcher
    stopper: Stopper | None
    structure: Callable[[Mapping[str, Value]], str]  # params -> which cohort a trial can join
    rungs: Callable[[Mapping[str, Value]], tuple[int, ...]]
    cohort_size: int = 1  # to begin with; a cohort may find out better, see Search.resize
    quota: int | None = None  # trials; None: as many as the time allows
    population: Population | None = None  # each cohort is one; who goes on from others is beyond the quota
    refills: bool = True  # whoever is cut gives its place to a new trial; False: a cohort begins and ends together


@dataclass(frozen=True)
class CohortOrder:
    """A cohort to start on a free slot."""

    cohort: str  # 'c003'
    family: str
    members: tuple[Member, ...]
    resumed: bool = False  # take up its checkpoint where there is one
    structure: str = ""  # that its members share


@dataclass(frozen=True)
class Reply:
    """What a cohort does after a rung; one that ends with members left saves them for a later driver."""

    release: tuple[str, ...] = ()
    admit: tuple[Member, ...] = ()
    end: bool = False
    unfinished: bool = False  # it ends with members that have not
