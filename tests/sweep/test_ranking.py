"""Sweeps of a ranking: what is refused before anything trains, and what is left to deploy and to read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import distml
from distml.errors import DistmlError, MistakesError
from distml.scorer.opening import open_scorer
from distml.sweep.export import export_scorer
from distml.sweep.preflight import Checked, preflight
from distml.sweep.spec import SweepSpec
from tests.report.html.pages import parsed
from tests.sweep.trained import write_trained

TRIALS: list[tuple[str, dict[str, Any]]] = [
    ("scoring-network", {"hidden": (16,), "lr": 0.01, "epochs": 6, "batch_size": 64, "loss": "lambdarank"}),
    ("xgboost", {"n_estimators": 20, "learning_rate": 0.1, "min_child_weight": 0.1}),
    ("random-forest", {"n_estimators": 20, "min_samples_leaf": 3}),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 queries of 15 documents; some words of a query match a document more than others."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"query": np.repeat(np.arange(40), 15), **{f"f{i}": rng.normal(size=600) for i in range(4)}})
    signal = frame["f0"] - 0.5 * frame["f1"] + 0.3 * rng.normal(size=600)
    frame["grade"] = np.clip(np.floor(signal + 1), 0, 3).astype(int)
    path = tmp_path_factory.mktemp("data") / "documents.csv"
    frame.to_csv(path, index=False)
    return path


def spec(table: Path, group: str | None = "query", **changes: Any) -> SweepSpec:
    given = {"task": "ranking", "split": {"folds": 3}, "families": [name for name, _ in TRIALS], **changes}
    return SweepSpec(name="documents", data={"source": table, "target": "grade", "group": group}, **given)


def test_metric_and_spaces_are_the_tasks_own(table: Path) -> None:
    checked: Checked = preflight(spec(table, report=["ndcg@5", "ndcg@7", "map", "mrr"]))
    assert (checked.metric.name, checked.metric.greater_is_better) == ("ndcg@10", True)
    assert checked.dataset.queries is not None and len(np.unique(checked.dataset.queries)) == 40
    assert "class_weight" not in checked.families["random-forest"][1]
    again = preflight(SweepSpec.from_mapping(checked.resolved))
    assert (again.spec.task, again.metric) == ("ranking", checked.metric)


def test_mistakes_come_together_before_anything_trains(table: Path) -> None:
    families: dict[str, Any] = {
        "scoring-network": {"space": {"loss": ["lambdarank", "focal"]}},
        "xgboost": {"space": {"objective": ["rank:ndcg", "binary:logistic"]}},
        "logistic-regression": {},
    }
    with pytest.raises(MistakesError) as raised:
        preflight(spec(table, group=None, families=families, metric="roc_auc", report=["rmse"]))
    found = {mistake.where: mistake.what for mistake in raised.value.mistakes}
    assert "missing: the column that says which query" in found["data.group"]
    assert "no metric 'roc_auc' for ranking" in found["metric"]
    assert "no metric 'rmse' for ranking" in found["report[0]"]
    said = "loss 'focal' is none of a ranking: lambdarank, ranknet, listnet, squared"
    assert found["families.scoring-network.space.loss"] == said
    assert "'binary:logistic' is none of a ranking: rank:ndcg" in found["families.xgboost.space.objective"]
    assert found["families.logistic-regression"] == "logistic-regression does classification, not ranking"


def test_losses_of_a_ranking_are_for_rankings(table: Path) -> None:
    families = {"scoring-network": {"space": {"loss": "lambdarank"}}}
    with pytest.raises(MistakesError) as raised:
        preflight(spec(table, task="classification", families=families))
    assert [mistake.what for mistake in raised.value.mistakes] == [
        "loss 'lambdarank' is none of a classification: cross-entropy, focal, complement"
    ]


def test_a_scorer_gives_each_document_a_score_and_the_page_tells_the_order(table: Path, tmp_path: Path) -> None:
    checked = preflight(spec(table, report=["map"]))
    made = export_scorer(write_trained(tmp_path, checked, TRIALS))
    dataset, frame = checked.dataset, pd.read_csv(table)
    assert made.scores["ndcg@10"] >= made.alone > 0.8  # type: ignore[operator]
    assert made.calibration.method == "none" and made.threshold is None
    scored = open_scorer(made.folder).score(frame.drop(columns=["grade", "query"]))
    assert list(scored.columns) == ["score", "problem"]
    held = dataset.holdout
    again = checked.evaluator(dataset.truth[held], scored["score"].astype(float).to_numpy()[held])
    assert again["ndcg@10"] == pytest.approx(made.holdout["ndcg@10"], abs=1e-3)

    report = distml.load("documents", tmp_path).report()
    section = parsed(report.html).one("section", id="order")
    assert f"{len(np.unique(dataset.queries[held]))} queries of the holdout" in section.text  # type: ignore[index]
    rows = {row.one("th").text: [cell.text for cell in row.all("td")] for row in section.one("tbody").all("tr")}
    assert float(rows["ndcg@10"][1]) == pytest.approx(made.holdout["ndcg@10"], abs=1e-3)
    assert float(rows["ndcg@10"][2]) < made.holdout["ndcg@10"] - 0.1  # in random order
    with pytest.raises(DistmlError, match="nosuch"):
        distml.load("documents", tmp_path).report(sensitive="nosuch")
    assert "two classes only" in distml.load("documents", tmp_path).report(sensitive="f3").html
