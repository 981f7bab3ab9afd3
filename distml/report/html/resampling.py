"""Intervals: by bootstrap, and Wilson's for shares."""

from collections.abc import Callable

import numpy as np

DRAWS = 200
LEVEL = 0.95


def bootstrap(
    figure: Callable[[np.ndarray, np.ndarray], np.ndarray], y: np.ndarray, score: np.ndarray, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval of figures over rows drawn with replacement; always the same draws.

    figure: (y, score) -> (figures,). Draws without both of two classes are left out. Returns (low, high).
    """
    random = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        rows = random.integers(len(y), size=len(y))
        if len(np.unique(y[rows])) > 1:
            found.append(figure(y[rows], score[rows]))
    if not found:
        return (nothing := np.full_like(figure(y, score), np.nan)), nothing
    low, high = np.quantile(np.array(found), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def wilson(positives: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927).

    >>> [round(bound, 3) for bound in wilson(8, 40)]
    [0.105, 0.348]
    """
    from scipy.stats import binomtest

    found = binomtest(positives, rows).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)
