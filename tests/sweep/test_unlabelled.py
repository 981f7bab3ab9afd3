"""Families that learn from rows without a target, from the sweep file to the scorer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons

from distml.data.task import FoldArrays, Outline
from distml.errors import MistakesError
from distml.models.few_labels import LABEL_SPREADING
from distml.models.linear import LOGISTIC_REGRESSION
from distml.models.metrics import Evaluator
from distml.models.probabilities import predicted
from distml.scorer.opening import open_scorer
from distml.sweep.export import export_scorer
from distml.training.cohort import Assignment, Member
from distml.training.estimators import EstimatorCohort, learnt_from, refit
from tests.sweep.trained import GERMAN, checked_german, write_trained


def few(folder: Path, every: int = 3) -> Path:
    """The German table with each `every`th label known."""
    table = pd.read_csv(GERMAN)
    table["creditability"] = table["creditability"].where(np.arange(len(table)) % every == 0)
    path = folder / "few.csv"
    table.to_csv(path, index=False)
    return path


def moons() -> FoldArrays:
    """400 rows in two crescents, of which 3 of each have a label; 200 more to score on."""
    x, y = make_moons(600, noise=0.06, random_state=0)
    x = x.astype(np.float32)
    known = np.concatenate([np.flatnonzero(y[:400] == side)[:3] for side in (0, 1)])
    hidden, held = np.setdiff1d(np.arange(400), known), np.arange(400, 600)
    return FoldArrays(x[known], y[known], x[held], y[held], known, held, (), x[hidden])


def test_labels_spread_along_crescents_that_a_line_does_not_part() -> None:
    arrays, outline = moons(), Outline("classification", 2, (), 2)
    scores = {}
    for family in (LABEL_SPREADING, LOGISTIC_REGRESSION):
        cohort = EstimatorCohort(Assignment(family, outline, [arrays], Evaluator("accuracy", [], "classification", 2)))
        params = {"n_neighbors": 15, "alpha": 0.9} if family.unlabelled else {}
        cohort.admit([Member("t0001", params, 0, (1,))])
        [result] = cohort.advance()
        assert result.state == "finished", result.failure
        scores[family.name] = result.scores["accuracy"]
    assert scores["label-spreading"] > 0.97 > 0.9 > scores["logistic-regression"]


def test_only_a_family_that_makes_use_of_them_is_given_them() -> None:
    arrays = moons()
    x, y = learnt_from(LABEL_SPREADING, arrays)
    assert x.shape == (400, 2) and y.tolist()[:6] == arrays.y_train.tolist() and set(y[6:]) == {-1}
    assert learnt_from(LOGISTIC_REGRESSION, arrays)[0] is arrays.x_train


def test_rows_that_no_label_reaches_have_the_classes_shares() -> None:
    """Two far groups, labels in the one: scikit-learn's own probabilities in the other are 0 / 0."""
    near, far = np.zeros((30, 1)) + np.arange(30)[:, None] / 100, np.full((30, 1), 1e3) + np.arange(30)[:, None] / 100
    y = np.full(60, -1)
    y[:3] = [0, 0, 1]
    model = LABEL_SPREADING.build({"n_neighbors": 3}, Outline("classification", 1), 0)
    model.fit(np.concatenate([near, far]), y)
    np.testing.assert_allclose(model.predict_proba(far), np.tile([2 / 3, 1 / 3], (30, 1)))
    assert np.isfinite(model.predict_proba(near)).all()


def test_a_family_that_needs_them_says_so_before_anything_trains() -> None:
    with pytest.raises(
        MistakesError, match=r"self-training also learns from rows without a target; say data\.unlabelled"
    ):
        checked_german(families=["logistic-regression", "self-training"])


def test_a_scorer_of_each(tmp_path: Path) -> None:
    trials = [
        ("self-training", {"C": 0.1, "threshold": 0.8, "preprocessing.missing": "none"}),
        ("label-spreading", {"n_neighbors": 20, "alpha": 0.3, "preprocessing.missing": "none"}),
        ("logistic-regression", {"C": 0.1, "preprocessing.missing": "none"}),
    ]
    source = few(tmp_path)
    checked = checked_german("few", [name for name, _ in trials], source=source, unlabelled=True)
    folder = write_trained(tmp_path / "runs", checked, trials)
    for number, (name, _) in enumerate(trials, start=1):
        made = export_scorer(folder, tmp_path / name, f"t{number:04}", checked=checked)
        assert ("holds the training rows" in " ".join(made.notes)) == (name == "label-spreading")
        assert made.holdout["roc_auc"] > 0.6
        said = open_scorer(made.folder).score(pd.read_csv(source))["probability"].astype(float)
        assert said.between(0, 1).all() and said.nunique() > 100


def test_what_is_deployed_learns_from_them_too() -> None:
    whole = moons()
    outline = Outline("classification", 2, (), 2)
    assignment = Assignment(LABEL_SPREADING, outline, (), Evaluator("accuracy", [], "classification", 2), whole)
    model = refit(assignment, Member("t0001", {"n_neighbors": 15, "alpha": 0.9}, 0, (1,)))
    assert np.mean(predicted(model, whole.x_valid, outline).argmax(axis=1) == whole.y_valid) > 0.97
