"""The report of whole sweeps: running, empty, without a scorer, with one, and large."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plotly.graph_objects import Figure
from sklearn.metrics import roc_auc_score

import distml
from distml.data.table import file_sha256
from distml.errors import DistmlError
from distml.models.space import parse_domain
from distml.report.html.curves import chosen
from distml.report.html.hyperparameters import at_one_rung, importances
from distml.report.html.report import Report
from tests.report.html.large import SPACES, write_large_sweep
from tests.report.html.pages import parsed
from tests.report.html.scored import TARGET, predicted, write_scored_sweep
from tests.report.sweeps import CLOSED, EVENTS, OPENED, WINNER, write_sweep

MIB = 2**20


def leads(report: Report) -> dict[str, str]:
    """Section -> its sentence."""
    return {section.id: section.lead for section in report.sections}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Report:
    runs = tmp_path_factory.mktemp("runs")
    write_scored_sweep(runs, 120)
    return distml.load("german", runs).report(sensitive="age_in_years")


# --- what the journal tells


def test_a_small_sweep_without_a_scorer_says_what_is_missing(tmp_path: Path) -> None:
    write_sweep(tmp_path, WINNER, CLOSED)
    report = distml.load("credit", tmp_path).report()
    told = leads(report)
    assert told["scorer"].startswith("No scorer yet: distml export credit.")
    assert told["hyperparameters"].startswith("Too few trials at one rung")
    assert told["failures"].startswith("1 trial failed and 1 diverged, of 7")
    assert list(report.figures) == [
        "parallel-random-forest", "parallel-scoring-network", "score-seconds", "score-joules", "curves-random-forest",
        "curves-scoring-network", "seconds",
    ]  # fmt: skip
    page = parsed(report.html)
    board = page.one("section", id="leaderboard").one("tbody").all("tr")
    assert [row.one("th").text for row in board][:2] == ["t0002", "t0001"]
    assert "0.7900 ± 0.0100" in board[0].text and "~42.0" in board[0].text
    assert "not measured" in board[1].text
    failures = [row.text for row in page.one("section", id="failures").one("tbody").all("tr")]
    assert failures == [
        "codeValueError: no such activation1t0004", "divergedits loss was no longer a finite number1t0005"
    ]  # fmt: skip


@pytest.mark.parametrize("events", [[], [OPENED]], ids=["nothing", "opened"])
def test_a_sweep_that_has_just_begun_has_a_report(tmp_path: Path, events: list[Any]) -> None:
    write_sweep(tmp_path, events=events)
    report = distml.load("credit", tmp_path).report()
    assert report.figures == {}
    assert leads(report)["overview"] == "No trial has ended with a score yet."
    parsed(report.html)


def test_a_running_sweep_says_that_it_runs(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path)
    with folder.writer():
        report = distml.load("credit", tmp_path).report()
    assert "sweep running" in report.subtitle
    assert leads(report)["overview"].startswith("The sweep is running")
    assert "score-seconds" in report.figures


def test_every_trial_with_a_score_is_on_its_axes(tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 400)
    sweep = distml.load("large", tmp_path)
    figures = sweep.report().figures
    scored = [trial for trial in sweep.leaderboard if trial.score("roc_auc") is not None]
    drawn = [figures[f"parallel-{family}"].data[0].dimensions for family in SPACES]
    assert sum(len(axes[-1].values) for axes in drawn) == len(scored) == 396
    points = [trace for trace in figures["score-seconds"].data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in points) == 396
    best = max(scored, key=lambda trial: trial.score("roc_auc") or 0)
    networks = {axis.label: axis for axis in drawn[0]}
    assert np.allclose(
        10 ** networks["lr"].values.max(), max(t.params["lr"] for t in scored if "lr" in t.params), rtol=1e-4
    )
    assert networks["hidden"].ticktext == ("128-64", "256-128", "64-64")
    assert best.trial in [name for trace in points for name in trace.text]


def test_lower_is_better_turns_colours_and_frontier_round(tmp_path: Path) -> None:
    write_sweep(tmp_path, events=_by_brier())
    figures = distml.load("credit", tmp_path).report().figures
    assert figures["parallel-scoring-network"].data[0].line.reversescale is True
    *_, frontier = figures["score-seconds"].data
    assert list(frontier.y) == sorted(frontier.y, reverse=True)


def _by_brier() -> list[Any]:
    return [{**OPENED, "spec": {**OPENED["spec"], "metric": "brier"}, "greater_is_better": False}, *EVENTS[1:]]


def test_many_curves_are_the_best_and_always_the_same_sample(tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 1200)
    trials = [t for t in distml.load("large", tmp_path).leaderboard if t.family == "scoring-network"]
    best, others = chosen(trials)
    assert (len(best), len(others)) == (20, 180)
    assert best == trials[:20]
    assert chosen(trials) == (best, others)
    assert chosen(trials[:150]) == (trials[:20], trials[20:150])


def test_importance_compares_at_one_rung_and_finds_what_matters(tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 300)
    trials = [t for t in distml.load("large", tmp_path).leaderboard if t.family == "scoring-network"]
    rung, compared = at_one_rung(trials, "roc_auc")
    assert len(compared) == sum(any(one.resource == rung for one in trial.rungs) for trial in trials) >= 60
    names = ("lr", "weight_decay", "dropout", "hidden")
    found = importances(compared, {name: parse_domain(SPACES["scoring-network"][name]) for name in names}, True)
    assert found is not None and next(iter(found)) == "lr"
    assert sum(found.values()) == pytest.approx(1)
    assert importances([(params, 0.5) for params, _ in compared], {"lr": parse_domain([1, 2])}, True) is None


# --- what the scorer tells


def test_a_scorer_s_figures_are_there_and_say_what_they_show(scored: Report) -> None:
    names = {"roc", "precision-recall", "ks", "gain", "lift", "calibration", "distribution", "psi-score", "psi-columns",
             "fairness"}  # fmt: skip
    assert names <= set(scored.figures)
    assert all(isinstance(figure, Figure) for figure in scored.figures.values())
    held = predicted().query("part == 'holdout'")
    area = roc_auc_score(held["y"], held["raw"])
    assert f"ROC AUC {area:.4f} [" in leads(scored)["discrimination"]
    lines = {trace.name: trace for trace in scored.figures["roc"].data if trace.name}
    assert np.trapezoid(lines["holdout"].y, lines["holdout"].x) == pytest.approx(area, abs=0.002)
    assert lines["out-of-fold"].x[0] == 0 and lines["out-of-fold"].x[-1] == 1
    assert [trace.name for trace in scored.figures["calibration"].data] == [
        "ideal", "before calibration", "after calibration"
    ]  # fmt: skip
    assert "stable" in leads(scored)["stability"]
    assert "By age_in_years" in leads(scored)["fairness"]
    assert "distml export german" in leads(scored)["columns"]  # predictions alone, without the scorer


def test_no_two_elements_share_a_name(scored: Report) -> None:
    ids = [one.attributes["id"] for one in parsed(scored.html).all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))


def test_the_table_may_be_gone_or_changed(tmp_path: Path) -> None:
    write_scored_sweep(tmp_path, sha256="00" * 32)
    sweep = distml.load("german", tmp_path)
    report = sweep.report()
    assert "has changed since the sweep was run on it" in leads(report)["columns"]
    assert "roc" in report.figures and "psi-columns" not in report.figures
    with pytest.raises(DistmlError, match=r"--sensitive needs the sweep's table.*has changed"):
        sweep.report(sensitive="age_in_years")


def test_a_column_that_is_none_is_said_with_the_nearest(tmp_path: Path) -> None:
    write_scored_sweep(tmp_path)
    with pytest.raises(DistmlError, match=r"'age_in_year' is not a column of the table. Did you mean 'age_in_years'"):
        distml.load("german", tmp_path).report(sensitive="age_in_year")


def test_without_fairlearn_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scored_sweep(tmp_path)
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    with pytest.raises(DistmlError, match=r"pip install 'distml\[fairness\]'"):
        distml.load("german", tmp_path).report(sensitive="age_in_years")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"no parquet"), "cannot be read"),
        (lambda path: predicted().drop(columns=["raw"]).to_parquet(path), "lacks raw"),
        (lambda path: predicted().query("part != 'holdout'").to_parquet(path), "holds no row of the holdout"),
    ],
)
def test_predictions_that_cannot_be_used_cost_their_sections_alone(tmp_path: Path, spoil: Any, said: str) -> None:
    folder = write_scored_sweep(tmp_path)
    spoil(folder.evaluation)
    report = distml.load("german", tmp_path).report()
    assert said in leads(report)["scorer"]
    assert "score-seconds" in report.figures


def test_stability_by_time_where_the_sweep_splits_by_time(tmp_path: Path) -> None:
    table = pd.read_csv(TARGET["source"])
    table["applied"] = pd.date_range("2024-01-01", periods=len(table), freq="D").astype(str)
    table.to_csv(tmp_path / "dated.csv", index=False)
    source = tmp_path / "dated.csv"
    data = {**TARGET, "source": str(source), "time": "applied"}
    folder = write_large_sweep(tmp_path, 40, name="dated", data=data, sha256=file_sha256(source))
    predicted().to_parquet(folder.evaluation)
    report = distml.load("dated", tmp_path).report()
    assert len(report.figures["psi-time"].data[0].x) == 12
    assert report.figures["psi-time"].data[0].x[0].startswith("2024-01-0")


def test_a_regression_has_its_own_figures(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    y = random.normal(100, 20, 400)
    value = y + random.normal(0, 5, 400)
    folder = write_large_sweep(tmp_path, 40, task="regression")
    part = np.where(np.arange(400) < 300, "out-of-fold", "holdout")
    pd.DataFrame({"row": range(400), "part": part, "y": y, "raw": value, "calibrated": value}).to_parquet(
        folder.evaluation
    )
    report = distml.load("large", tmp_path).report()
    assert {"predicted-true", "residuals", "residual-distribution", "psi-score"} <= set(report.figures)
    assert "roc" not in report.figures
    assert re.search(r"RMSE [45]\.\d+ \[", leads(report)["values"])


def test_several_classes_have_a_confusion_matrix_and_a_curve_each(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    y = random.integers(0, 3, 600)
    scores = random.dirichlet([1, 1, 1], 600) + 2 * np.eye(3)[y]
    scores /= scores.sum(axis=1, keepdims=True)
    columns = {f"{kind}_{code}": scores[:, code] for kind in ("raw", "calibrated") for code in range(3)}
    part = np.where(np.arange(600) < 400, "out-of-fold", "holdout")
    folder = write_large_sweep(tmp_path, 40)
    pd.DataFrame({"row": range(600), "part": part, "y": y, **columns}).to_parquet(folder.evaluation)
    report = distml.load("large", tmp_path).report()
    matrix = np.array(report.figures["confusion"].data[0].z)
    assert matrix.sum(axis=1) == pytest.approx(1)
    assert matrix[::-1].diagonal().min() > 0.9
    assert len(report.figures["roc-classes"].data) == 4
    assert "more classes" in leads(report)["stability"]


def test_a_sweep_without_a_target_tells_of_its_trials_alone(tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 40, task="clustering", data={"source": "t.csv", "target": None})
    sweep = distml.load("large", tmp_path)
    report = sweep.report()
    assert report.subtitle == "sweep finished, clustering, best by roc_auc"
    assert leads(report)["scorer"] == "None: a sweep of clustering predicts no target."
    assert leads(report)["overview"].startswith("Scores of trials are means over resamples")
    with pytest.raises(DistmlError, match="large is one of clustering"):
        sweep.report(sensitive="age")


# --- the whole page


def test_a_page_of_many_trials_shows_the_best_and_counts_the_others(tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 1_000)
    page = distml.load("large", tmp_path).report().html
    assert len(page) < 5.5 * MIB  # of 10,000: see test_browser
    board = parsed(page).one("section", id="leaderboard")
    assert len(board.one("tbody").all("tr")) == 50
    assert "950 further trials" in board.text


def test_a_notebook_gets_a_frame_that_cannot_reach_it(scored: Report) -> None:
    frame = parsed(scored._repr_html_()).one("iframe")
    assert frame.attributes["sandbox"] == "allow-scripts"
    assert frame.attributes["srcdoc"] == scored.html


def test_names_of_columns_and_parameters_are_never_code(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    write_sweep(tmp_path, events=_named(evil))
    page = parsed(distml.load("credit", tmp_path).report().html)
    assert not page.all("img")
    data = [one.text for one in page.all("script") if one.attributes.get("type") == "application/json"]
    assert all("<" not in one for one in data)
    assert any("&lt;img" in json.dumps(json.loads(one)) for one in data)


def _named(evil: str) -> list[Any]:
    def renamed(event: Any) -> Any:
        if event["event"] == "asked":
            return {**event, "params": {**event["params"], evil: event["number"], "kind": f"{evil}{event['number']}"}}
        return event

    return [renamed(event) for event in EVENTS]


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path, scored: Report) -> None:
    with pytest.raises(DistmlError, match=r"cannot write .*gone/report.html: No such file.*--output"):
        scored.save(tmp_path / "gone" / "report.html")
    assert list(tmp_path.iterdir()) == []
