"""What a trial makes of each row, from a journal that is there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from distml.errors import DistmlError
from distml.report.loaded import load
from distml.sweep.journal import Journal
from distml.sweep.preflight import preflight
from distml.sweep.spec import SweepSpec

X, TRUTH = make_blobs(90, n_features=3, centers=3, cluster_std=0.5, random_state=1)


def sweep(folder: Path, params: dict[str, object], **changes: object) -> None:
    """A journal with one trial of one family, which has been asked for and no more."""
    pd.DataFrame(X, columns=["a", "b", "c"]).to_csv(folder / "table.csv", index=False)
    defaults = {"data": {"source": folder / "table.csv"}, "split": {"folds": 2}}
    spec = SweepSpec(**{"name": "small", **defaults, **changes})
    checked = preflight(spec)
    family = next(iter(checked.families))
    events = [
        {"event": "opened", "at": 1.0, "spec": checked.resolved, "data_sha256": checked.dataset.sha256, "quotas": {}},
        {"event": "asked", "trial": "t0001", "number": 1, "family": family, "params": params, "seed": 5},
    ]
    run = folder / "runs" / "small"
    run.mkdir(parents=True)
    with Journal(run / "journal.jsonl") as journal:
        journal.append(*events)


def test_clusters_of_all_rows(tmp_path: Path) -> None:
    sweep(tmp_path, {"n_clusters": 3}, task="clustering", families=["k-means"])
    rows = load("small", tmp_path / "runs").rows("t0001")
    assert list(rows) == ["a", "b", "c", "cluster"]
    np.testing.assert_allclose(rows[["a", "b", "c"]], X)
    assert adjusted_rand_score(TRUTH, rows["cluster"]) == 1.0


def test_coordinates_of_all_rows(tmp_path: Path) -> None:
    sweep(tmp_path, {"n_components": 2}, task="projection", families=["pca"])
    rows = load("small", tmp_path / "runs").rows("t0001")
    assert list(rows) == ["a", "b", "c", "x1", "x2"]
    assert rows["x1"].var() > rows["x2"].var()


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    sweep(tmp_path, {"n_clusters": 91}, task="clustering", families=["k-means"])
    found = load("small", tmp_path / "runs")
    with pytest.raises(DistmlError, match="t0001 cannot be fitted on all rows: ValueError: n_samples=90"):
        found.rows("t0001")
    with pytest.raises(DistmlError, match="no trial with a score yet"):
        found.rows()


def test_a_prediction_has_no_clusters(tmp_path: Path) -> None:
    sweep(
        tmp_path, {"max_depth": 3}, data={"source": tmp_path / "table.csv", "target": "c"}, families=["decision-tree"]
    )
    with pytest.raises(DistmlError, match="small predicts 'c'"):
        load("small", tmp_path / "runs").rows("t0001")
