"""The report of a sweep whose trials were really trained and whose scorer was really exported."""

import shutil
from pathlib import Path

import pytest

import distml
from distml.report.html.report import Report
from distml.sweep.export import export_scorer
from distml.sweep.runs import RunFolder
from tests.report.html.pages import parsed
from tests.sweep.trained import checked_german, write_trained

TRIALS = [
    ("logistic-regression", {"C": 0.05}),
    ("logistic-regression", {"C": 5.0}),
    ("random-forest", {"n_estimators": 20, "min_samples_leaf": 3}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    checked = checked_german(families=["logistic-regression", "random-forest"])
    folder = write_trained(tmp_path_factory.mktemp("runs"), checked, TRIALS)
    export_scorer(folder)
    return folder


@pytest.fixture(scope="module")
def report(folder: RunFolder) -> Report:
    return distml.load(folder.name, folder.root).report(sensitive="foreign_worker")


def test_the_scorer_tells_its_members_and_what_the_columns_mattered(folder: RunFolder, report: Report) -> None:
    sections = {section.id: section for section in report.sections}
    page = parsed(report.html)
    members = page.one("section", id="scorer").all("tbody")[0].all("tr")
    assert {row.one("th").text for row in members} <= {"t0001", "t0002", "t0003"}
    assert sum(int(row.all("td")[0].text.removesuffix(" %")) for row in members) in (99, 100, 101)
    assert sections["columns"].lead.startswith("How much ROC AUC falls on the holdout")
    table = {
        row.one("th").text: float(row.all("td")[0].text) for row in page.one("section", id="columns").all("tr")[1:]
    }
    assert set(table) == set(checked_german().dataset.frame.columns)
    assert max(table, key=lambda name: table[name]) == "status_of_existing_checking_account"


def test_the_figures_agree_with_what_the_export_journalled(folder: RunFolder, report: Report) -> None:
    scored = distml.load(folder.name, folder.root).record.scorer
    lead = next(section.lead for section in report.sections if section.id == "discrimination")
    assert scored is not None
    area = float(lead.split("ROC AUC ")[1].split()[0])
    assert area == pytest.approx(scored["roc_auc"], abs=0.005)  # that one is of the calibrated scores, which may tie


def test_fairness_takes_the_scorer_s_own_threshold(report: Report) -> None:
    lead = next(section.lead for section in report.sections if section.id == "fairness")
    assert "the largest Kolmogorov-Smirnov distance" in lead
    assert report.figures["fairness"].data[0].x == ("yes", "no")


def test_a_scorer_that_was_tampered_with_costs_its_sections_alone(folder: RunFolder, tmp_path: Path) -> None:

    shutil.copytree(folder.path, tmp_path / folder.name)
    with next((tmp_path / folder.name / "scorer").glob("*.skops")).open("ab") as file:
        file.write(b"more")
    report = distml.load(folder.name, tmp_path).report()
    told = {section.id: section.lead for section in report.sections}
    assert "does not open" in told["columns"] and "was changed" in told["columns"]
    assert "scorer" not in told and "roc" in report.figures
