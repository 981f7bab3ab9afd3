"""Projections to two dimensions, or as many as one asks for: those along which rows differ most, or neighbourhoods."""

from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA as PrincipalComponents
from sklearn.manifold import TSNE as NeighbourEmbedding

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Fixed, Float

DIMENSIONS = Fixed(2)  # not searched: the more there are, the better every score


def _pca(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(PrincipalComponents(2), params, seed)


def _t_sne(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(NeighbourEmbedding(), params, seed)


PCA = Family(
    name="pca",
    engine="estimator",
    build=_pca,
    space={"n_components": DIMENSIONS},
    tasks=frozenset({"projection"}),
)

T_SNE = Family(
    name="t-sne",
    engine="estimator",
    build=_t_sne,
    space={
        "n_components": DIMENSIONS,
        "perplexity": Float(5.0, 100.0, log=True),
        "early_exaggeration": Float(4.0, 24.0, log=True),
    },
    tasks=frozenset({"projection"}),
)
