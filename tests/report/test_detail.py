"""One sweep or one trial in full, and what stands on the screen at the end."""

import io
import json

from rich.console import Console

from distml.report import detail
from distml.report.console import show
from distml.report.loaded import load
from tests.report.sweeps import CLOSED, EVENTS, FAILURE, OPENED, WINNER, asked, ended, write_sweep


def drawn(width, items):
    paper = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    show(paper, *items)
    return paper.file.getvalue().splitlines()


def test_show_json_has_exactly_the_promised_keys(tmp_path):
    write_sweep(tmp_path, WINNER, CLOSED)
    shown = detail.sweep_json(load("credit", tmp_path))
    assert shown == {
        "name": "credit",
        "metric": "roc_auc",
        "winner": "t0002",
        "holdout": {"roc_auc": 0.7843, "brier": 0.134},
        "scorer": None,
        "counts": {"finished": 2, "stopped": 1, "failed": 1, "diverged": 1, "pending": 2},
        "seconds": 60.0,
        "budget": {"trials": 6, "minutes": 10.0},
        "versions": OPENED["versions"],
        "git": "0123456789ab",
        "data_sha256": "ab" * 32,
    }
    json.dumps(shown, allow_nan=False)


def test_before_the_end_winner_and_holdout_are_null(tmp_path):
    write_sweep(tmp_path)
    shown = detail.sweep_json(load("credit", tmp_path))
    assert (shown["winner"], shown["holdout"]) == (None, None)


def test_a_trials_json_adds_rungs_and_traceback(tmp_path):
    write_sweep(tmp_path)
    found = load("credit", tmp_path)
    finished = detail.trial_json(found.trial("t0002"), "roc_auc")
    assert [rung["resource"] for rung in finished["rungs"]] == [50, 400]
    assert finished["peak_memory_mib"] == 310.4
    diverged = detail.trial_json(found.trial("t0005"), "roc_auc")
    assert diverged["rungs"][0] == {"resource": 1, "scores": {"roc_auc": None, "brier": 0.15}, "folds": [None]}
    assert detail.trial_json(found.trial("t0004"), "roc_auc")["failure"]["traceback"] == FAILURE["traceback"]
    json.dumps(diverged, allow_nan=False)


def test_the_end_at_width_120(tmp_path):
    folder = write_sweep(tmp_path, WINNER, CLOSED)
    assert drawn(120, detail.ended(load("credit", tmp_path)))[:7] == [
        "",
        "    trial   family            state      roc_auc           seconds   joules   parameters",
        "1   t0002   random-forest     finished   0.7900 ± 0.0100       3.0    ~42.0   max_features 0.5",
        "2   t0001   scoring-network   finished   0.7800 ± 0.0100       3.0        -"
        "   lr 0.01, hidden 64-64, numeric standard",
        "3   t0003   scoring-network   stopped    0.6000 ± 0.0100       1.5        -"
        "   lr 0.001, hidden 256-128, numeric quantile",
        "",
        "holdout (6,000 rows, touched once)   t0002: roc_auc 0.7843, brier 0.1340",
    ]
    last = " ".join(drawn(10_000, detail.ended(load("credit", tmp_path)))[8:])
    assert last == f"5 trials in 1:00 = 5 a minute.   {folder.path}   next: distml report credit"


def test_the_end_names_ten_trials_at_most(tmp_path):
    events = [OPENED]
    for number in range(1, 15):
        events += [
            asked(number, "bagging", {"trees": number}),
            {"event": "cohort", "cohort": "c001", "family": "bagging", "trials": [f"t{number:04}"]},
            {**EVENTS[10], "trial": f"t{number:04}"},
            ended(number, "finished"),
        ]
    write_sweep(tmp_path, events=events)
    lines = drawn(120, detail.ended(load("credit", tmp_path)))
    assert sum("bagging" in line for line in lines) == 10


def test_a_trial_in_full(tmp_path):
    write_sweep(tmp_path)
    found = load("credit", tmp_path)
    assert drawn(80, detail.trial_lines(found.trial("t0002"), "roc_auc", found.record.trials)) == [
        "t0002   random-forest   finished   roc_auc 0.7900 ± 0.0100",
        "seed          3",
        "cohort        c002",
        "device        cpu",
        "seconds       3.0",
        "gpu seconds   0.5",
        "joules        ~42.0",
        "peak memory   310 MiB",
        "",
        "parameter      value",
        "max_features   0.5",
        "trees          400",
        "",
        "rung   roc_auc    brier   roc_auc by fold",
        "  50    0.7200   0.1500   0.7100  0.7200  0.7300",
        " 400    0.7900   0.1500   0.7800  0.7900  0.8000",
    ]
    assert drawn(80, detail.trial_lines(found.trial("t0004"), "roc_auc", found.record.trials))[-3:] == [
        "code: ValueError: no such activation",
        "node   ws-1",
        "log    logs/c002.log",
    ]


def test_a_sweep_in_full(tmp_path):
    folder = write_sweep(tmp_path, {"event": "family_stopped", "family": "bagging", "reason": "same failure"}, CLOSED)
    assert drawn(200, detail.sweep_lines(load("credit", tmp_path))) == [
        "credit   roc_auc",
        "state         finished",
        "best so far   t0002  random-forest  0.7900 ± 0.0100",
        "trials        3 done (1 stopped early)   0 running   1 diverged   1 failed (1 code)",
        "time          1:00   budget 10 min, 6 trials",
        "data          credit.csv   sha256 abababababab",
        "versions      python 3.11.7, distml 0.1.0",
        "git           0123456789ab",
        f"folder        {folder.path}",
        "bagging       stopped: same failure",
    ]


def test_when_nothing_came_of_it_the_causes_are_named_once(tmp_path):
    events = [OPENED]
    for number in (1, 2):
        events += [asked(number, "bagging", {"trees": 1}), ended(number, "failed", failure=FAILURE)]
    write_sweep(tmp_path, events=events)
    assert detail.nothing(load("credit", tmp_path)).splitlines() == [
        "nothing came of credit: 2 failed",
        "  2 failed, code: ValueError: no such activation   see: distml show credit t0001",
    ]


def test_the_end_says_how_often_the_holdout_was_touched_and_what_failed(tmp_path):
    write_sweep(tmp_path, WINNER, WINNER)
    said = "\n".join(drawn(200, detail.ended(load("credit", tmp_path))))
    assert "holdout (6,000 rows, touched 2 times, by a winner each)" in said
    assert "1 failed, code: ValueError: no such activation   see: distml show credit" in said


def test_the_scorer_stands_beside_the_winner(tmp_path):
    scorer = {
        "event": "scorer", "members": {"t0002": 0.75, "t0001": 0.25}, "holdout": {"roc_auc": 0.7901}, "seconds": 3.0,
    }  # fmt: skip
    write_sweep(tmp_path, WINNER, CLOSED, scorer)
    found = load("credit", tmp_path)
    assert detail.sweep_json(found)["scorer"] == {"roc_auc": 0.7901}
    said = "\n".join(drawn(200, detail.ended(found)))
    assert "holdout (6,000 rows, touched 2 times, by a winner or a scorer each)" in said
    assert "scorer on the same rows   t0002 75 %, t0001 25 %: roc_auc 0.7901" in said
    assert "t0002 75 %, t0001 25 %: roc_auc 0.7901 on the holdout" in "\n".join(drawn(200, detail.sweep_lines(found)))
