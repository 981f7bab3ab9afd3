"""From a sweep to scored applications, as a user does it; and on a machine that has neither Ray nor Lightning."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.running.bare import bare_distml, bare_environment
from tests.running.command import GERMAN, ROOT, distml, sweep_file


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of four families and the scorer that it left."""
    folder = tmp_path_factory.mktemp("exported")
    families = {
        "logistic-regression": {}, "random-forest": {"space": {"n_estimators": 40}}, "hist-gradient-boosting": {},
        "scoring-network": {"space": {"epochs": 3}},
    }  # fmt: skip
    search = {"algorithm": "random", "scheduler": "asha"}
    file = sweep_file(folder, families=families, budget={"trials": 16}, report=["ks"], search=search, export=True)
    (folder / "shown.txt").write_text(distml(folder, "sweep", str(file)).stdout)
    return folder


def predict(folder: Path, *arguments: str) -> str:
    """What `distml predict` prints of this folder's scorer."""
    program = Path(sys.executable).with_name("distml")
    command = [program, "predict", folder / "runs" / "quick" / "scorer", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_a_sweep_ends_with_its_scorer_and_does_not_make_it_twice(finished: Path) -> None:
    said = (finished / "shown.txt").read_text()
    assert "out of fold" in said and "next: distml predict" in said
    shown = json.loads(distml(finished, "show", "quick", "--format", "json").stdout)
    assert set(shown["scorer"]) == {"roc_auc", "ks"} and shown["scorer"]["roc_auc"] > 0.7
    again = distml(finished, "sweep", str(finished / "sweep.yaml")).stdout
    assert "out of fold" not in again and "scorer on the same rows" in again
    journal = (finished / "runs" / "quick" / "journal.jsonl").read_text()
    assert journal.count('"event":"scorer"') == 1


@pytest.mark.long
def test_the_same_bytes_without_ray_and_lightning(finished: Path, tmp_path: Path) -> None:
    here = predict(finished, str(GERMAN))
    assert len(pd.read_csv(io.StringIO(here))) == 1000
    scorer = str(finished / "runs" / "quick" / "scorer")
    there = bare_distml(bare_environment(tmp_path / "packages"), "predict", scorer, str(GERMAN))
    assert there.returncode == 0, there.stderr.decode()
    assert there.stdout == here.encode()


@pytest.mark.long
def test_one_trial_another_folder_and_reasons(finished: Path, tmp_path: Path) -> None:
    said = distml(finished, "export", "quick", "--single", "--output", str(tmp_path / "one")).stdout
    assert str(tmp_path / "one") in said
    assert len(json.loads((tmp_path / "one" / "scorer.json").read_text())["members"]) == 1
    (tmp_path / "two.csv").write_text("\n".join(pd.read_csv(GERMAN)[:2].to_csv(index=False).splitlines()))
    lines = predict(finished, str(tmp_path / "two.csv"), "--reasons", "2").splitlines()
    assert lines[0].endswith("problem,reason_1,reason_2") and len(lines) == 3
