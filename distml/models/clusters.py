"""Clusterings: k-means, mixtures of normal distributions, and hierarchies that are cut."""

from sklearn.base import BaseEstimator
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Fixed, Float, Int

_CLUSTERS = Int(2, 12)


def _k_means(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(KMeans(), params, seed)


def _gaussian_mixture(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(GaussianMixture(), params, seed)


def _hierarchical(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Takes time and memory with the square of the rows: 8,000 take 3 s, 40,000 do not fit a laptop."""
    return assemble(AgglomerativeClustering(), params, seed)


K_MEANS = Family(
    name="k-means",
    engine="estimator",
    build=_k_means,
    space={"n_clusters": _CLUSTERS, "n_init": Fixed(5)},
    tasks=frozenset({"clustering"}),
)

GAUSSIAN_MIXTURE = Family(
    name="gaussian-mixture",
    engine="estimator",
    build=_gaussian_mixture,
    space={
        "n_components": _CLUSTERS,
        "covariance_type": Choice(("full", "tied", "diag", "spherical")),
        "reg_covar": Float(1e-6, 1e-2, log=True),
        "n_init": Fixed(2),
    },
    tasks=frozenset({"clustering"}),
)

HIERARCHICAL = Family(
    name="hierarchical",
    engine="estimator",
    build=_hierarchical,
    space={"n_clusters": _CLUSTERS, "linkage": Choice(("ward", "average", "complete"))},
    tasks=frozenset({"clustering"}),
)
