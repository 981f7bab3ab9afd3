"""The leaderboard's forms, from a made-up journal."""

import csv
import io
import json

from rich.console import Console

from distml.report.leaderboard import leaderboard_csv, leaderboard_table, row, varied_parameters
from distml.report.loaded import load
from distml.sweep.records import TrialRecord
from tests.report.sweeps import CLOSED, WINNER, write_sweep

KEYS = [
    "trial", "family", "state", "score", "score_sd", "params", "seconds", "gpu_seconds", "energy_j",
    "energy_estimated", "utilisation", "peak_memory_mib", "device", "cohort", "failure",
]  # fmt: skip


def board(tmp_path):
    write_sweep(tmp_path, WINNER, CLOSED)
    return load("credit", tmp_path)


def drawn(width, item):
    paper = Console(file=io.StringIO(), width=width)
    paper.print(item)
    return paper.file.getvalue().splitlines()


def test_a_row_has_the_promised_keys_and_unknown_is_null(tmp_path):
    rows = {one["trial"]: one for one in (row(trial, "roc_auc") for trial in board(tmp_path).leaderboard)}
    assert all(list(one) == KEYS for one in rows.values())
    best = rows["t0002"]
    assert (best["score"], best["energy_j"], best["energy_estimated"], best["gpu_seconds"]) == (0.79, 42.0, True, 0.5)
    assert abs(best["score_sd"] - 0.01) < 1e-9
    waiting = rows["t0007"]
    unknown = [key for key in KEYS if key not in ("trial", "family", "state", "params", "seconds")]
    assert [key for key in KEYS if waiting[key] is None] == unknown
    assert rows["t0005"]["score"] is None  # diverged: NaN is no JSON
    assert json.loads(json.dumps(rows["t0001"], allow_nan=False))["params"]["hidden"] == [64, 64]


def test_a_failure_keeps_its_class_error_node_and_log(tmp_path):
    failed = row(board(tmp_path).trial("t0004"), "roc_auc")
    assert failed["state"] == "failed"
    assert failed["failure"] == {
        "class": "code",
        "error": "ValueError: no such activation",
        "node": "ws-1",
        "log": "logs/c002.log",
    }


def test_csv_has_a_column_for_each_parameter(tmp_path):
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(board(tmp_path).leaderboard, "roc_auc"))))
    assert [one["trial"] for one in rows][:3] == ["t0002", "t0001", "t0003"]
    assert rows[1]["params.hidden"] == "[64, 64]"
    assert rows[1]["params.max_features"] == ""
    assert rows[-1]["failure"] == "code: ValueError: no such activation"


def test_the_table_shows_states_failures_and_what_varied(tmp_path):
    trials = board(tmp_path).leaderboard
    assert drawn(130, leaderboard_table(trials, "roc_auc", varied_parameters(trials))) == [
        "    trial   family            state      roc_auc           seconds   joules   parameters",
        "1   t0002   random-forest     finished   0.7900 ± 0.0100       3.0    ~42.0   max_features 0.5",
        "2   t0001   scoring-network   finished   0.7800 ± 0.0100       3.0        -"
        "   lr 0.01, hidden 64-64, numeric standard",
        "3   t0003   scoring-network   stopped    0.6000 ± 0.0100       1.5        -"
        "   lr 0.001, hidden 256-128, numeric quantile",
        "4   t0006   random-forest     pending    0.7100 ± 0.0100       1.5        -   max_features 0.3",
        "5   t0007   random-forest     pending    -                     0.0        -   max_features 0.4",
        "6   t0005   scoring-network   diverged   -                     1.5        -"
        "   lr 9.9, hidden 64-64, numeric standard",
        "7   t0004   random-forest     failed     -                     0.0        -"
        "   code: ValueError: no such activation",
    ]


def test_a_board_of_finished_trials_has_no_column_of_states(tmp_path):
    trials = board(tmp_path).leaderboard[:2]
    first = drawn(120, leaderboard_table(trials, "roc_auc", varied_parameters(trials)))[0]
    assert first.split() == ["trial", "family", "roc_auc", "seconds", "joules", "parameters"]


def test_a_lone_trial_shows_all_its_parameters():
    lone = TrialRecord("t0001", 1, "bagging", {"trees": 10, "max_samples": 0.5}, 1)
    twins = [TrialRecord(f"t{number}", number, "lda", {"solver": "svd", "tol": number}, 1) for number in (2, 3)]
    assert varied_parameters([lone, *twins]) == {"bagging": {"trees", "max_samples"}, "lda": {"tol"}}
