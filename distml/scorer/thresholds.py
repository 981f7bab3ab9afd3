"""From which probability on a decision is for the positive class."""

import numpy as np

from distml.scorer.files import Threshold

DIGITS = 6  # of a probability, printed and compared


def best_threshold(probability: np.ndarray, y: np.ndarray) -> Threshold:
    """Where the distribution functions of the two classes stand furthest apart (Kolmogorov-Smirnov; Youden's J).

    It needs no word on what mistakes cost; who knows that, takes `cost_threshold`.

    probability: (rows,) of the positive class, calibrated. y: (rows,) of 0 and 1.

    >>> best_threshold(np.array([0.1, 0.2, 0.4, 0.8]), np.array([0, 0, 1, 1])).value
    0.3
    """
    values, places = np.unique(np.round(probability, DIGITS), return_inverse=True)
    ones = np.bincount(places, weights=y == 1)
    zeros = np.bincount(places, weights=y != 1)
    caught = ones[::-1].cumsum()[::-1] / ones.sum()  # of the positive rows, at or above each value
    refused = zeros[::-1].cumsum()[::-1] / zeros.sum()
    best = int(np.argmax(caught - refused))
    below = values[best - 1] if best else values[best]
    reason = (
        f"the largest Kolmogorov-Smirnov distance, {caught[best] - refused[best]:.4f} out of fold: "
        f"{caught[best]:.1%} of the positive rows and {refused[best]:.1%} of the others are at or above it"
    )
    return Threshold(value=round(float(below + values[best]) / 2, DIGITS), reason=reason)


def cost_threshold(ratio: float) -> Threshold:
    """The cheapest threshold where missing a positive row costs `ratio` times as much as refusing another one.

    >>> cost_threshold(4).value
    0.2
    """
    value = round(1 / (1 + ratio), DIGITS)
    return Threshold(value=value, reason=f"a missed positive row costs {ratio:g} times a refused other one")


def share_threshold(y: np.ndarray) -> Threshold:
    """The share of positive rows, where no out-of-fold predictions say better. y: (rows,) of 0 and 1."""
    return Threshold(value=round(float(np.mean(y == 1)), DIGITS), reason="the share of positive training rows")
