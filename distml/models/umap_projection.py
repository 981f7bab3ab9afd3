"""UMAP, where it is installed."""

from typing import Any

import umap

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.projections import DIMENSIONS
from distml.models.space import Float, Int


def _umap(params: Params, outline: Outline, seed: int) -> Any:
    """With a seed it runs in one thread, and says so unless told to (n_jobs)."""
    return assemble(umap.UMAP(n_jobs=1), params, seed)


UMAP = Family(
    name="umap",
    engine="estimator",
    build=_umap,
    space={
        "n_components": DIMENSIONS,
        "n_neighbors": Int(5, 100, log=True),
        "min_dist": Float(0.01, 0.8),
    },
    tasks=frozenset({"projection"}),
)
