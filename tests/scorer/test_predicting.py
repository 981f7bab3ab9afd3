"""Tables scored: every row in its place, the same digits however it is read."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.errors import DistmlError
from distml.scorer import streaming
from distml.scorer.command import Choices, score_table
from distml.scorer.predicting import Asked, predict
from distml.scorer.score import Scorer
from distml.sweep.export import export_scorer
from tests.sweep.trained import GERMAN, TRIALS, checked_german, write_trained

ROW = "probability,points,decision,problem"


def scored(scorer: Scorer, table: pd.DataFrame | Path, tmp_path: Path, threads: int | None = None, **asked) -> str:
    path = table
    if isinstance(table, pd.DataFrame):
        path = tmp_path / "table.csv"
        table.to_csv(path, index=False)
    out = io.StringIO()
    predict(scorer, path, out, Asked(**asked), threads)
    return out.getvalue()


def test_each_row_has_probability_points_and_decision(scorer: Scorer, german: pd.DataFrame, tmp_path: Path) -> None:
    lines = scored(scorer, GERMAN, tmp_path).splitlines()
    assert lines[0] == ROW and len(lines) == 1001
    found = pd.read_csv(io.StringIO("\n".join(lines)))
    assert found["probability"].between(0, 1).all() and found["problem"].isna().all()
    threshold = scorer.manifest.threshold
    assert threshold is not None
    assert ((found["decision"] == "bad") == (found["probability"] >= threshold.value)).all()
    assert (np.diff(found.sort_values("probability")["points"]) <= 0).all()
    frame = scorer.score(german)
    assert ",".join(frame.iloc[7]) == lines[8]


def test_a_row_scores_the_same_in_any_company(
    scorer: Scorer, german: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, among thousands, by any number of threads and in pieces of any size."""
    whole = scored(scorer, german, tmp_path).splitlines()[1:]
    assert scored(scorer, german.iloc[[500]], tmp_path).splitlines()[1:] == [whole[500]]
    assert scored(scorer, german.iloc[::-1], tmp_path, threads=1).splitlines()[1:] == whole[::-1]
    monkeypatch.setattr(streaming, "PIECE", 173)
    many = pd.concat([german] * 2)
    assert scored(scorer, many, tmp_path, threads=4).splitlines()[1:] == whole * 2


def test_what_is_odd_about_a_table_is_said_and_costs_no_row(
    made: Path, german: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = german.assign(hobby="chess", creditability="good").astype(object)
    odd.loc[0, "purpose"] = "a yacht"
    odd.loc[1, "credit_amount"] = "much"
    odd.loc[2] = None
    odd.loc[3, "credit_amount"] = "1 200 €"
    path = tmp_path / "odd.csv"
    lines = odd.to_csv(index=False).splitlines()
    lines[5] = "cut,short"
    path.write_text("\n".join(lines))
    said = "\n".join(score_table(made, path, None, Choices()))
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1001
    assert out[3] == ",,,all its cells are empty or unreadable" and out[5].startswith(",,,has 2 cells")
    assert all(out[row][0] == "0" for row in (1, 2, 4, 6))
    assert "columns that the scorer does not know are ignored: 'hobby'\n" in said
    assert "column 'credit_amount': cells that do not read as numeric are taken as missing: 1 ('much')" in said
    assert "column 'purpose': cells of a category that the training rows had rarely or never: 1 ('a yacht')" in said
    assert "not scored, all its cells are empty or unreadable: 1" in said
    assert "1,000 rows in" in said


def test_all_missing_columns_are_named_at_once(made: Path, german: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    german.rename(columns={"purpose": "Purpose"}).drop(columns="housing").to_csv(path, index=False)
    with pytest.raises(DistmlError) as told:
        score_table(made, path, None, Choices())
    assert "lacks 2 of the scorer's 20 columns: 'purpose' (did you mean 'Purpose'?), 'housing'" in str(told.value)


def test_a_column_of_another_type_leaves_the_rest(made: Path, german: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    german.assign(age_in_years="old").to_csv(path, index=False)
    said = "\n".join(score_table(made, path, tmp_path / "out.csv", Choices()))
    assert "column 'age_in_years': cells that do not read as numeric are taken as missing: 1,000 ('old')" in said
    assert pd.read_csv(tmp_path / "out.csv")["probability"].notna().all()


def test_no_rows_give_a_header(made: Path, german: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    german.iloc[:0].to_csv(path, index=False)
    said = score_table(made, path, tmp_path / "out.csv", Choices())
    assert (tmp_path / "out.csv").read_text() == ROW + "\n"
    assert said[-1].startswith("0 rows in")


def test_options_go_over_the_scorers_own(made: Path, german: pd.DataFrame, tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    german.insert(0, "number", range(1000))
    german.to_csv(path, index=False)
    german.pop("number")
    choices = Choices(threshold=0.0, base_score=500, base_odds=1, double_odds=50, keep=("number", "purpose"))
    score_table(made, path, out, choices)
    found = pd.read_csv(out)
    assert list(found.columns) == ["number", "purpose", *ROW.split(",")]
    assert found["number"].tolist() == list(range(1000)) and (found["purpose"] == german["purpose"]).all()
    assert set(found["decision"]) == {"bad"}
    odds = (1 - found["probability"]) / found["probability"]
    assert (found["points"] == np.rint(500 + 50 * np.log2(odds))).all()
    score_table(made, path, out, Choices(cost_ratio=3.0))
    found = pd.read_csv(out)
    assert ((found["decision"] == "bad") == (found["probability"] >= 0.25)).all()
    with pytest.raises(DistmlError, match="not both"):
        score_table(made, path, out, Choices(threshold=0.5, cost_ratio=3.0))
    with pytest.raises(DistmlError, match="no column 'nmber' to keep"):
        score_table(made, path, out, Choices(keep=("nmber",)))


def test_a_failure_leaves_no_half_file(made: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("purpose\ncar\n")
    with pytest.raises(DistmlError):
        score_table(made, tmp_path / "t.csv", tmp_path / "out.csv", Choices())
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_numbers_that_stand_for_categories_read_as_they_were_learnt() -> None:
    from distml.scorer.files import Column
    from distml.scorer.reading import _as_trained

    numbers = Column(name="SEX", kind="categorical", categories=("1", "2"))
    told = _as_trained(numbers, pd.Series(["01", "2.0", "2", "x", None], dtype=object))
    assert told.tolist()[:4] == ["1", "2", "2", "x"] and pd.isna(told[4])
    words = Column(name="code", kind="categorical", categories=("01", "02"))
    assert _as_trained(words, pd.Series(["01", "1"], dtype=object)).tolist() == ["01", "1"]


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


@pytest.mark.long
def test_memory_does_not_grow_with_the_table(german: pd.DataFrame, tmp_path: Path) -> None:
    """The whole command, on 60,000 rows and on 300,000: well under a GiB, and no more for more rows.

    60,000 are more than are read ahead. Which piece is done first is luck, and so are some 60 MiB; 240,000 rows more
    in memory would be several hundred.
    """
    folder = export_scorer(write_trained(tmp_path / "runs", checked_german("one"), TRIALS[:1])).folder
    lines = german.to_csv(index=False).splitlines(keepends=True)
    most = []
    for times in (60, 300):
        path = tmp_path / "table.csv"
        path.write_text("".join([lines[0], *(lines[1:] * times)]))
        command = [sys.executable, "-c", "from distml.cli import main; main()", "predict", str(folder), str(path)]
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, timeout=200, check=True
        )
        most.append(float(done.stdout))
    assert most[1] < 1000
    assert most[1] - most[0] < 120
