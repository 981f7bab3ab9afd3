"""Ray Tune's schedulers, deciding on the members of a cohort that report together."""

from typing import Literal

import pytest

from distml.sweep.rungs import rungs
from distml.sweep.tune.stoppers import Rule, TuneStopper, make_stopper


def stopper(rule: Rule, mode: Literal["min", "max"] = "max", points: tuple[int, ...] = (1, 3, 9)) -> TuneStopper:
    made = make_stopper(rule, mode=mode, rungs=points, factor=3)
    assert made is not None
    return made


def cut(judge: TuneStopper, resource: int, scores: dict[str, float]) -> set[str]:
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


def test_hyperband_gives_some_trials_more_time() -> None:
    cut_at_once = [len(cut(stopper("hyperband"), 1, {f"t{i}": i / 30 for i in range(30)})) for _ in range(5)]
    assert all(0 < count < 20 for count in cut_at_once)


def test_median_stops_what_is_below_it() -> None:
    judge = stopper("median")
    cut(judge, 3, {f"t{i}": 0.5 + i / 100 for i in range(10)})
    assert cut(judge, 3, {"bad": 0.3, "good": 0.9}) == {"bad"}


def test_there_is_none_where_nothing_can_be_compared_early() -> None:
    assert make_stopper("none", mode="max", rungs=(1, 3, 9), factor=3) is None
    assert make_stopper("asha", mode="max", rungs=(9,), factor=3) is None
