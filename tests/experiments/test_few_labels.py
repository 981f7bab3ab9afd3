"""experiments/few_labels: what is drawn, hidden and asked for; and all of it small."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from distml.data.task import FoldArrays, Outline
from tests.experiments.tables import EXPERIMENTS
from tests.experiments.test_comparing import script
from tests.running.command import ROOT, distml, rows

FOLDER = EXPERIMENTS / "few_labels"


@pytest.fixture(scope="module")
def curves() -> ModuleType:
    return script("few_labels/curves")


def test_first_labels_keep_the_classes_shares_and_follow_from_the_seed(curves: ModuleType) -> None:
    y = np.repeat([0, 1], [700, 300])
    known = curves.first_labels(y, 0.01, 4)
    assert known.sum() == 10 and y[known].sum() == 3
    np.testing.assert_array_equal(known, curves.first_labels(y, 0.01, 4))
    assert (known != curves.first_labels(y, 0.01, 5)).any()


def test_rows_in_doubt_come_first(curves: ModuleType) -> None:
    assert curves.most_uncertain(np.array([0.9, 0.45, 0.1, 0.5, 0.7]), 3).tolist() == [3, 1, 4]


def test_labels_are_asked_for_where_the_border_is(curves: ModuleType) -> None:
    """On a line with the border at 0: what is asked for lies nearer to it than the rows do on the whole."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1000, 1)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    whole = FoldArrays(x, y, x[:0], y[:0], np.arange(1000), np.arange(0))
    budgets = [10, 20, 100]
    known = list(curves.asked("logistic regression", whole, Outline("classification", 1), budgets, seed=0))
    assert [int(one.sum()) for one in known] == budgets
    assert not (known[0] & ~known[1]).any() and not (known[1] & ~known[2]).any()
    asked = known[2] & ~known[0]
    assert np.abs(x[asked]).mean() < 0.4 * np.abs(x).mean()


def test_a_difference_to_the_twin_is_found_seed_by_seed(curves: ModuleType) -> None:
    random = np.random.default_rng(0)
    of_seed = random.normal(scale=0.1, size=20)  # much wider than the difference
    found = pd.DataFrame(
        {"seed": seed, "share": 0.05, "method": method, "holdout": 0.7 + of_seed[seed] + better + random.normal() / 1e3}
        for seed in range(20)
        for method, better in (("logistic regression", 0.0), ("self-training", 0.02))
    )
    lines = curves.beside_twins(found).set_index("method")
    assert lines.loc["self-training", "apart"] == pytest.approx(0.02, abs=0.002)
    low, apart, high = lines.loc["self-training", ["low", "apart", "high"]]
    assert 0.018 < low < apart < high < 0.022
    assert np.isnan(lines.loc["logistic regression", "apart"])
    assert "+0.020" in next(line for line in curves.told(curves.beside_twins(found)) if "self-training" in line)


def test_the_shipped_table_is_the_one_that_hide_makes() -> None:
    hide = script("few_labels/hide")
    table = pd.read_csv(FOLDER / "few_labels.csv.gz").astype({"target": "Int64"})
    pd.testing.assert_frame_equal(table, hide.hidden(pd.read_csv(hide.TABLE, nrows=6_000), 0.1, 0))
    assert table["target"].notna().sum() == 600


@pytest.mark.long
def test_learning_curves_and_their_picture(tmp_path: Path) -> None:
    given = [
        sys.executable,
        FOLDER / "curves.py",
        "german",
        "--seeds",
        "2",
        "--output",
        tmp_path / "curves_german.csv.gz",
    ]
    said = subprocess.run(given, check=True, capture_output=True, text=True, cwd=ROOT, timeout=120).stdout
    assert "label spreading" in said and "beside nearest neighbours" in said
    found = pd.read_csv(tmp_path / "curves_german.csv.gz")
    assert found["holdout"].between(0.3, 0.95).all()
    assert found[found["share"] == 1]["holdout"].mean() > found[found["share"] == 0.01]["holdout"].mean() + 0.05
    picture = tmp_path / "picture.png"
    given = [sys.executable, FOLDER / "plot.py", "--curves", tmp_path, "--output", picture]
    subprocess.run(given, check=True, cwd=ROOT, timeout=120)
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_a_sweep_learns_from_rows_without_a_target(tmp_path: Path) -> None:
    families = {
        "logistic-regression": {"space": {"C": 0.1, "class_weight": [None]}, "trials": 1},
        "self-training": {"space": {"C": 0.1, "class_weight": [None], "threshold": 0.9}, "trials": 1},
        "label-spreading": {"space": {"n_neighbors": 20, "alpha": 0.2}, "trials": 1},
    }
    small = [f"families={json.dumps(families)}", "split.folds=2", "budget.trials=3"]
    distml(tmp_path, "sweep", str(FOLDER / "sweep.yaml"), *[word for one in small for word in ("--set", one)])
    found = {row["family"]: row["score"] for row in rows(tmp_path, "few-labels")}
    assert set(found) == set(families) and min(found.values()) > 0.5
    assert found["self-training"] != found["logistic-regression"]
    assert (tmp_path / "runs" / "few-labels" / "scorer" / "scorer.json").is_file()
