import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import DistmlError
from distml.sweep.journal import Journal, read
from distml.sweep.records import SweepRecord, best_trial, leaderboard, replay
from distml.training.cohort import Failure

Event = dict[str, Any]
FAILURE = asdict(Failure("memory", "MemoryError: x", "Traceback ..."))


def opened(at: float = 0.0) -> Event:
    return {"event": "opened", "at": at, "spec": {"name": "x"}}


def asked(number: int, **params: Any) -> Event:
    return {
        "event": "asked", "trial": f"t{number}", "number": number, "family": "f", "params": params, "seed": 10 + number,
    }  # fmt: skip


def cohort(name: str, *numbers: int) -> Event:
    return {"event": "cohort", "cohort": name, "family": "f", "trials": [f"t{number}" for number in numbers]}


def rung(number: int, resource: int, score: float | None, state: str = "running", **more: Any) -> Event:
    return {
        "event": "rung", "trial": f"t{number}", "cohort": "c001", "resource": resource, "state": state,
        "scores": {"auc": score}, "folds": [score, score], "seconds": 2.0, **more,
    }  # fmt: skip


def ended(number: int, state: str, failure: Event | None = None) -> Event:
    return {"event": "ended", "trial": f"t{number}", "state": state, "failure": failure}


def sweep(*trials: Sequence[Any]) -> SweepRecord:
    """Each trial is (state, score)."""
    events = [opened()]
    for number, (state, score) in enumerate(trials, start=1):
        events += [asked(number), cohort("c001", number), rung(number, 1, score), ended(number, state)]
    return replay(events)


def test_a_trial_from_question_to_end() -> None:
    record = replay([opened(), asked(7, hidden=[64, [1, 2]], lr=0.1)])
    trial = record.trials["t7"]
    assert (trial.state, trial.number, trial.seed, trial.rungs) == ("pending", 7, 17, ())
    assert trial.params == {"hidden": (64, (1, 2)), "lr": 0.1}
    record.apply(cohort("c001", 7))
    assert record.trials["t7"].state == "running"
    record.apply(rung(7, 1, 0.6, gpu_seconds=1.0, energy_j=5.0, energy_estimated=True, peak_memory_mib=30.0))
    record.apply(
        rung(7, 3, 0.7, gpu_seconds=0.5, energy_j=5.0, energy_estimated=False, peak_memory_mib=20.0, device="gpu0")
    )
    record.apply(ended(7, "finished"))
    trial = record.trials["t7"]
    assert (trial.state, trial.score("auc"), trial.cohort, trial.device) == ("finished", 0.7, "c001", "gpu0")
    assert [step.resource for step in trial.rungs] == [1, 3]
    assert (trial.seconds, trial.gpu_seconds, trial.energy_j, trial.peak_memory_mib) == (4.0, 1.5, 10.0, 30.0)
    assert trial.energy_estimated is True


def test_what_nobody_measured_is_none() -> None:
    trial = sweep(("finished", 0.5)).trials["t1"]
    assert (trial.gpu_seconds, trial.energy_j, trial.energy_estimated, trial.peak_memory_mib, trial.device) == (
        None,
    ) * 5


def test_a_score_at_full_size_ends_a_trial_though_the_crash_came_before_its_end_was_written() -> None:
    assert replay([opened(), asked(1), cohort("c001", 1), rung(1, 3, 0.7, "finished")]).trials["t1"].state == "finished"


def test_a_lost_cohort_costs_an_attempt_and_a_killed_driver_none() -> None:
    lost = {"event": "lost", "cohort": "c001", "trials": ["t1"], "failure": FAILURE}
    record = replay([opened(), asked(1), asked(2), cohort("c001", 1, 2), lost])
    assert [(trial.state, trial.attempts) for trial in record.trials.values()] == [("pending", 1), ("running", 0)]
    assert record.trials["t1"].failure == Failure(**FAILURE)
    record.apply(opened())
    assert [(trial.state, trial.attempts) for trial in record.trials.values()] == [("pending", 1), ("pending", 0)]
    assert {trial.cohort for trial in record.trials.values()} == {"c001"}
    for event in (cohort("c001", 1), rung(1, 1, 0.5, "finished"), ended(1, "finished")):
        record.apply(event)
    assert record.trials["t1"].failure is None


def test_rungs_trained_again_after_a_crash_stand_once_and_cost_twice() -> None:
    record = replay([opened(), asked(1), cohort("c001", 1), rung(1, 1, 0.5), rung(1, 3, 0.6), opened()])
    for event in (cohort("c001", 1), rung(1, 1, 0.5), rung(1, 3, 0.7)):
        record.apply(event)
    trial = record.trials["t1"]
    assert [(step.resource, step.scores["auc"]) for step in trial.rungs] == [(1, 0.5), (3, 0.7)]
    assert trial.seconds == 8.0


def test_a_cohort_remembers_all_that_were_ever_in_it() -> None:
    record = replay([opened(), asked(1), asked(2), asked(3), cohort("c001", 1, 2), cohort("c001", 3, 2)])
    assert list(record.cohorts["c001"].trials) == ["t1", "t2", "t3"]


def test_a_refill_adds_to_its_cohort_and_copies_nothing() -> None:
    start = cohort("c001") | {"slot": "gpu0", "reason": "fits"}
    record = replay([opened(), *(asked(number) for number in range(1, 10_001)), start])
    held = record.cohorts["c001"]
    trials = held.trials
    for number in range(1, 10_001):
        record.apply(cohort("c001", number))
    assert record.cohorts["c001"] is held and held.trials is trials
    assert list(trials) == [f"t{number}" for number in range(1, 10_001)]
    assert (held.slot, held.reason) == ("gpu0", "fits")
    assert record.counts == {"running": 10_000}


def test_a_sweep_adds_up_its_drivers_and_not_the_nights_between() -> None:
    record = replay([opened(100.0), {**asked(1), "at": 130.0}, opened(9000.0), {**asked(2), "at": 9005.0}])
    assert record.seconds == 35.0
    record.apply({"event": "closed", "at": 9010.0, "reason": "budget", "seconds": 40.0})
    assert (record.seconds, record.closed) == (40.0, "budget")
    record.apply(opened(20000.0))
    assert (record.seconds, record.closed) == (40.0, None)


def test_a_clock_set_back_takes_no_time_away() -> None:
    assert replay([opened(100.0), {**asked(1), "at": 130.0}, opened(50.0), {**asked(2), "at": 51.0}]).seconds == 31.0


def test_what_a_sweep_ended_with() -> None:
    record = sweep(("finished", 0.7), ("stopped", 0.6), ("failed", None))
    record.apply({"event": "family_stopped", "family": "g", "reason": "three alike"})
    record.apply({"event": "winner", "trial": "t1", "holdout": {"auc": 0.69, "f1": None}, "seconds": 3.0})
    assert record.counts == {"finished": 1, "stopped": 1, "failed": 1}
    assert record.families_stopped == {"g": "three alike"}
    assert record.winner == "t1" and record.holdout["auc"] == 0.69 and math.isnan(record.holdout["f1"])
    assert record.spec == {"name": "x"}


@pytest.mark.parametrize(("event", "said"), [({"event": "danced"}, "'danced'"), (ended(5, "finished"), "t5")])
def test_an_event_that_does_not_follow(event: Event, said: str) -> None:
    with pytest.raises(DistmlError, match=said):
        replay([opened(), event])


def test_a_trial_stopped_early_never_beats_one_that_finished() -> None:
    record = sweep(("stopped", 0.9), ("finished", 0.6), ("finished", 0.7), ("failed", 0.99), ("running", 0.8))
    assert [trial.trial for trial in leaderboard(record, "auc", True)] == ["t3", "t2", "t1", "t5", "t4"]
    best = best_trial(record, "auc", True)
    assert best is not None and best.trial == "t3"


def test_where_less_is_better_and_equal_scores_go_by_number() -> None:
    record = sweep(("finished", 0.6), ("finished", 0.5), ("finished", 0.5))
    assert [trial.trial for trial in leaderboard(record, "auc", False)] == ["t2", "t3", "t1"]


@pytest.mark.parametrize("direction", [True, False])
@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_never_wins(bad: float | None, direction: bool) -> None:
    record = sweep(("finished", bad), ("finished", 0.1), ("stopped", 0.2))
    assert [trial.trial for trial in leaderboard(record, "auc", direction)] == ["t2", "t1", "t3"]
    best = best_trial(sweep(("finished", bad), ("stopped", 0.2)), "auc", direction)
    assert best is not None and best.trial == "t2"
    assert best_trial(sweep(("finished", bad), ("failed", 0.2)), "auc", direction) is None


def test_the_spread_is_the_sample_standard_deviation_over_folds() -> None:
    record = sweep(("finished", 0.5))
    assert record.trials["t1"].score_sd == 0.0
    record.apply({**rung(1, 2, 0.5), "folds": [0.4, 0.6]})
    assert record.trials["t1"].score_sd == pytest.approx(math.sqrt(0.02))
    record.apply({**rung(1, 3, 0.5), "folds": [0.5]})
    assert record.trials["t1"].score_sd is None
    record.apply({**rung(1, 4, None), "folds": [None, 0.5]})
    assert record.trials["t1"].score_sd is None


@given(st.permutations(range(1, 9)), st.lists(st.sampled_from([0.1, 0.2, None]), min_size=8, max_size=8))
def test_the_leaderboard_does_not_depend_on_who_ended_first(order: list[int], scores: list[float | None]) -> None:
    start = [opened(), *(asked(number) for number in range(1, 9)), cohort("c001", *range(1, 9))]
    ends = [event for number in order for event in (rung(number, 1, scores[number - 1]), ended(number, "finished"))]
    plain = sweep(*(("finished", score) for score in scores))
    names = [trial.trial for trial in leaderboard(replay([*start, *ends]), "auc", True)]
    assert names == [trial.trial for trial in leaderboard(plain, "auc", True)]


def test_a_record_read_from_a_journal_is_the_record_that_was_kept(tmp_path) -> None:
    events = [opened(1.0), asked(1, hidden=[64]), cohort("c001", 1), rung(1, 1, 0.5), ended(1, "failed", FAILURE)]
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.append(*({"at": 2.0, **event} for event in events))
    assert replay(read(tmp_path / "journal.jsonl")).trials == replay(events).trials
