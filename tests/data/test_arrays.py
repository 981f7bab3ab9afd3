import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import fit_preprocessor, outline, prepare_folds, prepare_whole
from distml.data.dataset import load_dataset
from distml.data.options import DataOptions
from distml.data.task import Outline
from distml.data.variant import Variant
from tests.data.tables import GERMAN, TAIWAN, loaded

VARIANTS = [Variant(), Variant("quantile", "ordinal", "indicator"), Variant(pca=3, landmarks=5)]
RANDOM = np.random.default_rng(8)


@pytest.fixture(scope="module")
def german():
    return load_dataset(DataOptions(GERMAN, "creditability", positive="bad"))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_folds_of_the_german_table(german, variant):
    folds = prepare_folds(german, variant, 0)
    assert len(folds) == 5
    for arrays, (train, valid) in zip(folds, german.folds, strict=True):
        np.testing.assert_array_equal(arrays.train_rows, train)
        np.testing.assert_array_equal(arrays.valid_rows, valid)
        np.testing.assert_array_equal(arrays.y_train, german.y[train])
        np.testing.assert_array_equal(arrays.y_valid, german.y[valid])
        assert arrays.y_train.dtype == np.int64
        assert arrays.cardinalities == folds[0].cardinalities
        for x, rows in ((arrays.x_train, train), (arrays.x_valid, valid)):
            assert x.shape == (len(rows), folds[0].x_train.shape[1])
            assert x.dtype == np.float32
            assert x.flags.c_contiguous
            assert np.isfinite(x).all()
            codes = x[:, x.shape[1] - len(arrays.cardinalities) :]
            assert (codes >= 0).all()
            assert (codes < arrays.cardinalities).all()
            assert (codes == codes.astype(int)).all()


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_fold_is_fitted_on_its_own_training_rows_alone(tmp_path, variant):
    frame = pd.DataFrame({f"x{i}": RANDOM.normal(size=300) for i in range(5)})
    frame["colour"] = np.array(["red", "blue"], dtype=object)[RANDOM.integers(2, size=300)]
    frame["y"] = np.arange(300) % 2
    dataset = loaded(tmp_path, frame)
    before = prepare_folds(dataset, variant, 0)
    for number, (train, valid) in enumerate(dataset.folds):
        others = np.setdiff1d(np.arange(300), train)  # the fold's validation rows and the holdout
        assert set(valid) < set(others)
        dataset.frame.loc[others] = dataset.frame.loc[others].assign(x0=1e6, x1=-5.0, colour="blue").to_numpy()
        after = prepare_folds(dataset, variant, 0)
        np.testing.assert_array_equal(after[number].x_train, before[number].x_train)
        assert not np.array_equal(after[number].x_valid, before[number].x_valid)
        assert not np.array_equal(after[number - 1].x_train, before[number - 1].x_train)
        dataset = loaded(tmp_path, frame)


def test_taiwan_is_standardised_by_training_means():
    dataset = load_dataset(DataOptions(TAIWAN, "target", drop=("ID",), folds=2))
    for arrays in prepare_folds(dataset, Variant(), 0):
        raw = dataset.frame["LIMIT_BAL"].to_numpy()
        mean, deviation = raw[arrays.train_rows].mean(), raw[arrays.train_rows].std()
        np.testing.assert_allclose(
            arrays.x_valid[:, 0], (raw[arrays.valid_rows] - mean) / deviation, rtol=1e-4, atol=1e-5
        )
        assert abs(arrays.x_train.mean(axis=0)).max() < 1e-5


def test_whole_is_all_training_rows_against_the_holdout(german):
    whole = prepare_whole(german, Variant(), 0)
    np.testing.assert_array_equal(whole.train_rows, german.train)
    np.testing.assert_array_equal(whole.valid_rows, german.holdout)
    assert (len(whole.x_train), len(whole.x_valid)) == (800, 200)
    preprocessor = fit_preprocessor(german, Variant(), 0)
    np.testing.assert_array_equal(preprocessor.transform(german.frame.iloc[german.holdout]), whole.x_valid)


def test_features_mean_the_same_in_all_folds_though_a_category_is_in_few(tmp_path):
    colours = np.array(["red", "blue"] * 60, dtype=object)
    colours[:2] = "green"
    frame = pd.DataFrame({"x": RANDOM.normal(size=120), "colour": colours, "y": np.arange(120) // 2 % 2})
    dataset = loaded(tmp_path, frame)
    seen = dataset.frame["colour"].to_numpy()
    for arrays in (*prepare_folds(dataset, Variant(), 0), prepare_whole(dataset, Variant(), 0)):
        for place, colour in enumerate(dataset.layout.categories["colour"], start=1):
            np.testing.assert_array_equal(arrays.x_train[:, place], seen[arrays.train_rows] == colour)


def test_regression_values_are_float32(tmp_path):
    x = RANDOM.normal(size=60)
    dataset = loaded(tmp_path, pd.DataFrame({"x": x, "y": x * 1.5}))
    arrays = prepare_folds(dataset, Variant(), 0)[0]
    assert arrays.y_train.dtype == arrays.y_valid.dtype == np.float32
    assert outline(dataset, arrays) == Outline("regression", 1, (), 0)


def test_outline(german):
    arrays = prepare_folds(german, Variant(categorical="ordinal"), 0)[0]
    assert outline(german, arrays) == Outline("classification", arrays.x_train.shape[1], arrays.cardinalities, 2)
    assert len(arrays.cardinalities) == 12


def test_the_same_seed_gives_the_same_arrays(german):
    variant = Variant(numeric="quantile", pca=4, landmarks=4)
    one, same = (prepare_folds(german, variant, 3)[2].x_valid for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, prepare_folds(german, variant, 4)[2].x_valid)
