"""Clustering and projection through the command line."""

import json
from pathlib import Path

import pandas as pd
from sklearn.datasets import make_blobs

from tests.running.command import distml, rows, sweep_file


def test_a_clustering_from_the_table_to_its_rows(tmp_path: Path) -> None:
    x, truth = make_blobs(150, centers=[[0, 0], [10, 0], [0, 10]], cluster_std=0.8, random_state=6)
    pd.DataFrame({"height": x[:, 0], "weight": x[:, 1], "truth": truth}).to_csv(tmp_path / "people.csv", index=False)
    birch = {"class": "sklearn.cluster:Birch", "space": {"n_clusters": 5, "threshold": 0.05}}
    file = sweep_file(
        tmp_path, task="clustering", data={"source": str(tmp_path / "people.csv"), "drop": ["truth"]},
        families={"k-means": {"space": {"n_clusters": [2, 3, 4]}}, "birch": birch},
        search={"algorithm": "grid", "scheduler": "none"}, report=["davies_bouldin", "stability"],
    )  # fmt: skip
    shown = distml(tmp_path, "sweep", str(file)).stdout
    assert "150 rows x 2 columns" in shown and "silhouette, 3 resamples" in shown
    assert "no holdout, as there is no target" in shown
    best = rows(tmp_path)[0]
    assert (best["family"], best["params"]["n_clusters"], best["state"]) == ("k-means", 3, "finished")
    told = json.loads(distml(tmp_path, "show", "quick", "--format", "json").stdout)
    assert (told["winner"], told["holdout"]) == (best["trial"], None)
    assert "the same" in distml(tmp_path, "rerun", "quick", best["trial"]).stdout
    listed = distml(tmp_path, "rows", "quick").stdout.splitlines()
    assert listed[0] == "row,height,weight,cluster" and len(listed) == 151
    distml(tmp_path, "sweep", str(file))  # a finished one trains nothing
    assert json.loads(distml(tmp_path, "show", "quick", "--format", "json").stdout)["winner"] == best["trial"]
