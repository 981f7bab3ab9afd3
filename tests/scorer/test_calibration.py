"""Probabilities that were bent, set straight."""

import numpy as np
import pytest

from distml.scorer.calibration import calibrated, choose_calibration, log_loss
from distml.scorer.files import Calibration


def bent(bend, rows: int = 20_000) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """(scores, truth, folds): the truth is drawn with a probability of which the score is a bent picture."""
    generator = np.random.default_rng(5)
    probability = generator.beta(1, 6, rows)
    y = (generator.random(rows) < probability).astype(int)
    return bend(probability), y, np.array_split(generator.permutation(rows), 5)


def expected_error(probability: np.ndarray, y: np.ndarray) -> float:
    """The expected calibration error over ten parts of equal size."""
    order = np.argsort(probability, kind="stable")
    return float(np.mean([abs(probability[part].mean() - y[part].mean()) for part in np.array_split(order, 10)]))


def test_right_probabilities_stay_as_they_are() -> None:
    raw, y, folds = bent(lambda p: p)
    chosen = choose_calibration(raw, y, folds, 2)
    assert chosen.method in ("none", "platt")
    np.testing.assert_allclose(calibrated(chosen, raw), raw, atol=0.03)


def test_odds_that_are_off_by_a_factor_take_platts_sigmoid() -> None:
    """As by class weights."""
    raw, y, folds = bent(lambda p: 4 * p / (1 + 3 * p))
    chosen = choose_calibration(raw, y, folds, 2)
    assert chosen.method == "platt"
    assert chosen.shift == pytest.approx(-np.log(4), abs=0.1) and chosen.slope == pytest.approx(1, abs=0.05)
    assert expected_error(raw, y) > 0.1
    assert expected_error(calibrated(chosen, raw), y) < 0.01


def test_a_bend_that_no_sigmoid_has_takes_isotonic_and_keeps_the_ranks() -> None:
    raw, y, folds = bent(lambda p: np.where(p < 0.15, 0.1 * p, 0.7 + 0.3 * p))
    chosen = choose_calibration(raw, y, folds, 2)
    assert chosen.method == "isotonic"
    after = calibrated(chosen, raw)
    assert expected_error(after, y) < 0.01
    order = np.argsort(raw)
    assert (np.diff(after[order]) >= 0).all()
    assert len(np.unique(after)) > 0.9 * len(np.unique(raw))  # no steps, on which rows would tie
    assert after.min() > 0 and after.max() < 1


def test_three_classes_take_one_temperature() -> None:
    generator = np.random.default_rng(2)
    true = generator.dirichlet([1, 1, 1], 6000)
    y = (generator.random((6000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    raw = true**3 / (true**3).sum(axis=1, keepdims=True)
    chosen = choose_calibration(raw, y, np.array_split(np.arange(6000), 5), 3)
    assert chosen.method == "temperature" and chosen.slope == pytest.approx(1 / 3, abs=0.03)
    after = calibrated(chosen, raw)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after.argmax(axis=1) == raw.argmax(axis=1)).all()
    assert log_loss(after, y) < log_loss(raw, y)


def test_the_reason_has_the_losses_that_decided() -> None:
    raw, y, folds = bent(lambda p: p**2)
    reason = choose_calibration(raw, y, folds, 2).reason
    assert all(name in reason for name in ("none 0.", "platt 0.", "isotonic 0."))


def test_too_few_rows_are_left_alone() -> None:
    raw, y, folds = bent(lambda p: p**2, rows=60)
    assert choose_calibration(raw, y, folds, 2).method == "none"


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_ends_are_finite(method: str) -> None:
    calibration = Calibration(method=method, reason="", slope=1.2, shift=0.1, knots=((0.2, 0.1), (0.8, 0.9)))
    assert np.isfinite(calibrated(calibration, np.array([0.0, 1.0]))).all()
