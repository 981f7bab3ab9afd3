"""experiments/shirt_sizes, small."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.tables import EXPERIMENTS, table
from tests.running.command import ROOT, distml, rows

FOLDER = EXPERIMENTS / "shirt_sizes"


@pytest.mark.long
def test_people_fall_into_two_sizes_sooner_than_into_three(tmp_path: Path) -> None:
    source = table("shirt_sizes", "heights_weights.csv.gz")
    small = [f"data.source={source}", "split.folds=3", "split.validation=0.9"]
    settings = [part for setting in small for part in ("--set", setting)]
    distml(tmp_path, "sweep", str(FOLDER / "sweep.yaml"), *settings)
    found = rows(tmp_path, "shirt-sizes")
    assert len(found) == 25 and all(row["state"] == "finished" for row in found)
    sizes = {row["params"]["n_clusters"]: row["score"] for row in found if row["family"] == "k-means"}
    assert max(sizes, key=sizes.__getitem__) == 2
    picture = tmp_path / "picture.png"
    subprocess.run(
        [sys.executable, FOLDER / "plot.py", "--runs", tmp_path / "runs", "--output", picture],
        check=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
