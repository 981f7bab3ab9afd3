"""Tables from which nothing is predicted: resamples in the place of folds, and nothing held out."""

import re

import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import outline, prepare_folds, prepare_whole
from distml.data.dataset import load_dataset
from distml.data.options import DataOptions
from distml.data.splits import resample_rows
from distml.data.variant import Variant
from distml.errors import MistakesError
from tests.data.tables import saved

RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {"a": RANDOM.normal(size=80), "b": RANDOM.normal(50, 9, 80), "c": RANDOM.choice(["x", "y"], 80), "z": 1.0}
)


def options(folder, **changes):
    return DataOptions(saved(folder, FRAME), **{"task": "clustering", "drop": ("z",), **changes})


def mistakes(folder, **changes):
    with pytest.raises(MistakesError) as caught:
        load_dataset(options(folder, **changes))
    return {mistake.where: mistake.what for mistake in caught.value.mistakes}


def test_all_rows_are_learnt_from_and_each_resample_is_its_own_validation(tmp_path):
    dataset = load_dataset(options(tmp_path, folds=4, validation=0.25))
    assert (dataset.task, dataset.target, dataset.classes) == ("clustering", None, ())
    assert list(dataset.frame) == ["a", "b", "c"]
    assert len(dataset.train) == 80 and len(dataset.holdout) == 0
    assert [len(rows) for rows, _ in dataset.folds] == [60] * 4
    for rows, described in dataset.folds:
        assert rows is described
        assert len(set(rows)) == 60 and (np.diff(rows) > 0).all()
    assert len({tuple(rows) for rows, _ in dataset.folds}) == 4


def test_resamples_follow_from_the_seed():
    drawn = [resample_rows(50, resamples=3, left_out=0.2, seed=seed).folds for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0][2][0], drawn[1][2][0])
    assert not np.array_equal(drawn[0][2][0], drawn[2][2][0])


def test_prepared_rows_are_scaled_within_their_resample(tmp_path):
    dataset = load_dataset(options(tmp_path))
    folds = prepare_folds(dataset, Variant(), 0)
    assert [fold.x_train.shape for fold in folds] == [(64, 4)] * 5
    assert folds[1].x_train[:, 1].mean() == pytest.approx(0, abs=1e-6)
    whole = prepare_whole(dataset, Variant(), 0)
    assert whole.x_train.shape == (80, 4) and whole.x_valid.shape == (0, 4)
    assert outline(dataset, whole).classes == 0


def test_odd_columns_are_told_all_the_same(tmp_path):
    (warning,) = load_dataset(options(tmp_path, drop=())).warnings
    assert warning == "column 'z' has one value only; add to data.drop"


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"target": "c"}, "data.target", "has no target: leave data.target out; data.drop: \\[c\\] keeps the column"),
        ({"task": None}, "data.target", "missing: the column to predict; .* say task: clustering or projection"),
        ({"task": "regression"}, "data.target", "missing: the column to predict"),
        ({"positive": "x"}, "data.positive", "no use in clustering"),
        ({"group": "c", "task": "projection"}, "data.group", "no use in projection"),
        ({"time": "a"}, "data.time", "no use in clustering"),
        ({"folds": 1}, "split.folds", "1: clustering compares at least 2 resamples"),
        ({"validation": 0.9}, "split.validation", "8 of the 80 rows are too few"),
    ],
)
def test_what_makes_no_sense_without_a_target_is_said(tmp_path, changes, where, words):
    found = mistakes(tmp_path, **changes)
    assert list(found) == [where]
    assert re.search(words, found[where])
