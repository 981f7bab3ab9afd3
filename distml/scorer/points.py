"""Score points, as credit scoring has them."""

import numpy as np

from distml.scorer.files import Points

_EDGE = 1e-6  # the last digit of a probability that is printed


def points_of(probability: np.ndarray, scale: Points) -> np.ndarray:
    """Whole points from the probability of the positive class: more points, less of it.

    probability: (rows,) -> (rows,) int64.

    >>> points_of(np.array([1 / 51, 1 / 101]), Points(base_score=600, base_odds=50, double_odds=20))
    array([600, 620])
    """
    inside = np.clip(probability, _EDGE, 1 - _EDGE)
    doublings = np.log2((1 - inside) / inside / scale.base_odds)
    return np.rint(scale.base_score + scale.double_odds * doublings).astype(np.int64)
