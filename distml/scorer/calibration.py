"""From an ensemble's score to a probability that means what it says."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from distml.scorer.files import Calibration

_EDGE = 1e-7  # raw scores are kept this far off 0 and 1, where the logit ends
_LEAST = 50  # rows of the rarer class: with fewer the folds cannot tell

_Fit = Callable[[np.ndarray, np.ndarray], Calibration]


def choose_calibration(raw: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray], classes: int) -> Calibration:
    """The calibration that the folds favour: fitted on all but one, judged by log loss on that one, each in turn.

    raw: (rows,) out-of-fold probability of the positive class, or (rows, classes). y: (rows,) codes. folds: row
    numbers, none twice. Members see more rows in the end than in the folds; that is as near as one can come to them
    without spending rows on calibration alone.
    """
    if min(np.bincount(y, minlength=classes)) < _LEAST or len(folds) < 2:
        return Calibration(method="none", reason=f"fewer than {_LEAST} rows of a class to calibrate on")
    fits: dict[str, _Fit] = {"none": _nothing}
    fits |= {"platt": _platt, "isotonic": _isotonic} if classes == 2 else {"temperature": _temperature}
    losses = {name: _cross_fitted_loss(fit, raw, y, folds) for name, fit in fits.items()}
    best = min(losses, key=lambda name: losses[name])
    told = ", ".join(f"{name} {loss:.5f}" for name, loss in losses.items())
    chosen = fits[best](raw, y)
    return chosen.model_copy(update={"reason": f"log loss over the folds: {told}"})


def calibrated(calibration: Calibration, raw: np.ndarray) -> np.ndarray:
    """raw: (rows,) or (rows, classes) -> the same shape."""
    if calibration.method == "platt":
        return _sigmoid(calibration.slope * _logit(raw) + calibration.shift)
    if calibration.method == "isotonic":
        x, y = np.array(calibration.knots).T
        return np.interp(raw, x, y)
    if calibration.method == "temperature":
        return _softmax(calibration.slope * np.log(np.clip(raw, _EDGE, 1)))
    return raw


def log_loss(probability: np.ndarray, y: np.ndarray) -> float:
    """Cross-entropy in nats of (rows,) probabilities of class 1, or of (rows, classes)."""
    every = np.column_stack([1 - probability, probability]) if probability.ndim == 1 else probability
    of_truth = every[np.arange(len(y)), y]
    return float(-np.log(np.clip(of_truth, _EDGE, 1)).mean())


def _cross_fitted_loss(fit: _Fit, raw: np.ndarray, y: np.ndarray, folds: Sequence[np.ndarray]) -> float:
    losses = []
    for place, held in enumerate(folds):
        rest = np.concatenate([rows for other, rows in enumerate(folds) if other != place])
        losses.append(len(held) * log_loss(calibrated(fit(raw[rest], y[rest]), raw[held]), y[held]))
    return sum(losses) / sum(map(len, folds))


def _nothing(raw: np.ndarray, y: np.ndarray) -> Calibration:
    return Calibration(method="none", reason="")


def _platt(raw: np.ndarray, y: np.ndarray) -> Calibration:
    """Platt's sigmoid (1999), on the log-odds, so that a score that is right already stays as it is."""
    fitted = LogisticRegression(C=np.inf).fit(_logit(raw)[:, None], y)
    return Calibration(method="platt", reason="", slope=float(fitted.coef_[0, 0]), shift=float(fitted.intercept_[0]))


def _isotonic(raw: np.ndarray, y: np.ndarray) -> Calibration:
    """Isotonic regression with one knot in the middle of each step (Oron and Flournoy, 2017): it ties no scores
    within its ends, so that the calibrated probabilities rank rows as the raw ones do."""
    steps = IsotonicRegression(out_of_bounds="clip").fit(raw, y).predict(raw)
    levels, places, counts = np.unique(steps, return_inverse=True, return_counts=True)
    centres = np.bincount(places, weights=raw) / counts
    # A step of so many rows of one class is no proof that there are no others: Laplace's rule of succession.
    levels = np.clip(levels, 1 / (len(y) + 2), 1 - 1 / (len(y) + 2))
    return Calibration(method="isotonic", reason="", knots=tuple(zip(centres.tolist(), levels.tolist(), strict=True)))


def _temperature(raw: np.ndarray, y: np.ndarray) -> Calibration:
    """Temperature scaling (Guo et al., 2017): one number for all classes, which leaves the likeliest class as it is."""
    logs = np.log(np.clip(raw, _EDGE, 1))
    found = minimize_scalar(lambda power: log_loss(_softmax(np.exp(power) * logs), y), bounds=(-3, 3), method="bounded")
    return Calibration(method="temperature", reason="", slope=float(np.exp(found.x)))


def _logit(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def _softmax(value: np.ndarray) -> np.ndarray:
    weights = np.exp(value - value.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
