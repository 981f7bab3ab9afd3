"""experiments/projection, small: neighbourhoods are what t-SNE keeps and PCA does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.tables import EXPERIMENTS, table
from tests.running.command import ROOT, distml, rows

FOLDER = EXPERIMENTS / "projection"
SMALL = ["split.folds=2", "budget.trials=3", "families.t-sne.trials=2", "families.t-sne.space.max_iter=300"]


def swept(folder: Path, name: str, *changes: str) -> dict[str, float]:
    """Run one of the sweeps small; family -> its best score."""
    settings = [part for setting in (*SMALL, *changes) for part in ("--set", setting)]
    distml(folder, "sweep", str(FOLDER / f"{name}.yaml"), *settings)
    found = rows(folder, f"projection-{name}")
    assert len(found) == 3 and all(row["state"] == "finished" for row in found)
    return {row["family"]: row["score"] for row in reversed(found)}


@pytest.mark.long
def test_applicants_for_loans_and_their_picture(tmp_path: Path) -> None:
    best = swept(tmp_path, "loans", "split.validation=0.8")
    assert best["t-sne"] > best["pca"] > 0.6
    picture = tmp_path / "picture.png"
    more = ["--runs", tmp_path / "runs", "--output", picture]
    subprocess.run(
        [sys.executable, FOLDER / "plot.py", "projection-loans", "creditability", *more],
        check=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "file", "left_out"),
    [("body", "body_measurements.csv.gz", 0.4), ("documents", "mslr_web_sample.csv.gz", 0.95)],
)
def test_tables_that_are_not_shipped(tmp_path: Path, name: str, file: str, left_out: float) -> None:
    source = table("projection", file)
    best = swept(tmp_path, name, f"data.source={source}", f"split.validation={left_out}")
    assert best["t-sne"] > best["pca"] > 0.7
