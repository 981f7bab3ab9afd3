"""Families for tests that go through all of them."""

from importlib.util import find_spec

from distml.data.task import Task
from distml.models.registry import family_names, find_family

_OPTIONAL = ["umap"]  # not installed for development: it compiles for a minute
if find_spec("pyagrum") is None:
    _OPTIONAL.append("bayes-net")


def families_for(*tasks: Task) -> list[str]:
    """Those of any of these tasks, without the scoring network, which is no estimator."""
    names = [name for name in family_names() if name not in ("scoring-network", *_OPTIONAL)]
    return [name for name in names if find_family(name).tasks & set(tasks)]
