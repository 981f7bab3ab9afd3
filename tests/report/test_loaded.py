"""A sweep's results from Python."""

import subprocess
import sys

import pandas as pd
import pytest

import distml
from distml.errors import DistmlError
from tests.report.sweeps import CLOSED, EVENTS, OPENED, WINNER, write_sweep


def test_trials_is_a_frame_with_a_row_a_trial(tmp_path):
    write_sweep(tmp_path, WINNER, CLOSED)
    frame = distml.load("credit", runs=tmp_path).trials()
    assert frame["trial"].tolist() == ["t0002", "t0001", "t0003", "t0006", "t0007", "t0005", "t0004"]
    assert frame.columns[:5].tolist() == ["trial", "family", "state", "score", "score_sd"]
    networks = frame[frame["family"] == "scoring-network"]
    assert networks["params.lr"].tolist() == [0.01, 0.001, 9.9]
    assert frame.loc[0, "metrics.brier"] == 0.15
    assert pd.isna(frame.loc[0, "params.lr"])
    assert frame.columns.is_unique


def test_a_sweep_without_trials_is_an_empty_frame_with_the_same_columns(tmp_path):
    write_sweep(tmp_path, events=[OPENED])
    frame = distml.load("credit", runs=tmp_path).trials()
    assert len(frame) == 0
    assert {"trial", "score", "failure"} <= set(frame.columns)


def test_the_winner_is_known_once_it_was_scored_on_the_holdout(tmp_path):
    write_sweep(tmp_path, name="half")
    half = distml.load("half", runs=tmp_path)
    assert (half.winner, half.holdout, half.best.trial) == (None, {}, "t0002")
    write_sweep(tmp_path, WINNER, CLOSED)
    whole = distml.load("credit", runs=tmp_path)
    assert whole.winner.trial == "t0002"
    assert whole.holdout == {"roc_auc": 0.7843, "brier": 0.134}


def test_lower_can_be_better(tmp_path):
    events = [{**OPENED, "spec": {**OPENED["spec"], "metric": "brier"}, "greater_is_better": False}, *EVENTS[1:]]
    events = [event | {"scores": {"brier": 0.3 if event["trial"] == "t0002" else 0.1}} if event["event"] == "rung"
              else event for event in events]  # fmt: skip
    write_sweep(tmp_path, events=events)
    assert distml.load("credit", runs=tmp_path).best.trial == "t0001"


def test_a_journal_that_does_not_say_which_way_is_better_still_loads(tmp_path):
    silent = {key: value for key, value in OPENED.items() if key != "greater_is_better"}
    write_sweep(tmp_path, events=[silent, *EVENTS[1:]])
    assert distml.load("credit", runs=tmp_path).best.trial == "t0002"


@pytest.mark.parametrize(
    ("reason", "state"),
    [("budget", "finished"), ("stopped", "stopped"), ("interrupted", "interrupted")],
)
def test_the_state_says_how_the_last_driver_ended(tmp_path, reason, state):
    write_sweep(tmp_path, {"event": "closed", "reason": reason})
    assert distml.load("credit", runs=tmp_path).state == state


def test_without_a_driver_nothing_runs(tmp_path):
    folder = write_sweep(tmp_path)
    gone = distml.load("credit", runs=tmp_path)
    assert (gone.state, gone.trial("t0006").state) == ("interrupted", "pending")
    with folder.writer():
        alive = distml.load("credit", runs=tmp_path)
    assert (alive.state, alive.trial("t0006").state) == ("running", "running")


def test_unknown_names_are_answered_with_the_nearest(tmp_path):
    write_sweep(tmp_path)
    with pytest.raises(DistmlError, match="Did you mean 'credit'"):
        distml.load("crdit", runs=tmp_path)
    with pytest.raises(DistmlError, match="no trial 't0070'"):
        distml.load("credit", runs=tmp_path).trial("t0070")


def test_the_package_exports_what_it_says():
    assert set(dir(distml)) == set(distml.__all__)
    for name in distml.__all__:
        assert getattr(distml, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lead'"):
        _ = distml.lead


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, distml; print([name for name in sys.modules if name.split('.')[0] == 'distml'])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['distml']"
