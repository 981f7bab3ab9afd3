"""A process keeps the predictions of its best trials, and of few others."""

from pathlib import Path

import numpy as np
import pytest

from distml.models.metrics import Metric
from distml.sweep.keeping import Keeper
from distml.training.cohort import RungResult
from distml.training.validation import Validation


class _Cohort:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def validation(self, trial: str) -> Validation:
        self.asked.append(trial)
        return Validation.of_folds([(np.arange(2), np.zeros(2))])


def _finished(scores: list[float], first: int = 0) -> list[RungResult]:
    return [RungResult(f"t{first + i:04}", 5, "finished", {"auc": score}) for i, score in enumerate(scores)]


@pytest.mark.parametrize("greater", [True, False])
def test_the_best_are_there_and_few_others(tmp_path: Path, greater: bool) -> None:
    scores = np.random.default_rng(0).permutation(1000) / 1000
    keeper, cohort = Keeper(), _Cohort()
    for i, score in enumerate(scores):
        keeper.keep("mine", Metric("auc", greater), _finished([float(score)], i), cohort, tmp_path)  # type: ignore[arg-type]
    best = np.argsort(-scores if greater else scores)[:8]
    assert {f"t{i:04}.npz" for i in best} <= {path.name for path in tmp_path.iterdir()}
    assert len(cohort.asked) < 8 * (1 + np.log(1000 / 8)) + 25  # its mean, and about four standard deviations


def test_of_one_rung_only_the_best_are_asked(tmp_path: Path) -> None:
    keeper, cohort = Keeper(), _Cohort()
    keeper.keep("mine", Metric("auc", True), _finished([i / 100 for i in range(100)]), cohort, tmp_path)  # type: ignore[arg-type]
    assert cohort.asked == [f"t{i:04}" for i in range(99, 91, -1)]


def test_unfinished_trials_and_full_disks_are_passed_over(tmp_path: Path) -> None:
    keeper, cohort = Keeper(), _Cohort()
    running = [RungResult("t0001", 5, "running", {"auc": 1.0}), RungResult("t0002", 5, "diverged")]
    keeper.keep("mine", Metric("auc", True), running, cohort, tmp_path)  # type: ignore[arg-type]
    assert cohort.asked == []
    wrong = keeper.keep("mine", Metric("auc", True), _finished([0.5]), cohort, tmp_path / "none")  # type: ignore[arg-type]
    assert isinstance(wrong, OSError)
