"""How much of a sweep's time is kept for its end."""

import doctest

from distml.sweep import ending
from distml.sweep.ending import MOST, OF_A_FAMILY, ending_seconds, likely_members
from distml.sweep.records import Rung, TrialRecord


def trial(number: int, family: str, state: str = "finished") -> TrialRecord:
    rungs = (Rung(1, {"auc": number / 100}, ()),)
    return TrialRecord(f"t{number:04d}", number, family, {}, 0, state=state, rungs=rungs)  # type: ignore[arg-type]


def test_the_worked_examples() -> None:
    assert doctest.testmod(ending).failed == 0


def test_a_sweep_without_a_finished_trial_keeps_nothing() -> None:
    assert likely_members([trial(1, "forest", "stopped"), trial(2, "forest", "running")], "auc", True) == []
    assert ending_seconds([], cpus=2, rows=1_000_000) == 0.0


def test_members_are_the_best_of_several_families() -> None:
    trials = [trial(number, "network" if number < 90 else "forest") for number in range(100)]
    found = likely_members(trials, "auc", greater_is_better=False)
    assert [one.number for one in found] == [0, 1, 2, 90, 91, 92]
    assert len(found) == MOST and OF_A_FAMILY == 3
