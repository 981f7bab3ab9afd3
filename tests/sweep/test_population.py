"""Population-based training: the decisions alone, and a whole sweep's bookkeeping."""

import doctest
import math
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.models.space import Choice, Fixed, Float, Int
from distml.sweep import population as module
from distml.sweep.orders import FamilyPlan
from distml.sweep.population import FACTORS, RESAMPLED, Population
from distml.sweep.search import Search
from tests.sweep.simulation import METRIC, Machine, family, leaderboard, search

SPACE = {
    "lr": Float(1e-4, 1e-1, log=True), "dropout": Float(0.0, 0.5), "width": Int(8, 64, step=8),
    "loss": Choice(("focal", "complement")), "epochs": Fixed(20),
}  # fmt: skip
FULL = 6


def test_the_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("greater", "worst", "best"), [(True, {"t1", "t2"}, {"t7", "t8"}), (False, {"t7", "t8"}, {"t1", "t2"})]
)
def test_the_worst_quarter_gives_way_to_the_best(greater: bool, worst: set[str], best: set[str]) -> None:
    scores = {f"t{i}": i / 10 for i in range(1, 9)}
    population = Population(SPACE, greater)
    assert population.losers(scores) == worst
    assert {population.parent(scores, Random(seed)) for seed in range(50)} == best


def test_one_alone_has_nobody_to_give_way_to() -> None:
    population = Population(SPACE, True)
    assert population.losers({"t1": 0.5}) == frozenset()
    assert population.parent({"t1": 0.5}, Random(0)) is None
    assert population.parent({"t1": 0.5, "t2": math.nan}, Random(0)) is None


@given(st.floats(1e-4, 1e-1), st.floats(0, 0.5), st.integers(1, 8), st.integers())
def test_hyperparameters_stay_in_their_domains(lr: float, dropout: float, width: int, seed: int) -> None:
    params = {"lr": lr, "dropout": dropout, "width": 8 * width, "loss": "focal", "epochs": 20}
    new = Population(SPACE, True).perturbed(params, Random(seed))
    assert 1e-4 <= new["lr"] <= 1e-1 and 0 <= new["dropout"] <= 0.5
    assert new["width"] in range(8, 65, 8) and new["loss"] in ("focal", "complement") and new["epochs"] == 20


def test_most_change_by_a_factor_and_some_are_drawn_anew() -> None:
    population = Population({"lr": SPACE["lr"]}, True)
    drawn = [population.perturbed({"lr": 0.01}, Random(seed))["lr"] / 0.01 for seed in range(400)]
    factors = [ratio for ratio in drawn if any(math.isclose(ratio, factor) for factor in FACTORS)]
    assert abs(len(factors) / len(drawn) - (1 - RESAMPLED)) < 0.1
    assert all(abs(factors.count(factor) / len(factors) - 0.5) < 0.1 for factor in set(factors))


def populous(size: int, quota: int, **kwargs: Any) -> FamilyPlan:
    plan = family("network", size=size, quota=quota, full=FULL, **kwargs)
    return replace(plan, rungs=lambda params: (2, 4, FULL), population=Population({"x": Float(0, 1e9)}, True))


def run(plan: FamilyPlan, slots: int = 1, **trouble: Any) -> tuple[Search, Machine, list[Any]]:
    journal: list[Any] = []
    searched = search([plan], journal, slots=slots)
    machine = Machine(searched, slots)
    vars(machine).update(trouble)
    machine.run()
    return searched, machine, journal


def test_a_population_keeps_its_size_and_its_budget_of_epochs() -> None:
    searched, machine, journal = run(populous(8, 8))
    trials = searched.record.trials
    assert searched.record.counts == {"stopped": 4, "finished": 8}
    assert sum(machine.trained.values()) == 8 * FULL
    assert len(searched.record.cohorts) == 1
    heirs = [trial for trial in trials.values() if trial.parent]
    assert [heir.parent.resource for heir in heirs if heir.parent] == [2, 2, 4, 4]
    for heir in heirs:
        assert heir.parent is not None
        told = {
            event["trial"]: event["scores"][METRIC]
            for event in journal
            if event["event"] == "rung" and event["resource"] == heir.parent.resource
        }
        assert sorted(told, key=lambda trial: -told[trial]).index(heir.parent.trial) < 2
    assert searched.progress_of("network")[:2] == (8, 8)  # who goes on from others is beyond the budget's trials


def test_one_that_diverged_is_replaced() -> None:
    searched, _, _ = run(populous(8, 8), diverges={"t0003"})
    assert searched.record.counts == {"stopped": 4, "diverged": 1, "finished": 8}


def test_ancestors_are_told_from_the_beginning() -> None:
    searched, _, _ = run(populous(8, 8))
    last = [event for event in searched.record.trials.values() if event.parent and event.parent.resource == 4]
    for trial in last:
        member = searched._member(trial.trial)
        assert member.start == 4
        untils = [ancestor.until for ancestor in member.ancestors]
        assert untils == sorted(untils) and untils[-1] == 4
        assert member.ancestors[-1].trial == trial.parent.trial  # type: ignore[union-attr]
        assert searched.record.trials[member.ancestors[0].trial].parent is None


def test_populations_do_not_depend_on_each_other() -> None:
    def told(searched: Search) -> list[tuple[int, str, float | None]]:
        return sorted((t.seed, t.state, t.score(METRIC)) for t in searched.record.trials.values())

    together, _, _ = run(populous(8, 24), slots=3)
    in_turn, _, _ = run(populous(8, 24), slots=1)
    assert told(together) == told(in_turn)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("steps", range(4))
def test_a_sweep_goes_on_as_if_it_had_never_stopped(steps: int, lost: int) -> None:
    whole, _, _ = run(populous(8, 8))
    batches: list[list[Any]] = []
    first = search([populous(8, 8)], [])
    first._journal = lambda events: batches.append(list(events))
    machine = Machine(first, 1)
    machine.start()
    for _ in range(steps):
        if machine.cohorts:
            machine.step(next(iter(machine.cohorts)))
    written = [event for batch in batches[: len(batches) - lost] for event in batch]
    again = search([populous(8, 8)], [])
    again.resume([{"event": "opened", "spec": {}}, *written])
    Machine(again, 1).run()
    assert leaderboard(again) == leaderboard(whole)


@pytest.mark.parametrize("written", range(1, 60, 4))
def test_a_journal_cut_anywhere_loses_no_trial(written: int) -> None:
    _, _, journal = run(populous(8, 8))
    again = search([populous(8, 8)], [])
    again.resume([{"event": "opened", "spec": {}}, *journal[:written]])
    Machine(again, 1).run()
    assert set(again.record.counts) == {"stopped", "finished"}
    assert again.record.counts["finished"] >= 6  # a place whose heir was not written yet stays free
