"""Which sweeps there are, and how one stands."""

import io
import os

import pytest
from rich.console import Console

from distml.report.console import show
from distml.report.listing import list_table, rows_for, status_json, status_lines
from distml.report.loaded import load
from distml.sweep.runs import list_runs
from tests.report.sweeps import CLOSED, EVENTS, FAILURE, OPENED, WINNER, ended, rung, write_sweep


def drawn(items, width=140):
    paper = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    show(paper, *items)
    return paper.file.getvalue().splitlines()


def test_the_list_is_sorted_by_the_last_sign_of_life(tmp_path):
    now = 1_800_000_000
    for name, age, more in (("old", 7200, [WINNER, CLOSED]), ("new", 60, [])):
        folder = write_sweep(tmp_path, *more, name=name)
        os.utime(folder.journal, (now - age, now - age))
    begun = write_sweep(tmp_path, name="begun", events=[OPENED])
    os.utime(begun.journal, (now, now))
    rows = rows_for(list_runs(tmp_path), now)
    assert [(row["name"], row["state"], row["trials"], row["best"]) for row in rows] == [
        ("begun", "interrupted", 0, None),
        ("new", "interrupted", 5, "t0002"),
        ("old", "finished", 5, "t0002"),
    ]
    assert drawn([list_table(rows)])[1:] == [
        "begun   interrupted        0   -                 roc_auc   0:00   0 s ago",
        "new     interrupted        5   0.7900 ± 0.0100   roc_auc   0:30   60 s ago",
        "old     finished           5   0.7900 ± 0.0100   roc_auc   1:00   2.0 h ago",
    ]


def test_status_of_a_running_sweep_shows_cohorts_and_what_waits(tmp_path):
    lost = {
        "event": "lost",
        "trials": ["t0007"],
        "cohort": "c002",
        "failure": {**FAILURE, "error": "node ws-1 is gone"},
    }
    stopped = {"event": "family_stopped", "family": "bagging", "reason": "the same failure three times"}
    folder = write_sweep(tmp_path, lost, stopped)
    with folder.writer():
        found = load("credit", tmp_path)
    assert drawn(status_lines(found)) == [
        "credit   running   0:30",
        "3 done (1 stopped early)   1 running   1 diverged   1 failed (1 code)"
        "   best t0002 random-forest 0.7900 ± 0.0100",
        "",
        "cohort   family          trials   rung   device   slot",
        "c002     random-forest        1     50   cpu      -",
        "",
        "t0007   waiting to run again: 1 time lost with its cohort (node ws-1 is gone)",
        "",
        "bagging stopped: the same failure three times",
    ]
    assert status_json(found)["cohorts"] == [
        {"cohort": "c002", "family": "random-forest", "trials": 1, "rung": 50, "device": "cpu", "slot": None,
         "reason": None}
    ]  # fmt: skip


def test_trials_that_wait_for_the_same_are_told_in_one_line(tmp_path):
    folder = write_sweep(tmp_path, {**EVENTS[7], "trials": []}, {**EVENTS[1], "trial": "t0008", "number": 8})
    with folder.writer():
        running = load("credit", tmp_path)
    assert drawn(status_lines(running))[-1] == "t0007 and 1 more   waiting for a free slot; 1 cohort running"


def test_what_families_wait_for_is_what_the_driver_last_wrote(tmp_path):
    folder = write_sweep(tmp_path)
    needs = "needs 9.1 GiB on one device; the best free is 6.4 GiB on node3 rtx-3090 1"
    with folder.writer():
        folder.write_waiting({"random-forest": needs, "mine": "for a MIG slice; all 4 are taken"}, {})
        running = load("credit", tmp_path)
        assert drawn(status_lines(running))[-2:] == [
            f"t0007   waiting {needs}",
            "mine    waiting for a MIG slice; all 4 are taken",
        ]
        assert status_json(running)["families_waiting"]["mine"] == "for a MIG slice; all 4 are taken"
    over = load("credit", tmp_path)
    assert status_json(over)["families_waiting"] == {}
    with folder.writer():  # the next driver begins with nothing said
        assert folder.waiting() == {}


def test_status_says_when_what_holds_the_slot_ends_where_others_have_shown_how_long_that_takes(tmp_path, monkeypatch):
    waits = {"mine": "for a whole GPU; the only one is taken"}
    begun = {**EVENTS[9], "trials": ["t0006"], "at": 1100.0}
    steps = [
        {**event, "at": at}
        for number, start in ((11, 1000.0), (12, 1010.0), (13, 1020.0))
        for event, at in (
            ({**EVENTS[1], "trial": f"t{number:04}", "number": number, "family": "random-forest"}, start),
            ({**EVENTS[9], "trials": [f"t{number:04}"]}, start),
            (rung(number, 50, 0.7, cohort="c002"), start + 40),
            (rung(number, 400, 0.7, cohort="c002", state="finished"), start + 240),
            (ended(number, "finished"), start + 240),
        )
    ]
    at_1200 = rung(6, 50, 0.71, cohort="c002", at=1200.0)
    for more, said in (([*steps[:5], begun, at_1200], ""), ([*steps, begun, at_1200], " (t0006 ends in about 3 min)")):
        folder = write_sweep(tmp_path / str(len(more)), *more)
        with folder.writer():
            folder.write_waiting(waits, {"mine": ["c002"]})
            running = load("credit", tmp_path / str(len(more)))
            monkeypatch.setattr("time.time", lambda: 1220.0)  # 20 s into a step that takes 200
            assert drawn(status_lines(running))[-1] == f"mine    waiting for a whole GPU; the only one is taken{said}"
            told = status_json(running)["next_to_end"]
            assert told == ({"mine": {"trial": "t0006", "seconds": pytest.approx(180.0)}} if said else {})


def test_status_of_an_interrupted_sweep_says_how_to_go_on(tmp_path):
    write_sweep(tmp_path)
    found = load("credit", tmp_path)
    lines = drawn(status_lines(found))
    assert "the same `distml sweep FILE` goes on with it" in lines[0]
    assert lines[-1] == "t0006 and 1 more   waiting for a driver; this one was interrupted"
    assert status_json(found)["waiting"][0] == {
        "trial": "t0006",
        "family": "random-forest",
        "why": "for a driver; this one was interrupted",
    }


def test_a_sweep_that_never_started_and_a_damaged_one_take_a_row_each(tmp_path):
    for name in ("fine", "damaged", "new"):
        write_sweep(tmp_path, name=name)
    (tmp_path / "new" / "journal.jsonl").write_text("")
    damaged = tmp_path / "damaged" / "journal.jsonl"
    damaged.write_text(damaged.read_text().replace("t0001", "t0009", 1))
    rows = {row["name"]: (row["state"], row["trials"]) for row in rows_for(list_runs(tmp_path), 2000.0)}
    assert rows == {"fine": ("interrupted", 5), "damaged": ("damaged", 0), "new": ("interrupted", 0)}
    assert len(drawn([list_table(rows_for(list_runs(tmp_path), 2000.0))])) == 4
