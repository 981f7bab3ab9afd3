"""Early stopping, deciding on the members of a cohort that report together."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.sweep.orders import Stopper
from distml.sweep.rungs import rungs
from distml.sweep.tune.stoppers import Recorded, Rule, make_stopper

RULES: tuple[Rule, ...] = ("asha", "hyperband", "median")
SCORES = st.lists(st.integers(0, 40).map(lambda tenths: tenths / 10), max_size=30)


def stopper(rule: Rule, mode: Literal["min", "max"] = "max", points: tuple[int, ...] = (1, 3, 9)) -> Stopper:
    made = make_stopper(rule, mode=mode, rungs=points, factor=3)
    assert made is not None
    return made


def cut(judge: Stopper, resource: int, scores: dict[str, float]) -> set[str]:
    for trial, score in scores.items():
        judge.record(trial, resource, score)
    return {trial for trial, score in scores.items() if judge.cuts(trial, resource, score)}


@pytest.mark.parametrize("order", [1, -1])
def test_asha_keeps_the_best_third_whoever_reports_first(order: int) -> None:
    scores = dict(list({f"t{i}": i / 10 for i in range(9)}.items())[::order])
    assert cut(stopper("asha"), 1, scores) == {f"t{i}" for i in range(6)}


def test_asha_compares_with_earlier_cohorts() -> None:
    judge = stopper("asha")
    cut(judge, 1, {f"t{i}": i / 10 for i in range(9)})
    assert cut(judge, 1, {"late": 0.65}) == set()
    assert cut(judge, 1, {"later": 0.3}) == {"later"}


def test_lower_is_better_where_the_metric_says_so() -> None:
    assert cut(stopper("asha", mode="min"), 1, {"a": 0.1, "b": 0.2, "c": 0.3}) == {"b", "c"}


def test_each_rung_has_its_own_comparison() -> None:
    judge = stopper("asha")
    cut(judge, 1, {f"t{i}": i / 10 for i in range(9)})
    assert cut(judge, 3, {"t6": 0.9, "t7": 0.7, "t8": 0.8}) == {"t7", "t8"}


@pytest.mark.parametrize("full", [9, 10, 14, 15, 16, 25, 50, 75, 100])
def test_every_rung_cuts_whatever_the_rounding(full: int) -> None:
    points = rungs(full, first=1, factor=3)
    judge = stopper("asha", points=points)
    scores = {f"t{i:03d}": i / 243 for i in range(243)}
    for resource in points[:-1]:
        gone = cut(judge, resource, scores)
        assert len(gone) == 2 * len(scores) // 3
        scores = {trial: score for trial, score in scores.items() if trial not in gone}


def test_a_trial_trained_again_is_judged_by_its_first_result() -> None:
    judge = stopper("asha")
    cut(judge, 1, {"a": 0.1, "b": 0.2, "c": 0.3})
    assert cut(judge, 1, {"c": 0.3}) == set()


@pytest.mark.parametrize("rule", RULES)
@given(first=SCORES, mode=st.sampled_from(["min", "max"]), data=st.data())
def test_who_reports_first_makes_no_difference(
    rule: Rule, first: list[float], mode: Literal["min", "max"], data: st.DataObject
) -> None:
    one, other = stopper(rule, mode), stopper(rule, mode)
    scores = {f"t{i}": score for i, score in enumerate(first)}
    for resource in (1, 3):
        shuffled = dict(data.draw(st.permutations(list(scores.items()))))
        gone = cut(one, resource, scores)
        assert cut(other, resource, shuffled) == gone
        scores = {trial: round(1.5 * score, 3) for trial, score in scores.items() if trial not in gone}


@pytest.mark.parametrize("rule", RULES)
@given(scores=SCORES)
def test_less_of_a_loss_is_more_of_a_score(rule: Rule, scores: list[float]) -> None:
    losses = {f"t{i}": score for i, score in enumerate(scores)}
    gains = {trial: -score for trial, score in losses.items()}
    assert cut(stopper(rule, "min"), 1, losses) == cut(stopper(rule, "max"), 1, gains)


@pytest.mark.parametrize("rule", RULES)
def test_a_cohort_that_trains_on_after_its_end_was_decided_does_no_harm(rule: Rule) -> None:
    judge = stopper(rule)
    scores = {f"t{i:02d}": i / 30 for i in range(30)}
    gone = cut(judge, 1, scores)
    assert gone
    assert cut(judge, 1, scores) == gone
    for resource in (3, 9):
        for trial, score in scores.items():
            judge.record(trial, resource, score)
    for trial, score in scores.items():
        judge.record(trial, 9, score)  # the process died before its end was written down
        judge.forget(trial)
        judge.forget(trial)
    assert "late" not in cut(judge, 1, {"late": 1.0})


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=60), st.integers(2, 6))
def test_a_rungs_quantile_is_numpys_percentile(scores: list[float], factor: int) -> None:
    rung, share = Recorded(1 - 1 / factor), (1 - 1 / factor) * 100
    for number, score in enumerate(scores):
        rung[f"t{number}"] = score
        known = [other for other in scores[: number + 1] if other == other]
        expected = np.percentile(known, share) if known else None
        assert rung.quantile() == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))
    assert len(rung) == len(scores)


def test_hyperband_gives_some_trials_more_time() -> None:
    gone = cut(stopper("hyperband"), 1, {f"t{i}": i / 30 for i in range(30)})
    assert 0 < len(gone) < 20


def test_a_trial_keeps_its_bracket_in_every_run() -> None:
    scores = {f"t{i}": i / 100 for i in range(100)}
    gone = []
    for seed in (1, 2):
        np.random.seed(seed)  # the generator that Ray draws from
        before = np.random.get_state()[2]
        judge = stopper("hyperband")
        gone.append(cut(judge, 1, scores))
        assert np.random.get_state()[2] == before
        for trial in scores:
            judge.forget(trial)
        for trial, score in scores.items():
            judge.record(trial, 1, score)
        assert {trial for trial, score in scores.items() if judge.cuts(trial, 1, score)} == gone[-1]
    assert gone[0] == gone[1]


def test_median_stops_what_is_below_it() -> None:
    judge = stopper("median")
    cut(judge, 3, {f"t{i}": 0.5 + i / 100 for i in range(10)})
    assert cut(judge, 3, {"bad": 0.3, "good": 0.9}) == {"bad"}


def test_median_asks_for_five_others() -> None:
    judge = stopper("median")
    assert cut(judge, 1, {f"t{i}": i / 10 for i in range(5)}) == set()
    assert cut(judge, 1, {"sixth": 0.15}) == {"sixth"}


def test_median_forgives_a_trial_that_was_good_once() -> None:
    judge = stopper("median")
    for resource, own in ((1, 0.9), (3, 0.1)):
        for trial, score in {"own": own, **{f"t{i}": 0.5 for i in range(6)}}.items():
            judge.record(trial, resource, score)
    assert not judge.cuts("own", 3, 0.1)


def test_median_compares_trials_of_several_sizes_between_the_same_rungs() -> None:
    judge = stopper("median")
    for i in range(6):
        judge.record(f"t{i}", 4, 0.5)
    assert cut(judge, 3, {"bad": 0.4, "good": 0.6}) == {"bad"}


def test_median_is_not_thrown_by_scores_that_are_no_numbers() -> None:
    judge = stopper("median")
    scores = {**{f"t{i}": 0.5 + i / 100 for i in range(7)}, "nan": float("nan"), "inf": float("-inf"), "bad": 0.1}
    assert cut(judge, 1, scores) == {"t0", "t1", "t2", "nan", "inf", "bad"}


@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), max_size=12))
def test_median_is_what_the_paper_says(curves: list[list[int]]) -> None:
    judge = stopper("median")
    for rung, resource in enumerate((1, 3, 9)):
        for trial, curve in enumerate(curves):
            judge.record(f"t{trial}", resource, curve[rung])
        averages = [sum(curve[: rung + 1]) / (rung + 1) for curve in curves]
        for trial, curve in enumerate(curves):
            others = averages[:trial] + averages[trial + 1 :]
            expected = len(others) >= 5 and max(curve[: rung + 1]) < np.median(others)
            assert judge.cuts(f"t{trial}", resource, curve[rung]) == expected


def test_there_is_none_where_nothing_can_be_compared_early() -> None:
    assert make_stopper("none", mode="max", rungs=(1, 3, 9), factor=3) is None
    assert make_stopper("asha", mode="max", rungs=(9,), factor=3) is None
