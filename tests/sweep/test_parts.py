"""From a checked sweep file to the parts of a search."""

from pathlib import Path
from typing import Any

import pytest

from distml.sweep.parts import family_plans
from distml.sweep.preflight import preflight
from distml.sweep.spec import SweepSpec

GERMAN = Path(__file__).parents[2] / "experiments" / "credit_german" / "credit_german.csv.gz"
SPACE = {
    "n_estimators": 270, "max_depth": [2, 3, 4, 5, 6],
    "max_features": 0.2, "min_samples_leaf": 1, "class_weight": [None],
}  # fmt: skip
FORESTS = {"random-forest": {"space": SPACE}}


def plan(search: dict[str, Any], families: dict[str, Any] = FORESTS, **budget: float) -> Any:
    content = {
        "name": "parts", "data": {"source": str(GERMAN), "target": "creditability", "positive": "bad"},
        "budget": {"trials": 20, **budget}, "families": families, "search": search,
    }  # fmt: skip
    return family_plans(preflight(SweepSpec.from_mapping(content)))[0]


@pytest.mark.parametrize("algorithm", ["grid", "random"])
def test_forests_whose_searcher_learns_nothing_are_judged_side_by_side(algorithm: str) -> None:
    found = plan({"algorithm": algorithm, "scheduler": "asha", "reduction_factor": 3})
    assert found.rungs({"n_estimators": 270}) == (10, 30, 90, 270)
    assert (found.cohort_size, found.refills) == (27, False)  # so that one of them is left at the end
    assert plan({"algorithm": algorithm, "reduction_factor": 9}).cohort_size == 9  # rungs at 30 and 270


@pytest.mark.parametrize(
    "search",
    [{"algorithm": "tpe"}, {"algorithm": "grid", "scheduler": "none"}, {"algorithm": "random", "scheduler": "median"}],
)
def test_others_are_asked_for_one_at_a_time(search: dict[str, Any]) -> None:
    assert (plan(search).cohort_size, plan(search).refills) == (1, True)
    assert plan({"algorithm": "random"}, {"logistic-regression": None}).cohort_size == 1
    assert plan({"algorithm": "random"}, minutes=5).cohort_size == 1  # which could be up before one has its full size


def test_early_stopping_has_a_grid_drawn() -> None:
    def depths(scheduler: str) -> list[Any]:
        searcher = plan({"algorithm": "grid", "scheduler": scheduler}).searcher
        return [searcher.suggest(f"t{number:04d}")["max_depth"] for number in range(5)]

    assert depths("none") == [2, 3, 4, 5, 6]
    assert sorted(depths("asha")) == [2, 3, 4, 5, 6] != depths("asha")
