import itertools
import pickle

import numpy as np
import pandas as pd
import pytest

from distml.data.kinds import apply_kinds, infer_kinds
from distml.data.layout import layout_of
from distml.data.preprocessing import Variant, cardinalities, make_preprocessor

ROWS = 200
RANDOM = np.random.default_rng(2)
TABLE = pd.DataFrame(
    {
        "pay": np.exp(RANDOM.normal(size=ROWS)),
        "job": np.array(["clerk", "miner", "nurse", None], dtype=object)[RANDOM.integers(4, size=ROWS)],
        "own": np.array(["yes", "no", None], dtype=object)[np.r_[0, 1, 2, RANDOM.integers(2, size=ROWS - 3)]],
        "since": pd.date_range("2020-01-01", periods=ROWS),
        "town": np.array(["A", "B"], dtype=object)[RANDOM.integers(2, size=ROWS)],
        "age": np.where(np.arange(ROWS) % 10 == 0, np.nan, RANDOM.integers(18, 80, size=ROWS)),
    }
)
KINDS = infer_kinds(TABLE, {})
FRAME = apply_kinds(TABLE, KINDS)
LAYOUT = layout_of(FRAME, KINDS)
STRANGE = apply_kinds(
    pd.DataFrame({"pay": ["?", None], "job": ["diver", ""], "own": 7, "since": "", "town": None, "age": "1e99"}), KINDS
)
VARIANTS = [
    Variant(*choices)
    for choices in itertools.product(
        ("standard", "quantile", "none"), ("one-hot", "ordinal"), ("indicator", "none"), (None, 3), (None, 4)
    )
]


def prepared(variant, frame=FRAME):
    preprocessor = make_preprocessor(LAYOUT, variant, 0)
    return preprocessor, preprocessor.fit_transform(frame)


def test_layout():
    assert KINDS == {
        "pay": "numeric",
        "job": "categorical",
        "own": "boolean",
        "since": "date",
        "town": "categorical",
        "age": "numeric",
    }
    assert LAYOUT.categories == {"job": ("clerk", "miner", "nurse"), "town": ("A", "B")}
    assert LAYOUT.incomplete == ("job", "own", "age")


@pytest.mark.filterwarnings("ignore:n_quantiles:UserWarning")  # fewer rows than quantiles; prepare_folds silences it
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_gives_finite_float32_for_any_later_table(variant):
    preprocessor, x = prepared(variant)
    ordinal = variant.categorical == "ordinal"
    plain = 2 + 1 + 3 + 2 * (variant.missing == "indicator") + (0 if ordinal else 4 + 2)
    width = (variant.pca or plain) + (variant.landmarks or 0) + 2 * ordinal
    for matrix, rows in ((x, ROWS), (preprocessor.transform(FRAME[:7]), 7), (preprocessor.transform(STRANGE), 2)):
        assert (matrix.shape, matrix.dtype) == ((rows, width), np.float32)
        assert matrix.flags.c_contiguous
        assert np.isfinite(matrix).all()
    assert cardinalities(preprocessor) == ((4, 3) if ordinal else ())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(preprocessor)).transform(FRAME), x)


def test_standard_and_plain_numbers():
    _, x = prepared(Variant())
    pay, age = x[:, 0], x[:, 1]
    assert (pay.mean(), pay.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    _, x = prepared(Variant(numeric="none"))
    np.testing.assert_array_equal(x[:, 0], FRAME["pay"].astype(np.float32))
    np.testing.assert_array_equal(x[::10, 1], np.float32(FRAME["age"].median()))
    assert np.ptp(age) > 0


@pytest.mark.filterwarnings("ignore:n_quantiles:UserWarning")
def test_quantiles_make_any_distribution_normal():
    _, x = prepared(Variant(numeric="quantile"))
    assert np.quantile(x[:, 0], [0.16, 0.5, 0.84]) == pytest.approx([-1, 0, 1], abs=0.1)


def test_dates_become_day_day_of_year_and_weekday():
    _, x = prepared(Variant(numeric="none"))
    np.testing.assert_array_equal(x[0, 2:5], [18262, 1, 2])  # Wednesday, 1 January 2020
    np.testing.assert_array_equal(x[31, 2:5], [18293, 32, 5])


def test_booleans_are_zero_and_one_and_missing_ones_the_commoner():
    _, x = prepared(Variant())
    commoner = FRAME["own"].mode()[0]
    np.testing.assert_array_equal(x[:, 5], FRAME["own"].fillna(commoner))


def test_one_hot_has_a_feature_for_missing_and_zeros_for_unseen():
    preprocessor, x = prepared(Variant())
    for place, job in enumerate(["clerk", "miner", "nurse"]):
        np.testing.assert_array_equal(x[:, 6 + place], FRAME["job"] == job)
    np.testing.assert_array_equal(x[:, 9], FRAME["job"].isna())
    np.testing.assert_array_equal(preprocessor.transform(STRANGE)[:, 6:], [[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]])


def test_ordinal_codes_are_last_with_0_for_missing_and_unseen():
    preprocessor, x = prepared(Variant(categorical="ordinal"))
    expected = FRAME["job"].map({"clerk": 1, "miner": 2, "nurse": 3}).fillna(0)
    np.testing.assert_array_equal(x[:, -2], expected)
    np.testing.assert_array_equal(x[:, -1], FRAME["town"].map({"A": 1, "B": 2}))
    np.testing.assert_array_equal(preprocessor.transform(STRANGE)[:, -2:], np.zeros((2, 2)))


def test_indicators_follow_the_incomplete_columns():
    _, x = prepared(Variant(missing="indicator", numeric="none"))
    np.testing.assert_array_equal(x[:, 6], FRAME["own"].isna())
    np.testing.assert_array_equal(x[:, 7], FRAME["age"].isna())


def test_landmarks_come_beside_the_columns_and_codes_stay_out_of_them():
    _, plain = prepared(Variant(categorical="ordinal"))
    _, raised = prepared(Variant(categorical="ordinal", landmarks=4))
    np.testing.assert_array_equal(raised[:, :6], plain[:, :6])
    np.testing.assert_array_equal(raised[:, -2:], plain[:, -2:])
    shuffled = FRAME.assign(job=FRAME["job"].to_numpy()[::-1])
    np.testing.assert_array_equal(
        prepared(Variant(categorical="ordinal", landmarks=4), shuffled)[1][:, :10], raised[:, :10]
    )


def test_impossible_variants_are_refused():
    with pytest.raises(ValueError, match="pca 13 is above 12"):
        make_preprocessor(LAYOUT, Variant(pca=13), 0)
    assert prepared(Variant(pca=12))[1].shape == (ROWS, 12)
    with pytest.raises(ValueError, match="pca 9 is above 8"):
        make_preprocessor(LAYOUT, Variant(pca=9, categorical="ordinal", missing="indicator"), 0)
    words = layout_of(FRAME[["job", "town"]], {"job": "categorical", "town": "categorical"})
    for variant in (Variant(categorical="ordinal", pca=1), Variant(categorical="ordinal", landmarks=1)):
        with pytest.raises(ValueError, match="needs columns that are not codes; use categorical: one-hot"):
            make_preprocessor(words, variant, 0)
    assert make_preprocessor(words, Variant(categorical="ordinal"), 0).fit_transform(FRAME).shape == (ROWS, 2)


def test_rare_categories_have_no_feature():
    names = np.array([f"town{i}" for i in range(150)], dtype=object)
    counts = np.r_[np.full(149, 200), 5]
    frame = pd.DataFrame({"town": np.repeat(names, counts)})
    (kept,) = layout_of(frame, {"town": "categorical"}).categories.values()
    assert len(kept) == 100
    assert "town149" not in kept
    few = layout_of(frame[-405:], {"town": "categorical"}).categories["town"]
    assert few == ("town147", "town148", "town149")  # of a small table all categories count
