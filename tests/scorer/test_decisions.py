"""Thresholds and score points."""

import numpy as np
import pytest

from distml.scorer.files import Points
from distml.scorer.points import points_of
from distml.scorer.thresholds import best_threshold, cost_threshold, share_threshold


def test_the_threshold_stands_where_the_classes_are_furthest_apart() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 4000)
    probability = np.clip(0.3 + 0.2 * y + 0.1 * generator.normal(size=4000), 0, 1)
    found = best_threshold(probability, y)
    gaps = [
        (probability[y == 1] >= value).mean() - (probability[y == 0] >= value).mean()
        for value in np.linspace(0, 1, 999)
    ]
    told = (probability[y == 1] >= found.value).mean() - (probability[y == 0] >= found.value).mean()
    assert told >= max(gaps) - 1e-9
    assert f"{told:.4f}" in found.reason


def test_rows_of_one_score_are_not_parted() -> None:
    found = best_threshold(np.array([0.2, 0.2, 0.2, 0.6]), np.array([0, 0, 1, 1]))
    assert found.value == pytest.approx(0.4)


def test_costs_and_shares_set_it_too() -> None:
    assert cost_threshold(9).value == pytest.approx(0.1)
    assert share_threshold(np.array([0, 0, 0, 1])).value == pytest.approx(0.25)


def test_points_double_the_odds_where_they_should() -> None:
    odds = np.array([50, 100, 200, 25])
    scale = Points(base_score=600, base_odds=50, double_odds=20)
    assert points_of(1 / (1 + odds), scale).tolist() == [600, 620, 640, 580]


def test_the_surest_rows_have_points_too() -> None:
    found = points_of(np.array([0.0, 1.0]), Points())
    assert found[0] > 800 and found[1] < 200
