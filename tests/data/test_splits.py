import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from distml.data.splits import Rows, make_folds, split_holdout, split_rows
from distml.errors import MistakesError

RANDOM = np.random.default_rng(5)
Y = (RANDOM.random(1000) < 0.2).astype(np.int64)
DEFAULTS = {"test": 0.2, "folds": 5, "validation": 0.2, "seed": 0}


def refused(rows, names=("0", "1"), **options):
    with pytest.raises(MistakesError) as caught:
        split_rows(rows, names, **{**DEFAULTS, **options})
    (mistake,) = caught.value.mistakes
    return mistake


@pytest.mark.parametrize("seed", [0, 7])
def test_default_holdout_is_the_usual_stratified_split(seed):
    train, holdout = split_holdout(Rows(Y, True), test=0.2, seed=seed)
    expected = train_test_split(np.arange(1000), test_size=0.2, random_state=seed, stratify=Y)
    np.testing.assert_array_equal(train, expected[0])
    np.testing.assert_array_equal(holdout, expected[1])


def test_regression_is_split_without_classes():
    train, holdout = split_holdout(Rows(RANDOM.random(50), False), test=0.3, seed=1)
    expected = train_test_split(np.arange(50), test_size=0.3, random_state=1)
    np.testing.assert_array_equal(holdout, expected[1])
    np.testing.assert_array_equal(train, expected[0])


def test_folds_part_the_training_rows_and_keep_the_classes_shares():
    splits = split_rows(Rows(Y, True), ("0", "1"), **DEFAULTS)
    assert np.array_equal(np.sort(np.concatenate([valid for _, valid in splits.folds])), np.sort(splits.train))
    for learn, valid in splits.folds:
        assert set(learn) | set(valid) == set(splits.train)
        assert not set(learn) & set(valid)
        assert Y[valid].mean() == pytest.approx(Y.mean(), abs=0.01)


def test_one_fold_holds_out_the_validation_share():
    ((learn, valid),) = make_folds(Rows(Y, True), np.arange(200, 1000), folds=1, validation=0.25, seed=0)
    assert (len(learn), len(valid)) == (600, 200)
    assert min(valid) >= 200


@settings(deadline=None, max_examples=40)
@given(
    groups=st.integers(8, 40),
    folds=st.integers(1, 5),
    test=st.sampled_from([0.1, 0.2, 0.3]),
    classified=st.booleans(),
    seed=st.integers(0, 5),
)
def test_no_group_is_on_both_sides_of_any_split(groups, folds, test, classified, seed):
    random = np.random.default_rng(seed)
    group = random.integers(groups, size=600)
    y = random.integers(2, size=600)
    rows = Rows(y if classified else y.astype(float), classified, groups=group)
    splits = split_rows(rows, ("0", "1"), test=test, folds=folds, validation=0.2, seed=seed)
    assert not set(group[splits.train]) & set(group[splits.holdout])
    assert np.array_equal(np.sort(np.concatenate([splits.train, splits.holdout])), np.arange(600))
    assert len(splits.folds) == folds
    for learn, valid in splits.folds:
        assert not set(group[learn]) & set(group[valid])
        assert set(learn) | set(valid) == set(splits.train)


@pytest.mark.parametrize("groups", [100, 2000])
@pytest.mark.parametrize("test", [0.2, 0.25, 0.15])
def test_group_holdout_has_about_its_share_and_the_classes(groups, test):
    random = np.random.default_rng(0)
    y = (random.random(20_000) < 0.2).astype(np.int64)
    rows = Rows(y, True, groups=random.integers(groups, size=20_000))
    _, holdout = split_holdout(rows, test=test, seed=0)
    assert len(holdout) / 20_000 == pytest.approx(test, abs=0.02)
    assert y[holdout].mean() == pytest.approx(0.2, abs=0.02)


def test_group_splits_differ_by_seed_and_repeat_with_it():
    for groups in (50, 1000):
        rows = Rows(Y, True, groups=np.arange(1000) % groups)
        holdouts = [set(split_holdout(rows, test=0.2, seed=seed)[1]) for seed in (0, 1, 0)]
        assert holdouts[0] == holdouts[2] != holdouts[1]


def test_time_splits_never_learn_from_later_rows():
    times = RANDOM.permutation(1000)
    splits = split_rows(Rows(Y, True, times=times), ("0", "1"), **DEFAULTS)
    assert sorted(times[splits.holdout]) == list(range(800, 1000))
    sizes = []
    for learn, valid in splits.folds:
        assert times[learn].max() < times[valid].min()
        sizes.append(len(learn))
    assert sizes == sorted(sizes)
    ((learn, valid),) = make_folds(Rows(Y, True, times=times), splits.train, folds=1, validation=0.25, seed=0)
    assert sorted(times[valid]) == list(range(600, 800))


def test_a_class_with_fewer_rows_than_folds_is_named():
    y = np.repeat([0, 1, 2], [50, 6, 1])
    mistake = refused(Rows(y, True), ("'a'", "'b'", "'c'"))
    assert mistake.where == "split.folds"
    assert "2 classes have too few rows" in mistake.what
    assert "'b' (6 rows), 'c' (1 row); each needs at least 7" in mistake.what
    assert len(split_rows(Rows(np.repeat([0, 1], [50, 7]), True), ("0", "1"), **DEFAULTS).folds) == 5


def test_too_few_rows_at_all():
    assert "4 rows are too few" in refused(Rows(np.arange(4.0), False), ()).what


def test_fewer_groups_than_folds():
    mistake = refused(Rows(Y, True, groups=np.arange(1000) % 5))
    assert (mistake.where, mistake.what.split(" for ")[0]) == ("data.group", "5 groups are too few")
    mistake = refused(Rows(Y, True, groups=np.arange(1000) % 8), test=0.5)
    assert mistake.what.startswith("4 groups are left beside the holdout, too few for a holdout of 50% and 5 folds")


def test_parts_without_a_class_are_named():
    times, names = np.arange(100), ("'good'", "'bad'")
    early = (times < 20).astype(np.int64)
    assert "no training row of fold 1 is of class 'good';" in refused(Rows(early, True, times=times), names).what
    mixed = np.where(times < 20, times % 2, 0)
    assert "no validation row of fold 2 is of class 'bad';" in refused(Rows(mixed, True, times=times), names).what
    gone = np.where(times < 80, times % 2, 0)
    assert "no held-out row is of class 'bad';" in refused(Rows(gone, True, times=times), names).what
