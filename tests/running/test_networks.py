"""Networks as a user trains them: cohorts, solo trials, and cohorts that die in the middle."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from distml.sweep.journal import read
from tests.running.command import distml, rows, scores, sweep_file
from tests.running.test_stopping import running, wait_for

SPACE = {
    "lr": {"low": 1e-3, "high": 3e-2, "log": True}, "dropout": {"low": 0.0, "high": 0.4}, "epochs": 4, "batch_size": 64,
}  # fmt: skip


def events(folder: Path) -> list[Any]:
    return list(read(folder / "runs" / "quick" / "journal.jsonl"))


def test_a_users_modules_train_in_cohorts_or_solo_with_the_reason(tmp_path: Path) -> None:
    families = {
        "plain": {"class": "tests.running.networks:Plain", "space": {**SPACE, "width": [8, 16]}, "trials": 8},
        "normalised": {"class": "tests.running.networks:Normalised", "space": SPACE, "trials": 2},
    }  # fmt: skip
    shown = distml(tmp_path, "sweep", str(sweep_file(tmp_path, families=families, budget={"trials": 10}))).stdout
    assert "plain  trains as one network" in shown
    assert "normalised  trains solo: BatchNorm1d" in shown
    found = rows(tmp_path)
    assert {row["state"] for row in found} == {"finished"}
    assert max(row["score"] for row in found) > 0.7
    told = [event for event in events(tmp_path) if event["event"] == "cohort" and event.get("reason")]
    reasons = {family: [event["reason"] for event in told if event["family"] == family] for family in families}
    assert "BatchNorm1d" in reasons["normalised"][0]
    assert any("K=" in reason for reason in reasons["plain"])  # of the one cohort that was asked, soon or late
    widths = {row["trial"]: row["params"]["width"] for row in found if row["family"] == "plain"}
    cohorts = [
        event["trials"] for event in events(tmp_path) if event["event"] == "cohort" and event["family"] == "plain"
    ]
    assert all(len({widths[trial] for trial in cohort}) <= 1 for cohort in cohorts)
    for family in ("plain", "normalised"):
        trial = next(row["trial"] for row in found if row["family"] == family)
        assert "the same" in distml(tmp_path, "rerun", "quick", trial).stdout


def long_sweep(folder: Path) -> Path:
    space = {"epochs": 120, "batch_size": 32, "hidden": [[64, 64]]}
    return sweep_file(
        folder, families={"scoring-network": {"space": space}}, budget={"trials": 16}, split={"folds": 2},
        search={"algorithm": "random", "scheduler": "median"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    distml(folder, "sweep", str(long_sweep(folder)))
    return trajectories(folder)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["worker", "driver", "nobody: ctrl-c", "nobody: stop"])
def test_a_cohort_goes_on_from_its_last_rung(
    tmp_path: Path, undisturbed: dict[tuple[str, int], float], victim: str
) -> None:
    file = long_sweep(tmp_path)
    with running(tmp_path, "sweep", str(file)) as driver:
        wait_for(lambda: _rungs(tmp_path) >= 32)  # some members have reached their second rung
        workers = [child for child in driver.children(recursive=True) if ", rung" in " ".join(child.cmdline())]
        if victim == "driver":
            driver.kill()
        elif victim == "nobody: ctrl-c":
            driver.send_signal(signal.SIGINT)
            assert driver.wait(timeout=60) == 130
        elif victim == "nobody: stop":
            distml(tmp_path, "stop", "quick", "--now")
            assert driver.wait(timeout=60) == 0
        else:
            for worker in workers:
                worker.kill()
            assert driver.wait(timeout=100) == 0
    if victim != "worker":
        distml(tmp_path, "sweep", str(file))
    disturbed = trajectories(tmp_path)
    both = undisturbed.keys() & disturbed.keys()  # of two cohorts at once, luck says who is compared with whom, and cut
    assert len(both) >= 32 and {trial for trial, _ in both} == set(scores(tmp_path))
    assert {key: disturbed[key] for key in both} == pytest.approx({key: undisturbed[key] for key in both}, abs=1e-4)
    first_rungs = [event["trial"] for event in events(tmp_path) if event["event"] == "rung" and event["resource"] <= 2]
    assert len(first_rungs) == len(set(first_rungs)), "a trial began again although it had a checkpoint"


def population(folder: Path) -> Path:
    space = {"epochs": 60, "batch_size": 32, "hidden": [[64, 64]]}
    return sweep_file(
        folder, families={"scoring-network": {"space": space}}, budget={"trials": 16}, split={"folds": 2},
        search={"algorithm": "random", "scheduler": "pbt"}, export=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed_population(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    folder = tmp_path_factory.mktemp("population")
    distml(folder, "sweep", str(population(folder)))
    found = rows(folder)
    heirs = {row["trial"]: show(folder, row["trial"])["parent"] for row in found if row["state"] == "finished"}
    assert len(heirs) == 16 and any(heirs.values())
    heir = next(trial for trial, parent in heirs.items() if parent)
    assert "until   as" in distml(folder, "show", "quick", heir).stdout
    assert "the same" in distml(folder, "rerun", "quick", heir).stdout
    scorer = json.loads((folder / "runs/quick/scorer/scorer.json").read_text())
    assert {member["trial"] for member in scorer["members"]} <= heirs.keys()
    return finished_scores(folder)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_population_that_was_killed_comes_to_the_same(
    tmp_path: Path, undisturbed_population: list[float], victim: str
) -> None:
    file = population(tmp_path)
    with running(tmp_path, "sweep", str(file)) as driver:
        wait_for(lambda: _rungs(tmp_path) >= 64)
        workers = [child for child in driver.children(recursive=True) if ", rung" in " ".join(child.cmdline())]
        for process in [driver] if victim == "driver" else workers:
            process.kill()
        if victim == "worker":
            assert driver.wait(timeout=100) == 0
    if victim == "driver":
        distml(tmp_path, "sweep", str(file))
    assert finished_scores(tmp_path) == pytest.approx(undisturbed_population, abs=1e-4)


def show(folder: Path, trial: str) -> Any:
    return json.loads(distml(folder, "show", "quick", trial, "--format", "json").stdout)


def finished_scores(folder: Path) -> list[float]:
    return sorted(row["score"] for row in rows(folder) if row["state"] == "finished")


def trajectories(folder: Path) -> dict[tuple[str, int], float]:
    """(trial, epochs) -> score, of every rung that a trial has come to."""
    rungs = [event for event in events(folder) if event["event"] == "rung"]
    return {(rung["trial"], rung["resource"]): rung["scores"]["roc_auc"] for rung in rungs}


def _rungs(folder: Path) -> int:
    journal = folder / "runs" / "quick" / "journal.jsonl"
    return journal.read_text().count('"event":"rung"') if journal.exists() else 0
