import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.data.kinds import apply_kinds, infer_kinds, unreadable
from distml.data.table import TableError


def kind(cells, **overrides):
    return infer_kinds(pd.DataFrame({"x": cells}), overrides)["x"]


def applied(cells, kind):
    return apply_kinds(pd.DataFrame({"x": cells}), {"x": kind})["x"]


WORDS = [f"word{i} and {i * 7} more" for i in range(400)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 2, 3], "numeric"),
        ([0, 1, 1], "numeric"),
        ([0.5, None, 2.0], "numeric"),
        (pd.array([1, None, 3], dtype="Int64"), "numeric"),
        (["$60,000.00 ", "$1,250.50", None], "numeric"),
        (["1 234", "12\u00a0000", "7"], "numeric"),
        (["12 %", "3.5%", "?"], "numeric"),
        (["(500)", "1e3", "-2"], "numeric"),
        (["1"] * 995 + ["lost"] * 5, "numeric"),
        (["1"] * 980 + ["lost"] * 20, "categorical"),
        (["12,5", "3,75", "1,2"], "categorical"),  # a decimal comma is not guessed at
        ([True, False, True], "boolean"),
        ([True, None, False], "boolean"),
        (["yes", "No ", "YES"], "boolean"),
        (["t", "f", None], "boolean"),
        (["y", "n", "-"], "boolean"),
        (["yes", "no", "unknown"], "categorical"),
        (["yes", "none", "yes"], "categorical"),
        (["2026-11-23", "2026-1-2", None], "date"),
        (["2026/11/23 08:30", "2026-11-23T08:30:15Z", "2026-11-23"], "date"),
        (["23.11.2026", "24.11.2026", "25.11.2026"], "categorical"),
        (pd.to_datetime(["2026-11-23", None]), "date"),
        (["red", "green", "red"], "categorical"),
        (pd.Categorical(["1", "2", "1"]), "categorical"),
        (WORDS, "text"),
        (WORDS[:30] * 10, "categorical"),
        (["a long sentence of more than fifty characters, unlike others: " + str(i) for i in range(20)], "text"),
        ([None, "", "?"], "categorical"),
    ],
)
def test_inferred_kind(cells, expected):
    assert kind(cells) == expected


def test_override_stands():
    assert kind([1, 2, 3], x="categorical") == "categorical"


def test_text_like_numbers_become_numbers():
    cells = ["$60,000.00 ", "1 234", "12 %", "(500)", "(1,000.5)", "-3", ".5", "€ 7", "1e3", "", None, "n/a"]
    np.testing.assert_array_equal(
        applied(cells, "numeric"), [60000, 1234, 12, -500, -1000.5, -3, 0.5, 7, 1000, np.nan, np.nan, np.nan]
    )


@pytest.mark.parametrize("cell", ["1,2", "12,34", "1 2", "(5", "5)", "--5", "1.2.3", "$", "e5", "5 apples", "0x10"])
def test_what_is_no_number_is_missing(cell):
    assert np.isnan(applied([cell], "numeric")[0])


def test_numbers_that_float32_cannot_hold_are_missing():
    np.testing.assert_array_equal(applied([np.inf, -1e300, 3.0], "numeric"), [np.nan, np.nan, 3.0])
    np.testing.assert_array_equal(applied(["1e300", "3"], "numeric"), [np.nan, 3.0])


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_printed_number_reads_as_itself(number):
    assert applied([repr(number)], "numeric")[0] == number


@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_change_nothing(number):
    assert applied([f"{number:,}", f"${number:,}", f"{number:_}".replace("_", " ")], "numeric").tolist() == [number] * 3


def test_booleans_of_every_spelling():
    assert applied(["yes", "F", "1", "no", "True", "y"], "boolean").tolist() == [1, 0, 1, 0, 1, 1]
    assert applied([1, 0, 1.0], "boolean").tolist() == [1, 0, 1]
    assert applied([True, False], "boolean").tolist() == [1, 0]
    np.testing.assert_array_equal(applied([2, "maybe", None], "boolean"), [np.nan] * 3)


def test_dates_are_utc_without_zone():
    dates = applied(["2026-11-23T08:30+02:00", "2026-11-23", "20261123", "2026-13-01", "soon", None], "date")
    assert dates.dtype.kind == "M"
    expected = ["2026-11-23 06:30", "2026-11-23", "2026-11-23", None, None, None]
    assert [None if pd.isna(date) else date for date in dates] == [date and pd.Timestamp(date) for date in expected]


def test_a_category_is_the_same_whatever_the_type_of_its_column():
    for cells in ([1, 2], [1.0, 2.0], ["1", " 2 "], pd.array([1, 2], dtype="Int64"), pd.Categorical(["1", "2"])):
        column = applied(cells, "categorical")
        assert column.tolist() == ["1", "2"]
        assert column.dtype == object
    assert applied([0.5, np.nan], "categorical").tolist()[0] == "0.5"


def test_another_table_reads_by_the_kinds_of_the_first():
    first = pd.DataFrame({"pay": ["$1", "$2"], "job": ["a", "b"], "own": ["yes", "no"], "gone": [1, 2]})
    kinds = infer_kinds(first.drop(columns="gone"), {})
    other = pd.DataFrame({"own": [None, "?"], "job": [3, None], "pay": ["many", None], "more": [1, 2]})
    frame = apply_kinds(other, kinds)
    assert list(frame.columns) == ["pay", "job", "own"]
    assert frame["job"].tolist()[0] == "3"
    assert frame.isna().sum().to_dict() == {"pay": 2, "job": 1, "own": 2}
    assert apply_kinds(other[:0], kinds).dtypes.equals(apply_kinds(first, kinds).dtypes)


def test_a_lacking_column_is_named_with_the_nearest():
    with pytest.raises(TableError, match=r"no column 'Age'\. Did you mean 'age'\?"):
        apply_kinds(pd.DataFrame({"age": [1]}), {"Age": "numeric"})


def test_unreadable_cells_are_those_that_held_something():
    raw = pd.Series(["1", "few", None, "?", " "])
    assert unreadable(raw, applied(raw, "numeric")).tolist() == ["few"]


def test_cells_of_mixed_types_do_not_fall_together():
    assert applied([1, True, "1", [1]], "categorical").tolist() == ["1", "True", "1", "[1]"]
