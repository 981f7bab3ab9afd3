import numpy as np
import pandas as pd
import pytest

from distml.data.dataset import load_dataset
from distml.data.options import DataOptions
from distml.data.table import file_sha256
from distml.errors import MistakesError
from tests.data.tables import GERMAN, TAIWAN, loaded, saved

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=120)
HALVES = np.arange(120) % 2


def mistakes(folder, frame, **options):
    with pytest.raises(MistakesError) as caught:
        loaded(folder, frame, **options)
    return {mistake.where: mistake.what for mistake in caught.value.mistakes}


def test_taiwan_as_a_user_has_it():
    dataset = load_dataset(DataOptions(TAIWAN, "target", drop=("ID",)))
    assert dataset.frame.shape == (30_000, 23)
    assert (dataset.task, dataset.classes, dataset.y.dtype) == ("classification", (0, 1), np.int64)
    assert (len(dataset.train), len(dataset.holdout), len(dataset.folds)) == (24_000, 6_000, 5)
    assert dataset.y.mean() == pytest.approx(0.2212)
    assert set(dataset.kinds.values()) == {"numeric"}
    assert dataset.sha256 == file_sha256(TAIWAN)
    assert dataset.warnings == ("14 of the 6,000 holdout rows equal a training row in all features and the target",)


def test_taiwan_with_its_identifier_is_warned_of():
    (warning,) = load_dataset(DataOptions(TAIWAN, "target", kinds={"SEX": "categorical"})).warnings
    assert warning.startswith("column 'ID' looks like an identifier")


def test_german_needs_its_positive_class_named():
    with pytest.raises(MistakesError, match="say which class of 'creditability' is the positive one, 'bad' or 'good'"):
        load_dataset(DataOptions(GERMAN, "creditability"))
    dataset = load_dataset(DataOptions(GERMAN, "creditability", positive="bad"))
    assert dataset.classes == ("good", "bad")
    assert dataset.y.mean() == pytest.approx(0.3)
    assert dataset.kinds["foreign_worker"] == "boolean"
    assert dataset.kinds["purpose"] == "categorical"
    assert dataset.warnings == ()


@pytest.mark.parametrize(
    ("target", "options", "task", "classes"),
    [
        (HALVES, {}, "classification", (0, 1)),
        (HALVES * 2 - 1, {}, "classification", (-1, 1)),
        (HALVES.astype(float), {}, "classification", (0, 1)),
        (HALVES, {"positive": 0}, "classification", (1, 0)),
        (HALVES == 1, {}, "classification", (False, True)),
        (np.where(HALVES, "true", "false"), {}, "classification", (False, True)),
        (np.where(HALVES, "yes", "no"), {"positive": True}, "classification", ("no", "yes")),
        (np.where(HALVES, "yes", "no"), {"positive": "no"}, "classification", ("yes", "no")),
        (np.where(HALVES, "bad", "good"), {"positive": "Bad"}, "classification", ("good", "bad")),
        (HALVES + 1, {"positive": 1}, "classification", (2, 1)),
        (HALVES, {"task": "regression"}, "regression", ()),
        (np.arange(120) % 3, {}, "classification", (0, 1, 2)),
        (np.arange(120) % 20, {"folds": 2}, "classification", tuple(range(20))),
        (np.arange(120) % 21, {}, "regression", ()),
        (X, {}, "regression", ()),
        (HALVES / 2, {}, "regression", ()),
        ([f"${i},000" for i in range(120)], {}, "regression", ()),
        (np.array(["a", "b", "c"])[np.arange(120) % 3], {}, "classification", ("a", "b", "c")),
    ],
)
def test_task_and_classes(tmp_path, target, options, task, classes):
    dataset = loaded(tmp_path, pd.DataFrame({"x": X, "y": target}), **options)
    assert dataset.task == task
    assert dataset.classes == classes
    assert [type(label) for label in dataset.classes] == [type(label) for label in classes]
    if len(classes) == 2:
        raw = pd.Series(target)
        assert set(raw[dataset.y == 1].map(str).str.lower()) <= {str(classes[1]).lower(), f"{classes[1]}.0"}


def test_every_mistake_at_once(tmp_path):
    frame = pd.DataFrame({"age": X, "colour": ["red", "blue"] * 60, "y": HALVES})
    found = mistakes(
        tmp_path,
        frame,
        positive=3,
        drop=("agge",),
        kinds={"colour": "numeric", "age": "number", "hue": "text"},
        group="grp",
        time="colour",
        test=1.5,
        folds=0,
    )
    assert found == {
        "split.test": "1.5 is not between 0 and 1",
        "split.folds": "0 is not a whole number above 0",
        "data.drop": "'agge' is not a column. Did you mean 'age'? (3 columns: age, colour, y)",
        "data.kinds.hue": "'hue' is not a column. (3 columns: age, colour, y)",
        "data.group": "'grp' is not a column. (3 columns: age, colour, y)",
        "data.kinds.age": (
            "'number' is no kind. Did you mean 'numeric'? (kinds: numeric, categorical, boolean, date, text)"
        ),
        "data.time": "'colour' has to hold dates like 2026-11-23 or numbers; 'red' is neither",
        "data.positive": "3 is no class of 'y'. (classes: 0, 1)",
    }


@pytest.mark.parametrize(
    ("target", "options", "where", "what"),
    [
        (HALVES, {"target": "Y2"}, "data.target", "'Y2' is not a column. Did you mean 'y'?"),
        (HALVES * 0, {}, "data.target", "'y' holds one class only (0)"),
        ([2.5] * 120, {}, "data.target", "one value only"),
        ([None] * 120, {}, "data.target", "'y' holds nothing"),
        ([f"{i} sheep jumping over a fence that is rather long" for i in range(120)], {}, "data.target", "free text"),
        (pd.date_range("2026-01-01", periods=120), {}, "data.target", "'y' holds dates"),
        (["low", "high"] * 60, {"task": "regression"}, "task", "regression needs numbers; 'y' holds 'low'"),
        (["low", "high"] * 60, {"positive": "hihg"}, "data.positive", "Did you mean 'high'? (classes: 'high', 'low')"),
        (["low", "high"] * 60, {}, "data.positive", "say which class of 'y' is the positive one, 'high' or 'low'"),
        (np.arange(120) % 3, {"positive": 1}, "data.positive", "'y' has 3 (0, 1, 2): leave it out"),
        (X, {"positive": 1}, "data.positive", "'y' holds numbers to be predicted"),
        (np.r_[[1] * 5, [0] * 115], {}, "split.folds", "1 class has too few rows"),
        (HALVES, {"drop": ("y",)}, "data.drop", "'y' is the target"),
        (HALVES, {"kinds": {"y": "numeric"}}, "data.kinds.y", "say task: classification or regression"),
        (HALVES, {"group": "y"}, "data.group", "'y' is the target"),
        (HALVES, {"drop": ("x",)}, "data.source", "no column is left to learn from"),
        (HALVES, {"group": "x", "time": "x"}, "data.time", "not both"),
    ],
)
def test_single_mistakes(tmp_path, target, options, where, what):
    found = mistakes(tmp_path, pd.DataFrame({"x": X, "y": target}), **options)
    assert what in found[where]


def test_an_unreadable_source_comes_with_the_other_mistakes(tmp_path):
    with pytest.raises(MistakesError) as caught:
        load_dataset(DataOptions(tmp_path / "none.csv", "y", test=0))
    assert [mistake.where for mistake in caught.value.mistakes] == ["data.source", "split.test"]


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    target = HALVES.astype(object)
    target[[3, 50]] = None
    dataset = loaded(tmp_path, pd.DataFrame({"x": X, "y": target}))
    assert len(dataset.frame) == len(dataset.y) == 118
    np.testing.assert_allclose(dataset.frame["x"], np.delete(X, [3, 50]))
    assert "rows without a target are left out: 2 of 120" in dataset.warnings


def test_empty_columns_and_texts_that_are_codes_are_left_out_with_a_warning(tmp_path):
    notes = [f"{i} times the customer called about a very long matter of his" for i in range(120)]
    codes = [f"X{7919 * i % 1000:03}" for i in range(120)]
    frame = pd.DataFrame({"x": X, "gone": np.nan, "note": notes, "code": codes, "y": HALVES})
    dataset = loaded(tmp_path, frame)
    assert dict(dataset.kinds) == {"x": "numeric", "note": "text"}
    assert list(dataset.frame.columns) == ["x", "note"]
    assert "column 'gone' is empty in all training rows and left out" in dataset.warnings
    assert any(warning.startswith("column 'code' is left out: texts of few words") for warning in dataset.warnings)
    assert loaded(tmp_path, frame, kinds={"code": "text"}).kinds["code"] == "text"
    found = mistakes(tmp_path, frame[["code", "y"]])
    assert "no column is left to learn from (column 'code' is left out" in found["data.source"]


def test_only_empty_columns_are_a_mistake(tmp_path):
    found = mistakes(tmp_path, pd.DataFrame({"x": np.full(120, np.nan), "y": HALVES}))
    assert "column 'x' is empty in all training rows" in found["data.source"]


def test_few_unreadable_cells_are_a_warning(tmp_path):
    cells = ["7"] * 119 + ["lots"]
    dataset = loaded(tmp_path, pd.DataFrame({"x": X, "n": cells, "y": HALVES}), kinds={"n": "numeric"})
    assert "column 'n': cells that do not read as numeric are taken as missing: 1 ('lots')" in dataset.warnings
    assert dataset.frame["n"].isna().sum() == 1


def test_group_and_time_columns_are_no_features(tmp_path):
    when = pd.date_range("2026-01-01", periods=120)[::-1]
    frame = pd.DataFrame({"x": X, "who": [f"p{i % 30}" for i in range(120)], "when": when, "y": HALVES})
    by_group = loaded(tmp_path, frame.drop(columns="when"), group="who")
    assert list(by_group.kinds) == ["x"]
    assert not set(frame["who"][by_group.train]) & set(frame["who"][by_group.holdout])
    by_time = loaded(tmp_path, frame.drop(columns="who"), time="when")
    assert list(by_time.kinds) == ["x"]
    assert sorted(by_time.holdout) == list(range(24))


def test_empty_cells_to_split_by_are_a_mistake(tmp_path):
    frame = pd.DataFrame({"x": X, "who": [None, *range(119)], "y": HALVES})
    assert mistakes(tmp_path, frame, group="who")["data.group"].startswith("'who' has empty cells (1)")
    assert mistakes(tmp_path, frame, time="who")["data.time"].startswith("'who' has empty cells (1)")


def test_layout_is_of_the_training_rows_alone(tmp_path):
    colours = np.array(["red", "blue"] * 60, dtype=object)
    frame = pd.DataFrame({"x": X, "colour": colours, "y": HALVES})
    holdout = loaded(tmp_path, frame).holdout
    frame.loc[holdout, "colour"] = "green"
    frame.loc[holdout, "x"] = np.nan
    layout = loaded(tmp_path, frame).layout
    assert layout.categories == {"colour": ("blue", "red")}
    assert layout.incomplete == ()


def test_loading_twice_gives_the_same(tmp_path):
    frame = pd.DataFrame({"x": X, "colour": ["red", "blue"] * 60, "y": HALVES})
    first, second = (load_dataset(DataOptions(saved(tmp_path, frame), "y", seed=4)) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame, second.frame)
    for left, right in zip(first.folds, second.folds, strict=True):
        np.testing.assert_array_equal(left[1], right[1])
