"""The figures behind the charts, against other libraries and against counting by hand."""

import doctest
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import ks_2samp
from sklearn.metrics import brier_score_loss, r2_score, roc_auc_score

from distml.report.html.calibration import brier, error_by_chance, expected_error, reliability
from distml.report.html.discrimination import deciles, separation
from distml.report.html.drawing import thinned
from distml.report.html.fairness import grouped, rates
from distml.report.html.importance import permutation
from distml.report.html.resampling import bootstrap, wilson
from distml.report.html.stability import by_period, column_psi, psi, shares
from distml.report.html.values import errors
from tests.report.html.scored import german, predicted, winner

EXAMPLES = ["calibration", "discrimination", "drawing", "resampling", "stability", "trials"]
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_hold(module: str) -> None:
    result = doctest.testmod(import_module(f"distml.report.html.{module}"))
    assert result.attempted and not result.failed


def test_separation_is_that_of_other_libraries() -> None:
    table = predicted()
    y, score = table["y"].to_numpy(), table["raw"].to_numpy()
    found = separation(y, score)
    assert found.auc == roc_auc_score(y, score)
    assert found.ks == pytest.approx(ks_2samp(score[y == 1], score[y == 0]).statistic)
    above = score >= found.at
    assert found.ks == pytest.approx(above[y == 1].mean() - above[y == 0].mean())


@given(some.lists(some.tuples(some.booleans(), some.floats(0, 1)), min_size=30))
def test_tenths_hold_every_row_once(rows: list[tuple[bool, float]]) -> None:
    y = np.array([0, 1, *(int(positive) for positive, _ in rows)])
    score = np.array([0.5, 0.5, *(value for _, value in rows)])
    found = deciles(y, score)
    assert sum(one.rows for one in found) == len(y)
    assert sum(one.positives for one in found) == y.sum()
    assert [one.lowest for one in found] == sorted((one.lowest for one in found), reverse=True)
    assert (found[-1].captured, found[-1].lift) == pytest.approx((1, 1))


def test_a_bin_of_calibration_is_the_share_that_was_observed() -> None:
    y = np.array([0] * 9 + [1] + [0] * 4 + [1] * 6)
    probability = np.array([0.1] * 10 + [0.5] * 10)
    low, high = reliability(y, probability)
    assert (low.predicted, low.observed, low.rows) == (pytest.approx(0.1), 0.1, 10)
    assert (high.predicted, high.observed, high.rows) == (0.5, 0.6, 10)
    assert low.low < 0.1 < low.high and (high.low, high.high) == wilson(6, 10)
    assert expected_error(y, probability) == pytest.approx(0.05)
    assert brier(y, probability) == brier_score_loss(y, probability)


@given(some.lists(some.floats(0, 1), min_size=1, max_size=60))
def test_bins_hold_every_row_once_and_equal_predictions_together(values: list[float]) -> None:
    probability = np.array(values)
    found = reliability(np.zeros(len(values)), probability)
    assert sum(one.rows for one in found) == len(values)
    assert [one.predicted for one in found] == sorted(one.predicted for one in found)


def test_what_is_calibrated_has_a_small_error_and_what_is_not_a_large_one() -> None:
    probability = RANDOM.random(20_000)
    y = (RANDOM.random(20_000) < probability).astype(int)
    assert expected_error(y, probability) < error_by_chance(probability) < 0.015
    assert expected_error(y, probability**2) > 0.1


def test_bootstrap_intervals_cover_and_wilson_s_is_known() -> None:
    y = np.arange(400) % 2
    low, high = bootstrap(lambda _, score: np.array([score.mean()]), y, np.linspace(0, 1, 400))
    assert low[0] < 0.5 < high[0]
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * np.sqrt(1 / 12 / 400), rel=0.2)
    assert wilson(0, 20) == (0.0, pytest.approx(0.161, abs=0.001))  # Wilson (1927), as tabulated


def test_psi_is_nothing_for_the_same_sample_and_what_counting_gives_for_a_shift() -> None:
    before = RANDOM.normal(size=5000)
    assert psi(*shares(before, before)) == pytest.approx(0, abs=1e-12)
    assert psi(*shares(before, RANDOM.normal(size=5000))) < 0.01
    assert psi(*shares(before, before + 1)) > 0.5
    holes = np.where(np.arange(5000) < 1000, np.nan, before)
    assert psi(*shares(before, holes)) > 0.25  # a column that goes missing has shifted
    assert psi(*shares(np.full(10, np.nan), np.full(10, np.nan))) == 0


def test_psi_of_texts_tells_new_ones() -> None:
    column = pd.Series(["a", "b"] * 100 + ["a", "b"] * 50 + ["c"] * 100)
    before, same, other = np.arange(200), np.arange(200, 300), np.arange(300, 400)
    assert column_psi(column, before, same) < 0.01
    assert column_psi(column, before, other) > 1


def test_periods_follow_time_and_hold_every_row() -> None:
    times = np.array(["2026-03-01", "2026-01-01", "2026-02-01", "2026-04-01"], dtype="datetime64[ns]")
    found = by_period(times, most=2)
    assert [(when, list(places)) for when, places in found] == [("2026-01-01", [1, 2]), ("2026-03-01", [0, 3])]


def test_permutation_finds_the_column_that_matters() -> None:
    data = german()
    held = data.frame.iloc[data.holdout].reset_index(drop=True)
    found = permutation(lambda table: winner().predict_proba(table)[:, 1], held, data.y[data.holdout], 2)
    assert {one.column for one in found} == set(data.frame.columns)
    assert found[0].column == "status_of_existing_checking_account"  # what every study of this table finds first
    assert found[0].mean > 0.05 > abs(found[-1].mean)


def test_groups_are_counted_as_by_hand() -> None:
    y, score = np.array([1, 0, 1, 0, 0, 1]), np.array([0.9, 0.8, 0.2, 0.1, 0.7, 0.6])
    names = np.array(["young", "young", "young", "young", "old", "old"], dtype=object)
    young, old = rates(y, score, names, ["young", "old"], 0.5)
    assert (young.name, young.rows, young.positives, young.flagged, young.caught, young.wrongly) == (
        "young", 4, 2, 0.5, 0.5, 0.5
    )  # fmt: skip
    assert (old.flagged, old.caught, old.wrongly) == (1, 1, 1)
    assert (old.observed, old.predicted) == (0.5, pytest.approx(0.65))


def test_numbers_become_quarters_rare_values_others_and_empty_cells_a_group() -> None:
    quarters, order = grouped(pd.Series([*np.arange(100.0), np.nan]))
    assert order == ["0 to 24.75", "24.75 to 49.5", "49.5 to 74.25", "74.25 to 99", "missing"]
    assert [int((quarters == name).sum()) for name in order] == [25, 25, 25, 25, 1]
    assert grouped(pd.Series(["b", None, "a", "a", "a", "b"]))[1] == ["a", "b", "missing"]
    assert set(grouped(pd.Series([1, 2, 1]))[0]) == {"1", "2"}
    many, order = grouped(pd.Series([f"v{place}" for place in range(40)] + ["v0"] * 5))
    assert set(many) == set(order) and len(order) == 10 and (order[0], order[-1]) == ("v0", "others")


def test_errors_of_values() -> None:
    y, predicted_values = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 3.0])
    rmse, mae, r2 = errors(y, predicted_values)
    assert (rmse, mae) == pytest.approx((np.sqrt(2 / 3), 2 / 3))
    assert r2 == pytest.approx(r2_score(y, predicted_values))


@given(some.integers(2, 5000), some.integers(10, 100))
def test_thinning_keeps_the_ends_and_the_shape(points: int, most: int) -> None:
    x = np.linspace(0, 1, points)
    few, values = thinned(x, x**4, most)
    assert len(few) <= max(most, 2) or points <= most
    assert (few[0], few[-1]) == (0, 1)
    dense = np.linspace(0, 1, 50)
    assert np.abs(np.interp(dense, few, values) - dense**4).max() < 0.15 if points > 50 else True
