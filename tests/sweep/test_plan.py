"""What a plan says before anything trains."""

from pathlib import Path

import pytest

from distml.models.scoring import SCORING_NETWORK
from distml.models.space import Choice, Domain, Fixed, Float, Int
from distml.sweep.cluster import Cluster, Node
from distml.sweep.plan import make_plan, structures, typical
from distml.sweep.preflight import preflight
from distml.sweep.spec import SweepSpec

TWO_CPUS = Cluster((Node("here", cpus=2),))
GERMAN = Path(__file__).parents[2] / "experiments" / "credit_german" / "credit_german.csv.gz"


def spec(**changes: object) -> SweepSpec:
    content = {
        "name": "plan", "data": {"source": str(GERMAN), "target": "creditability", "positive": "bad"},
        "split": {"folds": 2}, "budget": {"trials": 20}, **changes,
    }  # fmt: skip
    return SweepSpec.from_mapping(content)


def test_structures_are_counted_over_what_members_must_share() -> None:
    space: dict[str, Domain] = {
        "hidden": Choice(((64,), (32, 32))), "batch_size": Choice((128, 256, 512)), "lr": Float(1e-4, 1e-2),
        "epochs": Fixed(5), "preprocessing.numeric": Choice(("standard", "quantile")),
    }  # fmt: skip
    assert structures(SCORING_NETWORK, space) == 12
    assert structures(SCORING_NETWORK, {**space, "batch_size": Int(32, 512)}) == float("inf")


def test_a_typical_configuration_lies_in_the_middle() -> None:
    space = {"a": Float(0.01, 1.0, log=True), "b": Int(2, 6), "c": Choice(("x", "y", "z")), "d": Fixed(3)}
    assert typical(space) == {"a": pytest.approx(0.1), "b": 4, "c": "y", "d": 3}


def test_a_plan_names_cohorts_rungs_and_an_estimate() -> None:
    families = {"scoring-network": {"trials": 12, "space": {"epochs": 9}}, "random-forest": {}, "naive-bayes": {}}
    plan = make_plan(preflight(spec(families=families)), TWO_CPUS)
    network, forest, bayes = plan.lines
    assert (network.trials, forest.trials, bayes.trials) == (12, 4, 4)
    assert "cohorts of" in network.text and "rungs at 1, 3, 9 epochs" in network.text
    assert "rungs at 10, 30, 90, 270 trees" in forest.text
    assert plan.seconds is not None and 0 < plan.seconds < 600
    assert "guess" in plan.basis


def test_a_plan_says_what_is_compared_at_a_time() -> None:
    plan = make_plan(preflight(spec(families=["random-forest"], search={"algorithm": "random"})), TWO_CPUS)
    assert "rungs at 10, 30, 90, 270 trees, up to 20 compared at a time" in plan.lines[0].text


def test_cohorts_of_one_are_said_with_the_way_out() -> None:
    families = {"scoring-network": {"space": {"batch_size": {"low": 32, "high": 256}}}}
    text = make_plan(preflight(spec(families=families)), TWO_CPUS).lines[0].text
    assert "cohorts of one" in text and "batch_size" in text


def test_minutes_bound_the_estimate() -> None:
    plan = make_plan(preflight(spec(families=["naive-bayes"], budget={"minutes": 2.0})), TWO_CPUS)
    assert (plan.seconds, plan.basis, plan.lines[0].trials) == (120.0, "the budget's minutes", None)
