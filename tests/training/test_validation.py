"""What a cohort says it predicted for the rows it did not train on is what it was scored by."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distml.errors import DistmlError
from distml.training.cohort import Assignment
from distml.training.estimators import EstimatorCohort
from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from distml.training.validation import Validation
from tests.training import credit, networks


def _score(given: Assignment, found: Validation) -> float:
    """The mean over the folds of the sweep's metric, from the rows' predictions alone."""
    scores = []
    for fold in given.folds:
        y, prediction = fold.y_valid, found.aligned(fold.valid_rows)
        known = np.isfinite(prediction)
        two = np.column_stack([1 - prediction, prediction])
        scores.append(given.evaluator(y[known], two[known])[given.evaluator.metric.name])
    return float(np.mean(scores))


@pytest.mark.parametrize("name", ["random-forest", "hist-gradient-boosting"])
@pytest.mark.parametrize("whole", [False, True])
def test_estimators(name: str, whole: bool) -> None:
    given = credit.assignment(name, whole=whole)
    cohort = EstimatorCohort(given)
    cohort.admit([credit.member(rungs=(30,))])
    [result] = cohort.advance()
    found = cohort.validation(result.trial)
    assert len(np.unique(found.rows)) == len(found.rows)
    assert _score(given, found) == pytest.approx(result.scores[given.evaluator.metric.name], rel=1e-6)


@pytest.mark.parametrize("kind", [StackedCohort, SoloCohort])
def test_networks(kind: Any) -> None:
    given = networks.assignment()
    member = networks.member("t0")
    cohort = kind(given, member.params) if kind is StackedCohort else kind(given)
    cohort.admit([member])
    [result] = cohort.advance()
    assert _score(given, cohort.validation("t0")) == pytest.approx(result.scores["log_loss"], rel=1e-5)


def test_classes_and_values_keep_their_shape() -> None:
    rows = np.arange(4)
    assert Validation.of_folds([(rows, np.zeros((4, 3)))]).prediction.shape == (4, 3)
    assert Validation.of_folds([(rows, np.zeros(4))]).prediction.shape == (4,)


def test_rows_that_no_fold_held_have_none(tmp_path: Path) -> None:
    folds = [(np.array([7, 3]), np.array([0.7, 0.3])), (np.array([5]), np.array([0.5]))]
    Validation.of_folds(folds).write(tmp_path / "t0001.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["t0001.npz"]
    aligned = Validation.read(tmp_path / "t0001.npz").aligned(np.array([3, 4, 5, 7, 9]))
    np.testing.assert_array_equal(aligned, np.array([0.3, np.nan, 0.5, 0.7, np.nan], dtype=np.float32))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t0001.npz"
    for content in (b"", b"PK\x03\x04 no archive", b"\x80\x04N."):
        file.write_bytes(content)
        with pytest.raises(DistmlError, match=r"t0001\.npz cannot be read"):
            Validation.read(file)
