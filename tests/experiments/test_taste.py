"""experiments/taste: each step shows what it says, and landmarks part the rings."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from distml.data.variant import Variant
from tests.experiments.tables import EXPERIMENTS
from tests.running.command import distml, rows

FOLDER = EXPERIMENTS / "taste"


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("taste_steps", FOLDER / "steps.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_five_foods_have_the_courses_weights(steps: ModuleType) -> None:
    tables = steps.taste_tables()
    weights = tables["mean 0, variance 1"]["weight"].head(5)
    assert weights.tolist() == pytest.approx([0.23, -0.85, 0.14, 0.38, -0.48], abs=1e-6)
    columns = {"red", "green", "blue", "bitter", "sweet", "salty", "sour", "weight", "solid"}
    assert set(tables["everything to numbers: one-hot"]) == columns
    ones = tables["everything to numbers: one-hot"].drop(columns="weight")
    assert set(ones.to_numpy().ravel()) == {0.0, 1.0}
    assert (ones[["red", "green", "blue"]].sum(axis=1) == 1).all()
    assert [table.shape[1] for table in tables.values()] == [4, 9, 9, 2, 12]


def test_a_landmark_is_at_distance_0_from_itself(steps: ModuleType) -> None:
    distances = list(steps.taste_tables().values())[-1].filter(like="landmark")
    assert (distances == 0).sum().tolist() == [1, 1, 1]


def test_landmarks_make_two_rings_linearly_separable(steps: ModuleType) -> None:
    before, _ = steps.ring_accuracy(Variant())
    after, _ = steps.ring_accuracy(Variant(landmarks=steps.LANDMARKS))
    assert before < 0.65  # no better than a guess
    assert after > 0.98


def test_the_pictures_are_drawn(steps: ModuleType, tmp_path: Path) -> None:
    steps.draw_tastes(tmp_path / "tastes.png")
    steps.draw_rings(tmp_path / "rings.png")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


@pytest.mark.long
def test_a_sweep_finds_landmarks_by_itself(tmp_path: Path) -> None:
    distml(tmp_path, "sweep", str(FOLDER / "sweep.yaml"))
    found = rows(tmp_path, "taste-rings")
    assert found[0]["params"]["preprocessing.landmarks"] is not None and found[0]["score"] > 0.98
    without = [row["score"] for row in found if row["params"]["preprocessing.landmarks"] is None]
    assert max(without) < 0.7
