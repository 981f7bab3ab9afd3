"""Tables whose rows are documents, ranked within their query."""

import re

import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import outline, prepare_folds, prepare_whole
from distml.data.dataset import load_dataset
from distml.data.options import DataOptions
from distml.data.variant import Variant
from distml.errors import MistakesError
from tests.data.tables import saved

RANDOM = np.random.default_rng(5)
SIZES = RANDOM.integers(4, 9, 30)
FRAME = pd.DataFrame({"query": [f"q{number}" for number in np.repeat(np.arange(30), SIZES)]}).assign(
    a=lambda frame: RANDOM.normal(size=len(frame)),
    grade=lambda frame: (frame.a.rank(pct=True) * 4.99).astype(int),
)


def options(folder, frame=FRAME, **changes):
    return DataOptions(saved(folder, frame), **{"target": "grade", "group": "query", "task": "ranking", **changes})


def mistakes(folder, frame=FRAME, **changes):
    with pytest.raises(MistakesError) as caught:
        load_dataset(options(folder, frame, **changes))
    return {mistake.where: mistake.what for mistake in caught.value.mistakes}


@pytest.mark.parametrize("folds", [1, 4])
def test_no_query_is_on_both_sides_of_a_split(tmp_path, folds):
    dataset = load_dataset(options(tmp_path, folds=folds))
    queries = dataset.queries
    assert dataset.task == "ranking" and dataset.classes == () and list(dataset.frame) == ["a"]
    assert not set(queries[dataset.train]) & set(queries[dataset.holdout])
    assert len(dataset.folds) == folds
    for learn, valid in dataset.folds:
        assert not set(queries[learn]) & set(queries[valid])
        assert set(learn) | set(valid) == set(dataset.train)


def test_folds_hold_the_grade_and_the_query_of_each_row(tmp_path):
    dataset = load_dataset(options(tmp_path))
    names = FRAME["query"].to_numpy()
    for arrays in (*prepare_folds(dataset, Variant(), 0), prepare_whole(dataset, Variant(), 0)):
        for y, rows in ((arrays.y_train, arrays.train_rows), (arrays.y_valid, arrays.valid_rows)):
            assert y.shape == (len(rows), 2) and y.dtype == np.int64
            np.testing.assert_array_equal(y[:, 0], FRAME["grade"].to_numpy()[rows])
            assert len(set(zip(y[:, 1], names[rows], strict=True))) == len(set(names[rows])) == len(set(y[:, 1]))
    assert outline(dataset, arrays).classes == 0


def test_queries_that_tell_little_are_told(tmp_path):
    frame = FRAME.assign(grade=FRAME["grade"].mask(FRAME["query"].isin(["q3", "q8"]), 0))
    frame["grade"] = frame["grade"].mask(frame["query"] == "q5", 2)
    barren, same = load_dataset(options(tmp_path, frame)).warnings
    assert barren == "queries without a relevant document are left out of scores: 2 of 30"
    assert same == "queries whose documents are all of one grade teach no order: 3 of 30"


def test_rows_without_a_grade_are_left_out_with_their_queries(tmp_path):
    frame = FRAME.assign(grade=FRAME["grade"].astype(float).mask(FRAME["query"] == "q0"))
    dataset = load_dataset(options(tmp_path, frame))
    assert len(dataset.y) == len(dataset.queries) == len(frame) - SIZES[0]
    assert len(np.unique(dataset.queries)) == 29


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"group": None}, "data.group", "missing: the column that says which query a row belongs to"),
        ({"group": "qurey"}, "data.group", "'qurey' is not a column. Did you mean 'query'?"),
        ({"time": "a"}, "data.time", "by group or in order of time, not both"),
        ({"target": "a"}, "data.target", "whole numbers from 0, not relevant, to 31; 'a' holds"),
        ({"target": None}, "data.target", "missing: the column to predict"),
        ({"positive": 1}, "data.positive", "is for two classes"),
        ({"folds": 40}, "data.group", "30 groups are too few for a holdout of 20% and 40 folds"),
    ],
)
def test_what_makes_no_sense_of_a_ranking_is_said(tmp_path, changes, where, words):
    found = mistakes(tmp_path, **changes)
    assert list(found) == [where]
    assert re.search(words, found[where])


def test_grades_are_counted_from_0_to_31(tmp_path):
    below = mistakes(tmp_path, FRAME.assign(grade=FRAME["grade"] - 1))["data.target"]
    assert "'grade' holds -1: cut it into grades, or say task: regression" in below
    assert "holds 40" in mistakes(tmp_path, FRAME.assign(grade=10 * FRAME["grade"]))["data.target"]
    words = FRAME["grade"].map({0: "bad", 1: "poor", 2: "fair", 3: "good", 4: "best"})
    assert "ranking needs numbers" in mistakes(tmp_path, FRAME.assign(grade=words))["task"]


def test_a_group_of_one_row_each_is_no_query(tmp_path):
    frame = FRAME.assign(query=[f"d{number}" for number in range(len(FRAME))])
    assert "there is no order to learn. Is it the column of the queries?" in mistakes(tmp_path, frame)["data.group"]


def test_a_part_without_anything_relevant_cannot_be_scored(tmp_path):
    frame = FRAME.assign(grade=(FRAME.index == 0).astype(int))
    found = mistakes(tmp_path, frame, folds=2)
    assert set(found) <= {"split.folds", "data.group", "split.test"} and len(found) == 1
