"""`distml report` as a user calls it."""

from pathlib import Path

import pytest

from tests.report.html.pages import parsed
from tests.report.sweeps import CLOSED, WINNER, write_sweep
from tests.test_cli import distml


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    write_sweep(runs, WINNER, CLOSED)
    return runs


def test_it_writes_the_page_and_prints_its_place(runs: Path) -> None:
    said = distml("report", "credit", "--runs", runs)
    assert (said.returncode, said.stderr) == (0, "")
    page = Path(said.stdout.strip())
    assert page == runs / "credit" / "report.html"
    assert parsed(page.read_text()).one("h1").text == "credit"
    assert page.stat().st_mode & 0o777 == (runs / "credit" / "journal.jsonl").stat().st_mode & 0o777
    assert not list(page.parent.glob(".report*"))


def test_what_cannot_be_done_is_said_in_a_line(runs: Path, tmp_path: Path) -> None:
    nowhere = distml("report", "credit", "--runs", runs, "--output", tmp_path / "no" / "such.html")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert nowhere.stderr.startswith("cannot write ") and nowhere.stderr.count("\n") == 1
    no_table = distml("report", "credit", "--runs", runs, "--sensitive", "age")
    assert no_table.returncode == 2
    assert no_table.stderr.startswith("--sensitive needs the sweep's table") and "credit.csv" in no_table.stderr
