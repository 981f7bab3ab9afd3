"""The experiments' sweep files: all of them are without mistakes, and each gives a sensible score when run small."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from distml.models.registry import family_names, find_family
from distml.sweep.preflight import preflight
from distml.sweep.spec import SweepSpec
from tests.running.command import ROOT, distml

EXPERIMENTS = ROOT / "experiments"
FILES = sorted(EXPERIMENTS.glob("*/*.yaml"))


def settings(**values: Any) -> list[str]:
    return [word for key, value in values.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]


def run(folder: Path, name: str, file: str, *words: str, **values: Any) -> dict[str, float]:
    """The winner's scores on the holdout."""
    distml(folder, "sweep", str(EXPERIMENTS / file), "--no-export", *words, *settings(**values))
    return json.loads(distml(folder, "show", name, "--format", "json").stdout)["holdout"]


def needs(table: str) -> None:
    if not (EXPERIMENTS / table).exists():
        pytest.skip(f"{table} is not here: its licence keeps it out of the repository; see experiments/clothing.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_sweep_file_has_no_mistakes(file: Path) -> None:
    """Of a table whose licence keeps it out of the repository the file alone is checked."""
    spec = SweepSpec.from_file(file)
    for family in set(spec.family_specs) & set(family_names()):
        try:
            find_family(family)
        except ValueError as error:
            pytest.skip(str(error))
    if spec.data.source.exists():
        preflight(spec)
    else:
        assert re.search(r"made by|make|README\.md", file.read_text()), f"{file}: how to get its table is not said"


def test_every_folder_says_what_it_asks_and_how_to_ask() -> None:
    for folder in sorted({file.parent for file in FILES}):
        text = (folder / "README.md").read_text()
        assert text.startswith("# "), folder
        assert re.search(r"20\d\d-\d\d-\d\d", text), f"{folder}: no date"
        for name in re.findall(r"experiments/[\w/.]+\.(?:yaml|py)", text):
            assert (ROOT / name).exists(), f"{folder}: {name}"


@pytest.mark.long
def test_spam(tmp_path: Path) -> None:
    families = {"logistic-regression": {"space": {"C": 0.3}}}
    given = {"preprocessing__text": "characters", "preprocessing__text_dimensions": 20, "split__folds": 2}
    found = run(
        tmp_path, "spam", "spam/sweep.yaml", "--set", f"families={json.dumps(families)}", budget__trials=1, **given
    )
    assert found["average_precision"] > 0.9


@pytest.mark.long
def test_house_prices(tmp_path: Path) -> None:
    families = {"hist-gradient-boosting": {"space": {"max_iter": 90, "learning_rate": 0.15, "max_leaf_nodes": 40}}}
    found = run(
        tmp_path, "house-prices", "house_prices/sweep.yaml", "--set", f"families={json.dumps(families)}",
        budget__trials=2, split__folds=2,
    )  # fmt: skip
    assert found["r2"] > 0.8
    assert found["rmse"] < 0.55


@pytest.mark.long
def test_credit_german(tmp_path: Path) -> None:
    families = yaml.safe_load((EXPERIMENTS / "credit_german" / "sweep.yaml").read_text())["families"]
    few = {name: {**given, "trials": 2} for name, given in families.items()}
    found = run(
        tmp_path, "credit-german", "credit_german/sweep.yaml", "--set", f"families={json.dumps(few)}", budget__trials=8
    )
    assert found["roc_auc"] > 0.7


@pytest.mark.long
def test_a_loss_for_uneven_classes(tmp_path: Path) -> None:
    needs("reviews.csv.gz")
    small = {"preprocessing__text_dimensions": 10, "split__folds": 2, "families__scoring-network__space__epochs": 1}
    run(tmp_path, "imbalanced-text", "imbalanced_text/sweep.yaml", budget__trials=36, **small)
    said = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "imbalanced_text" / "verdict.py"), "--runs", str(tmp_path / "runs")],
        check=True, capture_output=True, text=True, cwd=ROOT,
    ).stdout  # fmt: skip
    assert "cross-entropy, none" in said and "complement" in said


@pytest.mark.long
def test_nearest_neighbours_beside_random_trees(tmp_path: Path) -> None:
    needs("requests.csv.gz")
    families = {
        "k-nearest-neighbours": {"space": {"n_neighbors": [1, 20], "weights": "uniform"}, "trials": 2},
        "random-forest": {"space": {"n_estimators": 10, "max_features": [0.1, 0.3]}, "trials": 2},
    }
    found = run(
        tmp_path, "tickets", "tickets/sweep.yaml", "--set", f"families={json.dumps(families)}",
        split__folds=2, budget__trials=4, search__algorithm="random",
    )  # fmt: skip
    assert 0.3 < found["accuracy"] < 0.8


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "arms", "smaller"),
    [
        ("sweep.yaml", ("evolution", "tpe", "random"), "budget.trials=6"),
        (
            "population.yaml", ("pbt", "evolution", "tpe", "random"),
            "families.scoring-network.space={epochs: 4, hidden: [[16]], lr: {low: 0.001, high: 0.1, log: true}}",
        ),
    ],
)  # fmt: skip
def test_searches_side_by_side(tmp_path: Path, file: str, arms: tuple[str, ...], smaller: str) -> None:
    script = [sys.executable, str(EXPERIMENTS / "evolution" / "compare.py"), file, "--seeds", "1"]
    said = subprocess.run(
        [*script, "--runs", str(tmp_path), "--set", smaller, "--set", "split.folds=2"],
        check=True, capture_output=True, text=True, cwd=ROOT,
    ).stdout  # fmt: skip
    for arm in arms:
        (line, _) = re.findall(rf"^{arm} +(\+0\.\d+)", said, re.MULTILINE)
        assert 0.65 < float(line) < 0.85
