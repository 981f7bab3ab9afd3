"""Scores of rankings: how far up the relevant documents of each query stand, as a mean over queries.

A query without a relevant document has no best order and is left out of every mean; where no query is left, a score is
nan.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

_SUGGESTED = ("ndcg", "ndcg@1", "ndcg@3", "ndcg@5", "ndcg@10", "map", "mrr")
_CUT_OFF = re.compile(r"ndcg@([1-9]\d*)")


def ranking_metrics() -> list[str]:
    """The metrics that are offered, sorted; ndcg@K goes with any K."""
    return sorted(_SUGGESTED)


def is_ranking_metric(name: str) -> bool:
    """Whether there is such a metric; for all of them more is better."""
    return name in _SUGGESTED or _CUT_OFF.fullmatch(name) is not None


class Ranked:
    """The documents of several queries in the order of their predicted scores."""

    def __init__(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """truth: (rows, 2), grades of relevance and codes of queries. prediction: (rows,), higher stands further up."""
        _, queries = np.unique(truth[:, 1], return_inverse=True)
        relevant = np.bincount(queries, weights=truth[:, 0] > 0) > 0
        kept = relevant[queries]
        self.grades = truth[kept, 0]
        self.scores = np.asarray(prediction[kept], dtype=np.float64)
        _, self.queries = np.unique(queries[kept], return_inverse=True)

    def score(self, name: str) -> float:
        """The mean over queries; nan where none has a relevant document."""
        if not len(self.grades):
            return float("nan")
        cut_off = _CUT_OFF.fullmatch(name)
        values = self.ndcg(int(cut_off[1]) if cut_off else None) if name.startswith("ndcg") else _BY_ORDER[name](self)
        return float(values.mean())

    def ndcg(self, most: int | None = None) -> np.ndarray:
        """(queries,) normalised discounted cumulative gain of the first `most` documents (Järvelin, Kekäläinen, 2002).

        DCG = sum over places r = 1, 2, ... of (2^grade - 1) / log2(1 + r), divided by that of the best order; the gain
        is that of Burges et al. (2005). Documents of equal score share their gains, the mean over all orders of them
        (McSherry and Najork, 2008). So it is sklearn.metrics.ndcg_score of the gains 2^grade - 1.
        """
        gains = np.exp2(self.grades.astype(np.float64)) - 1
        best = np.lexsort((-gains, self.queries))
        discounts = self._discounts(most)
        ideal = self._sums(gains[best] * discounts)
        ties, sizes = self._ties
        shared = np.bincount(ties, weights=gains[self.order]) / sizes
        found = self._sums(shared[ties] * discounts)
        return np.asarray(found / ideal)

    def average_precision(self) -> np.ndarray:
        """(queries,) mean over relevant documents, of any grade above 0, of the precision at their place.

        Documents of equal score stand at one place together, as in sklearn.metrics.average_precision_score.
        """
        relevant = (self.grades[self.order] > 0).astype(np.float64)
        ties, sizes = self._ties
        last = np.cumsum(sizes) - 1  # the place, among all rows, of each tie's last document
        first = self._starts[self._sorted]
        above = np.cumsum(relevant)
        before = np.concatenate([[0.0], above])[first]  # relevant documents of earlier queries
        precision = (above[last] - before[last]) / (last - first[last] + 1)
        return np.asarray(self._sums(relevant * precision[ties]) / self._sums(relevant))

    def reciprocal_rank(self) -> np.ndarray:
        """(queries,) 1 / the place of the first relevant document; of equal scores the irrelevant ones stand first."""
        relevant = self.grades > 0
        top = np.full(self.queries.max() + 1, -np.inf)
        np.maximum.at(top, self.queries[relevant], self.scores[relevant])
        ahead = ~relevant & (self.scores >= top[self.queries])
        return np.asarray(1 / (1 + self._sums_of(ahead)))

    @cached_property
    def order(self) -> np.ndarray:
        """(rows,) query after query, the highest score first."""
        return np.lexsort((-self.scores, self.queries))

    @property
    def _sorted(self) -> np.ndarray:
        """(rows,) the queries in that order."""
        return self.queries[self.order]

    @cached_property
    def _starts(self) -> np.ndarray:
        """(queries,) where each begins in that order."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.queries))[:-1]])

    @cached_property
    def _ties(self) -> tuple[np.ndarray, np.ndarray]:
        """((rows,) which tie each document is of, in that order; (ties,) how many documents each has)."""
        queries, scores = self._sorted, self.scores[self.order]
        new = np.concatenate([[True], (queries[1:] != queries[:-1]) | (scores[1:] != scores[:-1])])
        ties = np.cumsum(new) - 1
        return ties, np.bincount(ties)

    def _discounts(self, most: int | None) -> np.ndarray:
        """(rows,) 1 / log2(1 + place within the query), and 0 beyond the first `most`, in that order."""
        place = np.arange(len(self.queries)) - self._starts[self._sorted]
        discounts = 1 / np.log2(place + 2)
        return discounts if most is None else np.where(place < most, discounts, 0.0)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """(rows,) in that order -> (queries,)."""
        return np.bincount(self._sorted, weights=values)

    def _sums_of(self, values: np.ndarray) -> np.ndarray:
        """(rows,) as they came -> (queries,)."""
        return np.bincount(self.queries, weights=values)


_BY_ORDER: Mapping[str, Callable[[Ranked], np.ndarray]] = {
    "map": Ranked.average_precision,
    "mrr": Ranked.reciprocal_rank,
}
