"""experiments/search_ranking, small."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.tables import EXPERIMENTS, table
from tests.running.command import ROOT

FOLDER = EXPERIMENTS / "search_ranking"


@pytest.mark.long
def test_what_is_learnt_ranks_better_than_chance(tmp_path: Path) -> None:
    source = table("search_ranking", "mslr_web_sample.csv.gz")
    families = {
        "scoring-network": {
            "space": {"loss": ["lambdarank", "listnet"], "hidden": [[64, 64]], "epochs": 9},
            "trials": 6,
        },
        "xgboost": {"space": {"n_estimators": 30, "min_child_weight": 0.1, "objective": "rank:ndcg"}, "trials": 1},
        "hist-gradient-boosting": {"space": {"max_iter": 30}, "trials": 1},
    }
    small = [f"data.source={source}", "split.folds=2", "budget.trials=8", f"families={json.dumps(families)}"]
    settings = [word for setting in small for word in ("--set", setting)]
    said = subprocess.run(
        [sys.executable, FOLDER / "arms.py", "--seeds", "1", "--runs", tmp_path, *settings],
        check=True, capture_output=True, text=True, cwd=ROOT, timeout=300,
    ).stdout  # fmt: skip
    arms = {arm.strip(): float(best) for arm, best in re.findall(r"^(\S.*?) +\d+   (0\.\d+) ±", said, re.MULTILINE)}
    assert {"xgboost rank:ndcg", "hist-gradient-boosting"} <= set(arms)
    assert any(arm.startswith("scoring-network l") for arm in arms)
    assert min(arms.values()) > 0.25  # in random order 0.18
