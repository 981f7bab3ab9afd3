"""Whether families can train as populations, found out before anything trains."""

from collections.abc import Iterator, Mapping

from distml.data.arrays import outline, prepare_folds
from distml.data.dataset import Dataset
from distml.data.variant import variant_from
from distml.errors import Mistake
from distml.models.family import Family
from distml.models.metrics import Evaluator
from distml.models.space import Domain, Space
from distml.sweep.params import PREPROCESSING, split_params, typical
from distml.sweep.population import searched
from distml.sweep.spec import SweepSpec
from distml.training.cohort import Assignment


def check_populations(
    spec: SweepSpec, dataset: Dataset, families: Mapping[str, tuple[Family, Space]], evaluator: Evaluator
) -> Iterator[Mistake]:
    """What keeps a network from taking over another one's weights.

    families: name -> (family, its space with the preprocessing choices)
    """
    for name in spec.preprocessing.space(dataset.kinds.values()):
        choices = getattr(spec.preprocessing, name.removeprefix(PREPROCESSING))
        if len(choices) > 1:
            what = "a population learns from one preparation of the rows; with pbt give one value, not a list"
            yield Mistake(name, what)
    for name, (family, space) in families.items():
        if family.engine != "network":
            what = f"{name} has no weights to take over; scheduler: pbt is for networks, asha for all families"
            yield Mistake(spec.where_family(name), what)
            continue
        alike = searched(space, sorted({*family.structural, *filter(None, [family.resource])}))
        for parameter in alike:
            what = (
                f"a network takes over weights of its own structure; with pbt give one value: {_one(space[parameter])}"
            )
            yield Mistake(f"families.{name}.space.{parameter}", what)
        if not alike:
            yield from _check_stacks(spec, dataset, name, family, space, evaluator)


def _check_stacks(
    spec: SweepSpec, dataset: Dataset, name: str, family: Family, space: Space, evaluator: Evaluator
) -> Iterator[Mistake]:
    from distml.training.start import stacks, start_cohort

    params, choices = split_params(typical(space))
    folds = prepare_folds(dataset, variant_from(choices), spec.seed)
    cohort, reason = start_cohort(Assignment(family, outline(dataset, folds[0]), folds, evaluator), params)
    if not stacks(cohort):
        yield Mistake(spec.where_family(name), f"{reason}; scheduler: pbt needs networks that train as one")


def _one(domain: Domain) -> str:
    """A value of a domain, as a sweep file has it; a list in a list, since a list is a choice."""
    value = typical({"": domain})[""]
    return str([list(value)] if isinstance(value, tuple) else value)
