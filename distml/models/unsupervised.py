"""Scores of clusterings and projections: there is no truth, so that they are held against the rows themselves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from sklearn.manifold import trustworthiness
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
)
from sklearn.metrics.pairwise import euclidean_distances

from distml.data.task import Task

STABILITY = "stability"
_MOST = 2_000  # rows that are looked at, drawn evenly, where time and memory go with their square
_NEIGHBOURS = 5


class Described:
    """One resample's rows and what became of them; a score that is known only beside other resamples is nan."""

    def __init__(self, x: np.ndarray, output: np.ndarray) -> None:
        """x: (rows, features), prepared. output: (rows,) clusters, or (rows, dimensions) coordinates."""
        self.x = x
        self.output = output

    def score(self, name: str) -> float:
        """Raises ValueError where all rows are in one cluster, or each in its own: there is nothing to measure."""
        return float(_SCORES[name](self.x, self.output))


def stability(rows: Sequence[np.ndarray], clusters: Sequence[np.ndarray]) -> list[float]:
    """Each resample's mean adjusted Rand index with the others, on the rows that both hold (Ben-Hur et al., 2002).

    1: the same rows stand together whatever rows are drawn; 0: no more often than by chance. The mean over resamples
    is that over all pairs. A clustering into one cluster agrees with all of its kind and tells nothing: 0.

    rows: (rows,) places in the table, ascending, a resample each; clusters: (rows,) for each.

    >>> stability([np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])], [np.array([0, 0, 1, 1]), np.array([1, 0, 0, 0])])
    [0.0, 0.0]
    """
    found: list[list[float]] = [[] for _ in rows]
    for one, other in combinations(range(len(rows)), 2):
        _, mine, theirs = np.intersect1d(rows[one], rows[other], assume_unique=True, return_indices=True)
        pair = clusters[one][mine], clusters[other][theirs]
        alike = 0.0 if min(len(np.unique(labels)) for labels in pair) < 2 else float(adjusted_rand_score(*pair))
        found[one].append(alike)
        found[other].append(alike)
    return [float(np.mean(values)) if values else float("nan") for values in found]


def _silhouette(x: np.ndarray, clusters: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw, 1987) of at most 2,000 rows, each held against all rows of the table.

    scikit-learn's own takes a sample for the whole table, and may miss a small cluster altogether.
    """
    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if not 1 < len(sizes) < len(x):
        raise ValueError(
            f"{len(sizes)} clusters of {len(x)} samples have no silhouette: it takes from 2 to samples - 1"
        )
    some = _sample(len(x))
    place, own = np.arange(len(some)), codes[some]
    sums = euclidean_distances(x[some], x) @ np.eye(len(sizes))[codes]  # (some, clusters)
    within = sums[place, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[place, own] = np.inf
    nearest = means.min(axis=1)
    widths = (nearest - within) / np.maximum(nearest, within)
    return float(np.where(sizes[own] > 1, np.nan_to_num(widths), 0.0).mean())


def _trustworthiness(x: np.ndarray, coordinates: np.ndarray) -> float:
    """How far the nearest neighbours in the projection are neighbours in the table, 0 to 1 (Venna and Kaski, 2001)."""
    some = _sample(len(x))
    return trustworthiness(x[some], coordinates[some], n_neighbors=min(_NEIGHBOURS, (len(some) - 1) // 2))


def _sample(rows: int) -> np.ndarray:
    """At most 2,000 places among these rows, the same ones for every trial of a sweep."""
    return np.random.default_rng(0).permutation(rows)[:_MOST]


_Score = Callable[[np.ndarray, np.ndarray], float]
_CLUSTERING: Mapping[str, _Score] = {
    "silhouette": _silhouette,
    "calinski_harabasz": calinski_harabasz_score,
    "davies_bouldin": davies_bouldin_score,
    STABILITY: lambda x, clusters: float("nan"),
}
_PROJECTION: Mapping[str, _Score] = {"trustworthiness": _trustworthiness}
_SCORES: Mapping[str, _Score] = {**_CLUSTERING, **_PROJECTION}
NAMES: Mapping[Task, Sequence[str]] = {"clustering": list(_CLUSTERING), "projection": list(_PROJECTION)}
LOWER_IS_BETTER = frozenset({"davies_bouldin"})
