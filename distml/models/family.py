"""What distml knows of a kind of model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from distml.data.task import Outline, Task
from distml.models.space import Space, Value

Params = Mapping[str, Value]


@dataclass(frozen=True)
class Growth:
    """How an ensemble gets larger without training again what it has."""

    parameter: str  # the estimator's own name for its number of trees: 'n_estimators', 'max_iter'
    staged: bool  # has staged_predict(_proba): every size's score from one fit
    warm_start: bool  # fit() adds to the trees that are there
    out_of_bag: bool = False  # rows outside a tree's bootstrap sample validate for free


@dataclass(frozen=True)
class Family:
    """A kind of model: its default search space and how to make one.

    `build` takes (params, outline, seed) and returns a scikit-learn estimator, or for
    engine 'network' a LightningModule that has not been trained. `build_plain`, where there is one, gives the same
    network as a torch module that needs no import of Lightning.
    """

    name: str
    engine: Literal["estimator", "network"]
    build: Callable[[Params, Outline, int], Any]
    space: Space
    tasks: frozenset[Task] = frozenset({"classification", "regression", "ranking"})  # rankings by the documents' values
    resource: str | None = None  # what trials are compared along: 'epochs', 'trees'; None: one rung
    first_rung: int = 1  # smallest resource at which a comparison means something
    growth: Growth | None = None
    unlabelled: bool = False  # its fit also takes rows without a target, whose class code is -1
    structural: frozenset[str] = field(default_factory=frozenset)  # differ => another cohort
    parameters: frozenset[str] = field(default_factory=frozenset)  # what `build` takes, where more than the space names
    build_plain: Callable[[Params, Outline, int], Any] | None = None
    takes_further: bool = False  # its training step gets the further targets, too
    domains: Mapping[str, str] = field(default_factory=dict)  # parameter -> words for its valid values
    check: Callable[[Params, Task], None] | None = None  # raises ValueError for a value outside the model's domain

    @property
    def size_parameter(self) -> str | None:
        """The parameter that holds a trial's full resource: 'epochs', 'n_estimators'; None: one rung."""
        return self.growth.parameter if self.growth else self.resource
