"""A sweep as a user runs it: the command line, a local Ray, a journal that outlives it."""

import json
from pathlib import Path

import pytest

import distml as package
from tests.running.command import diary_family, distml, rows, scores, sweep_file


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished sweep of three families."""
    folder = tmp_path_factory.mktemp("finished")
    families = {
        "logistic-regression": {}, "random-forest": {"space": {"n_estimators": 40}},
        "scoring-network": {"space": {"epochs": 2}},
    }  # fmt: skip
    file = sweep_file(
        folder, families=families, budget={"trials": 12}, report=["gini", "ks", "brier"],
        search={"algorithm": "random", "scheduler": "asha"},
    )  # fmt: skip
    shown = distml(folder, "sweep", str(file))
    (folder / "shown.txt").write_text(shown.stdout)
    return folder


def test_it_ends_with_leaderboard_holdout_and_places(finished: Path) -> None:
    shown = (finished / "shown.txt").read_text()
    assert "roc_auc" in shown and "holdout" in shown and "quick" in shown
    found = rows(finished)
    assert len(found) == 12
    assert {row["state"] for row in found} <= {"finished", "stopped"}
    assert {row["family"] for row in found} == {"logistic-regression", "random-forest", "scoring-network"}
    best = [row["score"] for row in found if row["state"] == "finished"]
    assert best == sorted(best, reverse=True)
    assert best[0] > 0.7


def test_the_winner_alone_saw_the_holdout(finished: Path) -> None:
    shown = json.loads(distml(finished, "show", "quick", "--format", "json").stdout)
    assert shown["winner"] == rows(finished)[0]["trial"]
    assert set(shown["holdout"]) == {"roc_auc", "gini", "ks", "brier"}
    assert shown["holdout"]["gini"] == pytest.approx(2 * shown["holdout"]["roc_auc"] - 1)
    assert shown["versions"]["ray"].startswith("2.60")
    journal = (finished / "runs" / "quick" / "journal.jsonl").read_text()
    assert journal.count('"event":"winner"') == 1


def test_the_best_leave_what_a_scorer_is_chosen_by(finished: Path) -> None:
    kept = {path.stem for path in (finished / "runs" / "quick" / "predictions").iterdir()}
    found = [row for row in rows(finished) if row["state"] == "finished"]
    assert found[0]["trial"] in kept and kept <= {row["trial"] for row in found}


def test_without_a_gpu_nothing_is_charged_and_nothing_invented(finished: Path) -> None:
    unknown = ["gpu_seconds", "energy_j", "energy_estimated", "utilisation", "device"]
    assert {row[name] for row in rows(finished) for name in unknown} == {None}
    assert '"event":"cost"' not in (finished / "runs" / "quick" / "journal.jsonl").read_text()


def test_the_same_command_again_trains_nothing(finished: Path) -> None:
    before = scores(finished)
    distml(finished, "sweep", str(finished / "sweep.yaml"))
    assert scores(finished) == before


@pytest.mark.parametrize("family", ["logistic-regression", "random-forest", "scoring-network"])
def test_a_trial_can_be_trained_again_to_the_same_score(finished: Path, family: str) -> None:
    trial = next(row["trial"] for row in rows(finished) if row["family"] == family)
    assert "the same" in distml(finished, "rerun", "quick", trial).stdout


def test_trials_as_a_table(finished: Path) -> None:
    trials = package.load("quick", finished / "runs").trials()
    assert len(trials) == 12
    assert trials["score"].notna().all()


def test_a_changed_space_is_refused_with_what_changed(finished: Path) -> None:
    said = distml(finished, "sweep", str(finished / "sweep.yaml"), "--set", "seed=4", expect=2).stderr
    assert "seed: 3 -> 4" in said and "--fork" in said


@pytest.mark.long
def test_grid_and_random_do_not_depend_on_parallelism(tmp_path: Path) -> None:
    both = []
    for cpus in (1, 2):
        folder = tmp_path / str(cpus)
        folder.mkdir()
        families = {**diary_family(), "logistic-regression": None}
        file = sweep_file(folder, families=families, resources={"cpu": cpus, "gpu": "none"}, budget={"trials": 10})
        distml(folder, "sweep", str(file))
        both.append(scores(folder))
    assert both[0] == both[1]


def test_a_grid_of_forests_is_judged_side_by_side_and_the_poor_are_not_grown(tmp_path: Path) -> None:
    space = {"n_estimators": 90, "max_depth": [1, 2, 3, 4, 5, 6], "max_features": 0.2, "min_samples_leaf": 1}
    forests = {"random-forest": {"space": {**space, "class_weight": [None]}}}
    search = {"algorithm": "grid", "scheduler": "asha"}
    distml(tmp_path, "sweep", str(sweep_file(tmp_path, families=forests, search=search)))
    found = rows(tmp_path)
    assert sorted(row["params"]["max_depth"] for row in found) == [1, 2, 3, 4, 5, 6]
    assert 1 <= sum(row["state"] == "finished" for row in found) <= 4
    assert sum(row["state"] == "stopped" for row in found) >= 2


def test_a_larger_budget_extends_a_finished_sweep(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, families=diary_family(), budget={"trials": 4})
    distml(tmp_path, "sweep", str(file))
    first = scores(tmp_path)
    (tmp_path / "runs" / "quick" / "predictions" / "t0005.npz").mkdir()
    shown = distml(tmp_path, "sweep", str(file), "--set", "budget.trials=7").stdout
    assert shown.count("validation predictions could not be written (IsADirectoryError") == 1
    more = scores(tmp_path)
    assert len(more) == 7
    assert {trial: more[trial] for trial in first} == first
    distml(tmp_path, "sweep", str(file), "--set", "budget.trials=7", "--set", "seed=5", "--fork", "child")
    assert set(scores(tmp_path, "child")) == set(more)
    assert "forked from   quick" in distml(tmp_path, "show", "child").stdout


def test_what_fails_is_said_and_stops_its_family_alone(tmp_path: Path) -> None:
    families = {"broken": diary_family(mood="broken")["diary"], **diary_family()}
    file = sweep_file(tmp_path, families=families, budget={"trials": 24})
    distml(tmp_path, "sweep", str(file))
    found = rows(tmp_path)
    failed = [row for row in found if row["state"] == "failed"]
    assert 3 <= len(failed) <= 5
    failure = failed[0]["failure"]
    assert (failure["class"], failure["error"], failure["node"]) == ("code", "KeyError: 'no such thing'", "127.0.0.1")
    assert "Traceback" in Path(failure["log"]).read_text()
    assert sum(row["state"] == "finished" for row in found) == 12
    assert "KeyError" in distml(tmp_path, "show", "quick", failed[0]["trial"]).stdout


def test_a_trial_that_kills_its_process_is_given_up_in_the_end(tmp_path: Path) -> None:
    families = {
        "deadly": {"class": "tests.running.models:Diary", "space": {"strength": 0.5, "mood": "deadly"}},
        **diary_family(),
    }  # fmt: skip
    file = sweep_file(tmp_path, families=families, budget={"trials": 6})
    distml(tmp_path, "sweep", str(file))
    states = {row["family"]: row["state"] for row in rows(tmp_path)}
    assert states == {"deadly": "failed", "diary": "finished"}
    failure = next(row["failure"] for row in rows(tmp_path) if row["state"] == "failed")
    assert failure["class"] == "node" and "ActorDiedError" in failure["error"]


def test_when_nothing_comes_of_it_the_exit_status_says_so(tmp_path: Path) -> None:
    families = diary_family(mood="broken")
    file = sweep_file(tmp_path, families=families, budget={"trials": 5})
    assert "KeyError" in distml(tmp_path, "sweep", str(file), expect=1).stderr
