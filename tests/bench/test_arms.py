"""Which arms a machine has."""

import doctest

import pytest

from distml.bench import arms, conditions, measure
from distml.bench.arms import Arm, Subject, first_arms, second_arms

SLICES = tuple(f"MIG-{number}" for number in range(7))
SUBJECTS = [
    Subject(1), Subject(2), Subject(16), Subject(16, card="GPU-0"), Subject(16, card="GPU-0", mps="/tmp/nvidia-mps"),
    Subject(16, slices=SLICES), Subject(4, slices=SLICES[:1]),
]  # fmt: skip


@pytest.mark.parametrize("module", [arms, conditions, measure])
def test_the_examples_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_arms_stay_on_what_there_is_and_no_two_are_alike(subject, quick):
    found = [*first_arms(subject, 256, quick), *second_arms(subject, 256, 64, [(1, 512), (64, 512)])]
    assert len({(arm.model, arm.name) for arm in found}) == len(found)
    there = {subject.card, *subject.slices} - {None} or {None}
    for arm in found:
        assert set(arm.places) <= (there if arm.model == "scoring-network" else {None})
        assert not arm.mps or subject.mps
        if arm.places[0] is None:
            assert arm.processes <= subject.cores
    assert {arm.way for arm in found} >= {"alone", "cohort"}


def test_every_slice_is_busy_at_once():
    mig = next(arm for arm in first_arms(Subject(16, slices=SLICES), 256, False) if arm.way == "mig")
    assert (mig.places, mig.memory_share, mig.name) == (SLICES, None, "7 MIG slices")


def test_fractions_share_a_cards_memory_evenly_with_and_without_mps():
    found = first_arms(Subject(16, card="GPU-0", mps="/tmp/nvidia-mps"), 256, False)
    shares = {arm.name: arm.memory_share for arm in found if arm.way in ("processes", "mps")}
    assert shares["2 processes, fractions"] == shares["2 processes, MPS"] == 0.5
    assert shares["8 processes, fractions"] == shares["8 processes, MPS"] == 0.125


def test_names_of_cohorts_on_all_slots():
    assert Arm("scoring-network", "cohorts", SLICES, 64).name == "7 cohorts of 64, one a MIG slice"
    assert Arm("scoring-network", "cohorts", ("GPU-0",) * 2, 64, mps=True).name == "2 cohorts of 64, MPS"
