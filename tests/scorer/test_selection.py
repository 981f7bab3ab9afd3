"""Greedy ensemble selection."""

import numpy as np
import pytest

from distml.models.metrics import Evaluator
from distml.scorer.selection import as_evaluated, mean_over_folds, select


def candidates(count: int, rows: int = 3000, noise: float = 1.0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores that see the truth through noise of their own."""
    generator = np.random.default_rng(3)
    y = generator.integers(0, 2, rows)
    seen = y + noise * generator.normal(size=(count, rows)) * np.linspace(1, 2, count)[:, None]
    return {f"t{i + 1:04}": (1 / (1 + np.exp(-row))).astype(np.float32) for i, row in enumerate(seen)}, y


def auc(y: np.ndarray):
    folds = np.array_split(np.arange(len(y)), 3)
    return mean_over_folds(Evaluator("roc_auc", [], "classification", 2), y, folds)


def test_independent_scores_are_better_together_and_weigh_by_their_worth() -> None:
    predictions, y = candidates(5)
    score = auc(y)
    weights = select(predictions, score)
    together = sum(share * predictions[trial] for trial, share in weights.items())
    assert score(together) > max(map(score, predictions.values())) + 0.02
    assert weights["t0001"] == max(weights.values())
    assert sum(weights.values()) == pytest.approx(1)


def test_it_is_the_same_each_time_and_bounded() -> None:
    predictions, y = candidates(12)
    weights = select(predictions, auc(y), members=4)
    assert weights == select(predictions, auc(y), members=4)
    assert len(weights) == 4


def test_copies_of_one_prediction_stand_alone() -> None:
    """Nothing is gained by a second, so that nothing is trained for it."""
    predictions, y = candidates(1)
    one = predictions["t0001"]
    assert select({"t0001": one, "t0002": one, "t0003": one}, auc(y)) == {"t0001": 1.0}


def test_noise_is_not_taken_in() -> None:
    predictions, y = candidates(1, noise=0.3)
    predictions["t0002"] = np.random.default_rng(0).random(len(y)).astype(np.float32)
    weights = select(predictions, auc(y))
    assert weights.get("t0002", 0) < 0.1


def test_where_less_is_better_less_is_chosen() -> None:
    y = np.random.default_rng(1).normal(size=400)
    score = mean_over_folds(Evaluator("rmse", [], "regression", 0), y, [np.arange(200), np.arange(200, 400)])
    predictions = {"t0001": y + 1, "t0002": y - 1, "t0003": y + 5}
    assert score(predictions["t0001"]) == pytest.approx(-1)
    assert select(predictions, score) == {"t0001": 0.5, "t0002": 0.5}


def test_a_fold_that_lacks_a_class_is_left_out() -> None:
    y = np.array([0, 1, 0, 1, 0, 0])
    score = mean_over_folds(Evaluator("roc_auc", [], "classification", 2), y, [np.arange(4), np.arange(4, 6)])
    assert score(np.array([0.1, 0.9, 0.2, 0.8, 0.5, 0.5])) == 1.0


def test_two_columns_for_two_classes() -> None:
    np.testing.assert_array_equal(as_evaluated(np.array([0.25]), 2), [[0.75, 0.25]])
    assert as_evaluated(np.array([[0.2, 0.3, 0.5]]), 3).shape == (1, 3)
    assert as_evaluated(np.array([3.5]), 0).shape == (1,)
