"""Medians with intervals, and ratios of medians with theirs: by bootstrap, so that no distribution is assumed."""

from collections.abc import Sequence

import numpy as np

from distml.bench.record import Figure

LEAST_REPEATS = 5  # with fewer, an interval would promise more than it holds
_RESAMPLES = 10_000
_TAILS = (2.5, 97.5)  # percent: a 95 % interval


def figure(values: Sequence[float]) -> Figure:
    """The median and its 95 % percentile bootstrap interval; no interval for fewer than LEAST_REPEATS values.

    >>> figure([3.0, 1.0, 2.0, 5.0, 4.0])
    Figure(median=3.0, low=1.0, high=5.0)
    >>> figure([3.0, 1.0])
    Figure(median=2.0, low=None, high=None)
    """
    median = float(np.median(values))
    if len(values) < LEAST_REPEATS:
        return Figure(median=median, low=None, high=None)
    low, high = np.percentile(_medians(values, 0), _TAILS)
    return Figure(median=median, low=float(low), high=float(high))


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Figure:
    """The ratio of two medians and its interval, both sides resampled on their own.

    >>> ratio([2.0] * 5, [1.0] * 5)
    Figure(median=2.0, low=2.0, high=2.0)
    """
    quotient = float(np.median(values) / np.median(baseline))
    if min(len(values), len(baseline)) < LEAST_REPEATS:
        return Figure(median=quotient, low=None, high=None)
    low, high = np.percentile(_medians(values, 0) / _medians(baseline, 1), _TAILS)
    return Figure(median=quotient, low=float(low), high=float(high))


def differs(found: Figure) -> bool | None:
    """Whether a ratio's interval leaves 1 out; None where there is no interval."""
    if found.low is None or found.high is None:
        return None
    return not found.low <= 1 <= found.high


def _medians(values: Sequence[float], stream: int) -> np.ndarray:
    """Medians of resamples, the same ones each time. (resamples,)"""
    drawn = np.random.default_rng(stream).integers(0, len(values), (_RESAMPLES, len(values)))
    return np.median(np.asarray(values, dtype=np.float64)[drawn], axis=1)
