"""A scorer made of a sweep's folder, and what it says of itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distml.data.task import Outline
from distml.errors import DistmlError
from distml.report import detail, exported
from distml.report.loaded import load
from distml.scorer.calibration import calibrated
from distml.scorer.opening import open_scorer
from distml.sweep.export import Exported, export_scorer
from distml.sweep.runs import RunFolder, predictions_file
from tests.sweep.trained import GERMAN, TRIALS, checked_german, write_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return write_trained(tmp_path_factory.mktemp("runs"), checked_german(), TRIALS)


@pytest.fixture(scope="module")
def made(folder: RunFolder) -> Exported:
    return export_scorer(folder)


def test_members_stand_with_their_shares_and_files(made: Exported) -> None:
    manifest = open_scorer(made.folder).manifest
    assert sum(member.weight for member in manifest.members) == pytest.approx(1)
    assert {member.trial: member.weight for member in manifest.members} == made.weights
    assert set(manifest.sha256) == {path.name for path in made.folder.iterdir()} - {"scorer.json"}
    assert manifest.data.source == "credit_german.csv.gz" and manifest.data.train_rows == 800
    assert str(GERMAN.parent) not in (made.folder / "scorer.json").read_text()


def test_out_of_fold_it_is_no_worse_than_its_best_member(made: Exported) -> None:
    assert made.alone is not None and made.scores["roc_auc"] >= made.alone - 0.002  # calibration may tie a few rows


def test_the_holdout_is_scored_by_the_folder_and_journalled_once(folder: RunFolder, made: Exported) -> None:
    checked = checked_german()
    rows = checked.dataset.holdout
    scored = open_scorer(made.folder).score(pd.read_csv(GERMAN).iloc[rows])
    probability = scored["probability"].astype(float).to_numpy()
    again = checked.evaluator(checked.dataset.y[rows], np.column_stack([1 - probability, probability]))
    assert again["roc_auc"] == pytest.approx(made.holdout["roc_auc"], abs=1e-4)
    found = load(folder.name, folder.root)
    assert detail.sweep_json(found)["scorer"] == made.holdout
    assert (found.record.scored, found.record.scorer_is_current) == (1, True)
    export_scorer(folder, checked=checked)
    assert load(folder.name, folder.root).record.scored == 1


def test_the_evaluation_holds_every_row_that_it_was_judged_on(folder: RunFolder, made: Exported) -> None:
    found = pd.read_parquet(folder.evaluation)
    dataset = checked_german().dataset
    assert list(found.columns) == ["row", "part", "y", "raw", "calibrated"]
    held = found[found["part"] == "holdout"]
    assert list(held["row"]) == list(dataset.holdout)
    assert (found["y"].to_numpy() == dataset.y[found["row"]]).all()
    assert set(found["row"][found["part"] == "out-of-fold"]) <= set(dataset.train)
    assert (found["part"] == "out-of-fold").sum() > 700
    np.testing.assert_array_equal(found["calibrated"], calibrated(made.calibration, found["raw"].to_numpy()))


def test_what_is_said_names_members_holdout_and_the_next_step(made: Exported) -> None:
    from io import StringIO

    from rich.console import Console

    paper = Console(file=StringIO(), width=200)
    paper.print(*exported.lines(made))
    said = paper.file.getvalue()  # type: ignore[attr-defined]
    for word in (*made.weights, "holdout, 200 rows", "calibration", "threshold", "next: distml predict"):
        assert word in said


@pytest.mark.parametrize("place", range(len(TRIALS)))
def test_each_family_alone_scores_as_it_did_in_training(folder: RunFolder, place: int, tmp_path: Path) -> None:
    """Opened from its files: nothing but weights, numbers and names is stored."""
    trial = f"t{place + 1:04}"
    one = export_scorer(folder, tmp_path / "one", trial)
    assert dict(one.weights) == {trial: 1.0}
    assert 0.7 < one.holdout["roc_auc"] < 0.9


def test_single_is_the_best_trial(folder: RunFolder, tmp_path: Path) -> None:
    best = load(folder.name, folder.root).best
    assert best is not None
    assert set(export_scorer(folder, tmp_path / "one", single=True).weights) == {best.trial}


def test_without_kept_predictions_the_best_stands_alone_and_says_so(tmp_path: Path) -> None:
    folder = write_trained(tmp_path, checked_german(), TRIALS[:2], keep=False)
    made = export_scorer(folder, background=False)
    assert len(made.weights) == 1 and made.calibration.method == "none" and made.scores == {}
    assert "kept no validation predictions" in made.notes[0]
    assert not (made.folder / "background.parquet").exists()
    assert set(pd.read_parquet(folder.evaluation)["part"]) == {"holdout"}


def test_damaged_predictions_cost_a_candidate_not_the_scorer(tmp_path: Path) -> None:
    folder = write_trained(tmp_path, checked_german(), TRIALS[:2])
    predictions_file(folder.predictions, "t0001").write_bytes(b"PK\x03\x04 cut")
    assert set(export_scorer(folder).weights) == {"t0002"}


@pytest.mark.long  # the converters take seconds to import
def test_onnx_where_it_converts_and_the_reason_where_it_does_not(folder: RunFolder, tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    for place, (family, _) in enumerate(TRIALS, start=1):
        made = export_scorer(folder, tmp_path / family, f"t{place:04}", onnx=True)
        [member] = open_scorer(made.folder).manifest.members
        if family in ("hist-gradient-boosting", "xgboost"):
            assert member.onnx is None and f"no ONNX of t{place:04} ({family}): does not convert" in made.notes[-1]
        else:
            assert (made.folder / str(member.onnx)).is_file()


def test_onnx_that_says_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distml.scorer import onnx

    def write(model: Any, outline: Any, x: np.ndarray, path: Path) -> np.ndarray:
        path.touch()
        return np.zeros((len(x), 2))

    monkeypatch.setattr(onnx, "_estimator", write)
    monkeypatch.setattr(onnx, "_run", lambda path, x: np.full((len(x), 2), 0.001))
    path, outline = tmp_path / "t0001.onnx", Outline("classification", 2)
    assert (
        onnx.write_onnx(None, "estimator", outline, np.zeros((3, 2)), path) == "differs by up to 0.001 from the model"
    )
    assert not path.exists()


def test_a_table_that_has_changed_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "german.csv"
    pd.read_csv(GERMAN).to_csv(table, index=False)
    checked = checked_german(source=table)
    folder = write_trained(tmp_path, checked, TRIALS[:1])
    table.write_text(table.read_text().replace("good", "bad", 1))
    with pytest.raises(DistmlError, match="has changed since german was trained on it"):
        export_scorer(folder)
    assert not (folder.path / "scorer").exists()


def test_a_sweep_without_any_score_has_nothing_to_export(tmp_path: Path) -> None:
    folder = write_trained(tmp_path, checked_german(), [])
    with pytest.raises(DistmlError, match="nothing to export"):
        export_scorer(folder)


def test_a_misspelt_trial_is_named(folder: RunFolder) -> None:
    with pytest.raises(DistmlError, match=r"no trial 't001'.*t0001"):
        export_scorer(folder, trial="t001")


def test_another_folder_is_not_overwritten(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DistmlError, match="holds something that is no scorer"):
        export_scorer(folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_more_classes_and_values(tmp_path: Path) -> None:
    """Three classes, and a regression: no points, no threshold, a calibration that suits."""
    table = tmp_path / "table.csv"
    german = pd.read_csv(GERMAN)
    german["class"] = pd.cut(german["duration_in_month"], [0, 12, 24, 100], labels=["short", "medium", "long"])
    german.drop(columns="duration_in_month").to_csv(table, index=False)
    trials = [TRIALS[0], TRIALS[1]]
    checked = checked_german("classes", ["logistic-regression", "random-forest"], source=table, target="class",
                             positive=None)  # fmt: skip
    made = export_scorer(write_trained(tmp_path / "runs", checked, trials))
    scored = open_scorer(made.folder).score(pd.read_csv(table))
    names = ["probability_long", "probability_medium", "probability_short"]
    assert list(scored.columns) == [*names, "decision", "problem"]
    assert made.calibration.method in ("temperature", "none") and made.threshold is None
    np.testing.assert_allclose(scored[names].astype(float).sum(axis=1), 1, atol=2e-6)

    checked = checked_german("amounts", ["random-forest"], ("r2",), target="credit_amount", positive=None)
    made = export_scorer(write_trained(tmp_path / "runs", checked, [TRIALS[1]]))
    scored = open_scorer(made.folder).score(pd.read_csv(GERMAN))
    assert list(scored.columns) == ["prediction", "problem"]
    assert made.calibration.reason == "values need no calibration"
    assert list(pd.read_parquet(tmp_path / "runs/amounts/evaluation.parquet").columns)[3:] == ["raw", "calibrated"]
    assert json.loads((made.folder / "scorer.json").read_text())["classes"] == []


@pytest.mark.long  # Lightning takes seconds to import
def test_a_users_own_classes_open_for_those_who_trust_them(tmp_path: Path) -> None:
    families = {
        "net": {"class": "tests.running.networks:Plain", "space": {"lr": 0.01, "epochs": 3, "batch_size": 64}},
        "diary": {"class": "tests.running.models:Diary", "space": {"strength": {"low": 0.8, "high": 1.0}}},
    }
    own = [("net", {"lr": 0.01, "epochs": 3, "batch_size": 64}), ("diary", {"strength": 0.9})]
    folder = write_trained(tmp_path, checked_german("own", families), own)
    table = pd.read_csv(GERMAN)
    for trial, module in (("t0001", "networks"), ("t0002", "models")):
        made = export_scorer(folder, trial=trial)
        with pytest.raises(DistmlError, match=rf"--trust tests\.running\.{module}"):
            open_scorer(made.folder)
        scored = open_scorer(made.folder, [f"tests.running.{module}"]).score(table)
        assert scored["probability"].astype(float).between(0, 1).all()
