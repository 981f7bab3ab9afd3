import numpy as np
import pandas as pd
import pytest

from distml.data.checks import duplicates, leaks, odd_things

RANDOM = np.random.default_rng(11)
ROWS = 2000
Y = (RANDOM.random(ROWS) < 0.1).astype(np.int64)
NOISE = RANDOM.normal(size=ROWS)
TRAIN, HOLDOUT = np.arange(1600), np.arange(1600, ROWS)


def told(**columns):
    return odd_things(pd.DataFrame(columns), Y, "classification", "default", TRAIN, HOLDOUT)


def test_nothing_is_said_of_an_ordinary_table():
    assert told(age=NOISE, colour=np.where(NOISE > 0, "red", "blue").astype(object), weak=NOISE + 2 * Y) == ()


@pytest.mark.parametrize(
    "column",
    [
        Y + 0.01 * NOISE,
        np.where(Y == 1, np.where(NOISE > 0, 5.0, -5.0), NOISE / 10),  # both ends: no single threshold
        np.where(Y == 1, np.nan, 1.0),  # what is missing gives it away
        np.where(Y == 1, "written off", np.where(NOISE > 0, "open", "paid")).astype(object),
        pd.to_datetime(np.where(Y == 1, "2026-11-23", "2026-01-01")),
    ],
    ids=["monotone", "both ends", "missing", "category", "date"],
)
def test_a_column_that_gives_the_target_away_is_named_with_its_auc(column):
    (sentence,) = told(age=NOISE, leak=column)
    assert sentence.startswith("column 'leak' alone predicts 'default' almost perfectly (AUC ")
    assert float(sentence.split("AUC ")[1].split(")")[0]) >= 0.99


def test_leaks_of_many_classes_and_of_values():
    three = RANDOM.integers(3, size=ROWS)
    frame = pd.DataFrame({"noise": NOISE, "leak": three * 10.0})
    assert list(leaks(frame, three, "classification")) == ["leak"]
    value = RANDOM.random(ROWS)
    frame = pd.DataFrame({"noise": NOISE, "leak": 3 * value + 1, "half": value + RANDOM.random(ROWS)})
    assert list(leaks(frame, value, "regression")) == ["leak"]


def test_few_rows_tell_no_leak():
    assert leaks(pd.DataFrame({"x": Y[:50] * 1.0}), Y[:50], "classification") == {}


def test_constant_columns_are_named():
    (sentence,) = told(age=NOISE, one=np.ones(ROWS), word=np.full(ROWS, "same", dtype=object))
    assert sentence == "columns 'one', 'word' have one value only; add to data.drop"
    (sentence,) = told(age=NOISE, **{f"c{i}": np.ones(ROWS) for i in range(7)})
    assert sentence.startswith("columns 'c0', 'c1', 'c2', 'c3', 'c4' and 2 more have one value")
    gaps = np.where(NOISE > 0, 1.0, np.nan)
    assert told(age=NOISE, gaps=gaps) == ()


@pytest.mark.parametrize("name", ["ID", "id", "customer_id", "customerID", "Unnamed: 0", "row-index"])
def test_identifiers_are_told_by_name(name):
    (sentence,) = told(age=NOISE, **{name: RANDOM.permutation(ROWS) * 1.0})
    assert sentence.startswith(f"column {name!r} looks like an identifier")


def test_identifiers_are_told_by_counting_up():
    assert len(told(age=NOISE, number=np.arange(ROWS) + 17.0)) == 1
    assert told(age=NOISE, paid=RANDOM.permutation(ROWS) * 1.0, valid=RANDOM.integers(9, size=ROWS) * 1.0) == ()


def test_rows_on_both_sides_of_the_holdout_are_counted():
    frame = pd.DataFrame({"age": NOISE.copy(), "colour": np.array(["red", None], dtype=object)[Y]})
    frame.iloc[[1700, 1800, 1900]] = frame.iloc[[3, 3, 4]].to_numpy()
    y = Y.copy()
    y[[1700, 1800, 1900]] = [y[3], y[3], 1 - y[4]]  # the last differs in its target
    assert duplicates(frame, y, TRAIN, HOLDOUT) == 2
    sentence = "2 of the 400 holdout rows equal a training row in all features and the target"
    assert sentence in odd_things(frame, y, "classification", "default", TRAIN, HOLDOUT)
