"""A ranking through the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.running.command import distml, rows, sweep_file
from tests.running.test_export import predict


@pytest.mark.long
def test_documents_from_the_table_to_their_scores(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"query": np.repeat(np.arange(30), 12), **{f"f{i}": random.normal(size=360) for i in range(3)}}
    )
    frame["grade"] = np.clip(np.floor(frame["f0"] - frame["f2"] + 1), 0, 4).astype(int)
    source = tmp_path / "documents.csv"
    frame.to_csv(source, index=False)
    space = {"loss": ["lambdarank", "listnet"], "hidden": [[8]], "lr": 0.01, "epochs": 6, "batch_size": 48}
    file = sweep_file(
        tmp_path, task="ranking", data={"source": str(source), "target": "grade", "group": "query"},
        families={"scoring-network": {"space": space}, "xgboost": {"space": {"n_estimators": 10, "max_depth": 3}}},
        report=["map"], export=True,
    )  # fmt: skip
    shown = distml(tmp_path, "sweep", str(file)).stdout
    assert "ndcg@10, 3 folds" in shown and "trains as one network: backward pass written out" in shown
    found = rows(tmp_path)
    assert [row["state"] for row in found] == ["finished"] * 6
    assert found[0]["score"] > 0.85 and found[0]["family"] == "scoring-network"
    told = json.loads(distml(tmp_path, "show", "quick", "--format", "json").stdout)
    assert set(told["holdout"]) == set(told["scorer"]) == {"ndcg@10", "map"}
    scored = predict(tmp_path, str(source), "--keep", "query").splitlines()
    assert scored[0] == "query,score,problem" and len(scored) == 361
