"""A sweep on one machine with a Ray of its own: cards and slices that are not there, handed out all the same."""

import os
from pathlib import Path

import pytest

from distml.sweep.journal import read
from tests.hardware.standin import DRIVER, Card, a100, build, rtx_3090
from tests.running.command import diary, distml, rows, start, sweep_file
from tests.running.test_stopping import wait_for


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, *cards: Card) -> None:
    """From now on this machine has these cards."""
    file = folder / "machine.txt"
    file.write_text("\n".join([f"driver {DRIVER}", "cuda 12080", *(card.text() for card in cards)]) + "\n")
    monkeypatch.setenv("NVML_STANDIN", str(file))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{build(folder / 'nvml')}:{os.environ.get('LD_LIBRARY_PATH', '')}")


@pytest.mark.long
def test_slices_are_handed_out_one_by_one_and_none_to_who_asked_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, a100("GPU-a100", {0: "3g.20gb", 1: "3g.20gb"}), rtx_3090("GPU-3090"))
    space = {"strength": {"low": 0.0, "high": 1.0}, "seconds": 0.5}
    families = {
        name: {"class": "tests.running.models:Diary", "space": space, "resources": {"gpu": gpu}}
        for name, gpu in (("whole", "mig:3g.20gb"), ("half", 0.5), ("none", "none"))
    }
    file = sweep_file(tmp_path, families=families, split={"folds": 1}, budget={"trials": 12})
    shown = distml(tmp_path, "sweep", str(file)).stdout
    assert "2 x 3g.20gb (1 x rtx-3090 idle: distml node start --head would use all)" in shown
    slots = {event["family"]: event["slot"] for event in read(tmp_path / "runs" / "quick" / "journal.jsonl")
             if event["event"] == "cohort" and " on " in event.get("slot", "")}  # fmt: skip
    assert slots["whole"].startswith("3g.20gb on ") and slots["half"].startswith("0.5 of 3g.20gb on ")
    sees = [tuple(line.split()[5:]) for line in diary(tmp_path)]
    assert set(sees) <= {("MIG-a100-0",), ("MIG-a100-1",), ()}
    assert () in sees and len(set(sees)) >= 2
    assert (
        "no slice here is '9g.99gb'"
        in distml(tmp_path, "plan", str(file), "--set", "families.whole.resources.gpu=mig:9g.99gb", expect=2).stderr
    )


@pytest.mark.long
def test_auto_measures_the_first_cohort_and_later_ones_take_the_share_that_follows_or_more_where_memory_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = ["utilisation 0:20", "used 0:2048", "power 0:150"]
    machine(tmp_path, monkeypatch, rtx_3090("GPU-3090", *busy))
    space = {"strength": {"low": 0.0, "high": 1.0}, "seconds": 0.8, "mood": "large"}  # half a GPU at least
    mine = {"class": "tests.running.models:Diary", "space": space, "resources": {"gpu": "auto"}}
    file = sweep_file(tmp_path, families={"mine": mine}, split={"folds": 1}, budget={"trials": 14})
    planned = distml(tmp_path, "plan", str(file)).stdout
    assert (
        "1 x rtx-3090: 1 at once; 1 on each until the first cohort of a structure is measured, then up to 6" in planned
    )
    (tmp_path / "diary.txt").unlink()
    shown = distml(tmp_path, "sweep", str(file), timeout=280)
    events = read(tmp_path / "runs" / "quick" / "journal.jsonl")
    needs = [event for event in events if event["event"] == "need"]
    assert [need["slots"] for need in needs] in ([4, 3, 2], [3, 2])
    assert needs[0]["memory_mib"] == 2048 and 0.2 <= needs[0]["utilisation"] < 0.4 and needs[0]["too_small_mib"] == 0
    assert needs[-1]["reason"].startswith("2 on each: memory ran out in 8.0 GiB; 1 member took 2.0 of 24.0 GiB")
    assert all(f"mine  rtx-3090, {need['reason']}" in shown.stdout for need in needs)
    assert {row["state"] for row in rows(tmp_path)} == {"finished"}  # nobody was blamed
    slots = [event["slot"].split(" on ")[0] for event in events
             if event["event"] == "cohort" and " on " in event.get("slot", "")]  # fmt: skip
    assert slots[0] == "rtx-3090" and slots[-1] == "0.5 of rtx-3090"
    assert set(slots[1:]) == {f"{10_000 // need['slots'] / 10_000:g} of rtx-3090" for need in needs}
    assert {line.split()[5] for line in diary(tmp_path)} == {"GPU-3090"}
    status = distml(tmp_path, "status", "quick").stdout
    assert f"mine on rtx-3090 {needs[-1]['reason']}" in " ".join(status.split())
    assert f"rtx-3090 as measured: {needs[-1]['reason']}" in distml(tmp_path, "plan", str(file)).stdout


@pytest.mark.long
def test_mig_that_is_changed_under_a_sweep_ends_it_in_a_line_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, a100("GPU-a100", {0: "3g.20gb", 1: "3g.20gb"}))
    space = {"strength": {"low": 0.0, "high": 1.0}, "seconds": 0.2, "mood": "deadly"}  # each trial a cohort of its own
    mine = {"class": "tests.running.models:Diary", "space": space, "resources": {"gpu": "mig:any"}}
    file = sweep_file(tmp_path, families={"mine": mine}, split={"folds": 1}, budget={"trials": 6})
    process = start(tmp_path, "sweep", str(file))
    try:
        wait_for(lambda: diary(tmp_path), seconds=120)
        machine(tmp_path, monkeypatch, a100("GPU-a100", {2: "2g.10gb", 3: "2g.10gb"}))
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 2
    assert "has no longer MIG-a100-" in err and "was MIG changed since Ray was started there?" in err
    assert "Traceback" not in err
    assert distml(tmp_path, "list").stdout.splitlines()[1].split()[:2] == ["quick", "interrupted"]
