"""From a checked sweep file to the parts of a search: who proposes, who stops, which trials train together."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Literal

from distml.models.family import Family, Params
from distml.models.space import Choice, Fixed, Float, Space
from distml.sweep.numbering import share_out
from distml.sweep.orders import FamilyPlan
from distml.sweep.params import PREPROCESSING
from distml.sweep.population import Population
from distml.sweep.preflight import Checked
from distml.sweep.rungs import even_rungs, rungs
from distml.sweep.seeds import trial_seed
from distml.sweep.spec import Search as SearchSettings
from distml.sweep.spec import SweepSpec
from distml.sweep.tune.searchers import grid_size, make_searcher
from distml.sweep.tune.stoppers import Rule, make_stopper

COHORT_SIZE = 16  # members of a network cohort to begin with, until the first one has found out what is best
MOST_MEMBERS = 4096
MOST_TOGETHER = 64  # ensembles that are judged side by side
COMPARISONS = 10  # of a population on its way, unless the sweep file says otherwise


def family_plans(checked: Checked) -> list[FamilyPlan]:
    """Each family's part in the search, in the order of the sweep file."""
    spec = checked.spec
    quotas = trial_quotas(checked)
    mode: Literal["min", "max"] = "max" if checked.metric.greater_is_better else "min"
    plans = []
    factor = spec.search.reduction_factor
    is_population = spec.search.scheduler == "pbt"
    rule: Rule = "none" if spec.search.scheduler == "pbt" else spec.search.scheduler
    for position, (name, (family, space)) in enumerate(checked.families.items()):
        seed = trial_seed(spec.seed, -1 - position & 0xFFFF)
        points = rungs(full_size(family, space), family.first_rung, factor)
        together = family.engine == "estimator" and judges_together(spec, points)
        size = min(MOST_TOGETHER, factor ** (len(points) - 1)) if together else 1
        if family.engine == "network":
            size = min(MOST_MEMBERS, quotas[name] or COHORT_SIZE) if is_population else COHORT_SIZE
        plans.append(
            FamilyPlan(
                name=name,
                searcher=make_searcher(spec.search.algorithm, space, mode=mode, seed=seed, drawn=rule != "none"),
                stopper=make_stopper(rule, mode=mode, rungs=points, factor=factor),
                structure=partial(structure_of, family),
                rungs=partial(rungs_of, family, search=spec.search),
                cohort_size=size,
                refills=not together,
                quota=quotas[name],
                population=Population(space, checked.metric.greater_is_better) if is_population else None,
            )
        )
    return plans


def judges_together(spec: SweepSpec, points: Sequence[int]) -> bool:
    """Whether trials of an ensemble go from rung to rung side by side, so that the first at each is not kept unseen.

    A searcher that learns would be asked for all of them before it has learnt from one; and where the time is limited,
    it could be up before any has its full size.
    """
    halves, learns = spec.search.scheduler in ("asha", "hyperband"), spec.search.algorithm in ("tpe", "evolution")
    return len(points) > 1 and halves and not learns and spec.budget.minutes is None


def ages(family: Family, space: Space, plan: FamilyPlan) -> int:
    """At how many rungs a cohort's members can stand: some are cut at each, and others come."""
    return len(plan.rungs({family.size_parameter: full_size(family, space)})) if family.size_parameter else 1


def trial_quotas(checked: Checked) -> dict[str, int | None]:
    """Family -> its number of trials; None where only the time ends it. A grid never has more than its points."""
    spec = checked.spec
    asked: dict[str, int | None] = {name: family.trials for name, family in spec.family_specs.items()}
    quotas: dict[str, int | None] = (
        dict(asked) if spec.budget.trials is None else dict(share_out(spec.budget.trials, asked))
    )
    for name, (_, space) in checked.families.items():
        size = grid_size(space) if spec.search.algorithm == "grid" else 1 if _nothing_searched(space) else None
        quota = quotas[name]
        if size is not None:
            quotas[name] = size if quota is None else min(size, quota)
    return quotas


def full_size(family: Family, space: Space) -> int:
    """The largest resource (epochs, trees) a trial of this space may have; 1 for families without rungs."""
    domain = space.get(family.size_parameter) if family.size_parameter else None
    if domain is None:
        return 1
    if isinstance(domain, Fixed):
        return int(domain.value)  # type: ignore[arg-type]  # a count: preflight has seen to it
    if isinstance(domain, Choice):
        return max(int(option) for option in domain.options)  # type: ignore[arg-type]
    return int(domain.high) if isinstance(domain, Float) else domain.high


def _nothing_searched(space: Space) -> bool:
    return all(isinstance(domain, Fixed) for domain in space.values())


def size_of(family: Family, params: Params) -> int:
    """A trial's full resource; 1 for families without rungs."""
    size = params.get(family.size_parameter) if family.size_parameter else None
    return 1 if size is None else int(size)  # type: ignore[arg-type]  # a count: preflight has seen to it


def structure_of(family: Family, params: Params) -> str:
    """Trials share a cohort when they train on the same arrays and, stacked, have tensors of the same shapes."""
    shared = {
        name: value
        for name, value in params.items()
        if name.startswith(PREPROCESSING) or (family.engine == "network" and name in family.structural)
    }
    return json.dumps(shared, sort_keys=True)


def rungs_of(family: Family, params: Params, search: SearchSettings) -> tuple[int, ...]:
    """Where a trial is compared: at its full size alone where nothing stops trials early."""
    full = size_of(family, params)
    if search.scheduler == "pbt":
        return even_rungs(full, search.perturbation_interval or max(1, full // COMPARISONS))
    return (full,) if search.scheduler == "none" else rungs(full, family.first_rung, search.reduction_factor)
