"""experiments/bayes_net, small."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from tests.experiments.tables import EXPERIMENTS
from tests.experiments.test_comparing import script
from tests.running.command import ROOT


def test_the_best_trial_of_each_kind_and_seed_is_taken() -> None:
    trials = pd.DataFrame(
        [
            (0, "bayes-net", True, 0.70, 0.1),
            (0, "bayes-net", True, 0.72, 0.2),
            (0, "bayes-net", False, 0.71, 0.3),
            (0, "naive-bayes", None, 0.69, 0.4),
            (1, "bayes-net", True, 0.60, 0.5),
            (1, "bayes-net", False, 0.65, 0.6),
            (1, "naive-bayes", None, 0.66, 0.7),
        ],
        columns=["seed_of_sweep", "family", "params.tree", "score", "metrics.brier"],
    )
    compare = script("bayes_net/compare")
    found = compare.best(trials, "brier")
    assert found[compare.TREE].tolist() == [0.2, 0.5]
    assert found[compare.BINS].tolist() == [0.3, 0.6]
    assert found["naive-bayes"].tolist() == [0.4, 0.7]


@pytest.mark.long
@pytest.mark.skipif(find_spec("pyagrum") is None, reason="pyAgrum is not installed: pip install 'distml[bayes-net]'")
def test_a_network_beside_naive_bayes(tmp_path: Path) -> None:
    compare = [sys.executable, str(EXPERIMENTS / "bayes_net" / "compare.py"), "--seeds", "1", "--runs", str(tmp_path)]
    few = ["families.bayes-net.trials=8", "families.logistic-regression.trials=2", "families.naive-bayes.trials=2"]
    small = [word for one in (*few, "budget.trials=12", "split.folds=2") for word in ("--set", one)]
    done = subprocess.run([*compare, *small], check=True, capture_output=True, text=True, cwd=ROOT, timeout=120)
    for kind in ("bayes-net, tree", "bayes-net, no tree", "logistic-regression", "naive-bayes"):
        area, brier, _ = map(float, re.findall(rf"^{kind} +(\d\.\d+) ±", done.stdout, re.MULTILINE))
        assert 0.65 < area < 0.85 and 0.1 < brier < 0.4
