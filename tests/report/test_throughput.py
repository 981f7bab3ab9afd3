"""What `distml bench`, `compare` and `recommend` show, from made-up records."""

import csv
import doctest
import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from distml import cli
from distml.bench.compare import compare
from distml.bench.recommend import recommend
from distml.bench.record import Ceiling, Published, PublishedFigure, write
from distml.bench.statistics import figure
from distml.report import benched, compared, comparison_page, recommended
from distml.report.benched import BenchScreen, record_lines
from tests.bench.records import arm, record
from tests.browser import chromium

PUBLISHED = Published(
    label="their <b>3090</b>", source="A paper, 2022", url="https://example.org", read="2026-11-23",
    figures=(PublishedFigure(what="speed-up", value=2.5, low=2.0, high=3.0, unit="times", hardware="A100"),),
)  # fmt: skip
CEILING = Ceiling(what="matrix product", unit="GFLOP/s", rate=figure([160.0] * 5), values=(160.0,) * 5, how="by NumPy")


FAST = [61_000.0, 60_000.0, 62_000.0, 61_500.0, 60_500.0]


def shown(lines, width=160):
    out = Console(file=io.StringIO(), width=width)
    for line in lines:
        out.print(line)
    return out.file.getvalue()


def ours():
    lost = arm(
        [1.0], "processes", 8, name="8 processes", state="out of memory", reason="CUDA out of memory", repeats=()
    )
    return record(
        arm([31.0, 30.0, 32.0, 31.5, 30.5], name="one process", power=350.0, utilisation=figure([0.05] * 5)),
        arm(FAST, "cohort", members=1024, name="cohort of 1,024", power=350.0),
        lost, device="RTX 3090", price=(0.25, "EUR"), ceilings=(CEILING,), marks=("on battery",),
    )  # fmt: skip


def theirs():
    return record(
        arm([31.2, 30.1, 32.0, 31.4, 30.6], name="one process"),
        arm([92_000.0, 91_000.0, 93_000.0, 92_500.0, 91_500.0], "cohort", members=1024, name="cohort of 1,024"),
        device="A100", price=(1.1, "EUR"),
    )  # fmt: skip


@pytest.fixture
def found():
    return compare([(Path("3090.json"), ours()), (Path("a100.json"), theirs()), (Path("p.json"), PUBLISHED)])


@pytest.mark.parametrize("module", [benched, compared, comparison_page])
def test_the_examples_hold(module):
    assert doctest.testmod(module).failed == 0


def test_a_record_is_shown_with_its_machine_its_arms_and_its_marks():
    said = shown(record_lines(ours(), Path("runs/throughput.json")))
    assert "RTX 3090" in said and "mind: on battery" in said
    assert re.search(r"cohort of 1,024 +61,000 +\[60,000, 62,000\] +1967.7x", said)
    assert re.search(r"8 processes +out of memory", said)
    assert "8 processes: CUDA out of memory" in said
    assert re.search(r"matrix product +160 GFLOP/s +\[160, 160\] +by NumPy", said)
    assert "next: distml recommend runs/throughput.json" in said


def test_a_comparison_reads_like_its_mock_up(found):
    said = shown(compared.comparison_lines(found))
    assert re.search(r"scoring network +3090 +a100 +a100 / 3090", said)
    assert re.search(r"one process +31.0 /h +31.2 /h +1.01x \[0.9\d, 1.0\d\] =", said)
    assert re.search(r"cohort of 1,024 +61,000 /h +92,000 /h +1.51x \[1.4\d, 1.5\d\]\n", said)
    assert re.search(r"8 processes +out of memory +not measured +-", said)
    assert re.search(r"per price +244,000 /EUR +83,600 /EUR +0.34x", said)
    assert "mind: 3090: on battery" in said
    assert "=   no difference that could be told: the interval holds 1" in said


def test_one_machine_at_several_times_and_a_busy_one_are_said():
    busy = ours().model_copy(update={"marks": ("busy: others used 90 % of the processor meanwhile",)})
    said = shown(compared.comparison_lines(compare([(Path("q1.json"), ours()), (Path("q2.json"), busy)])))
    assert "q1, q2: one machine at several times; what differs is not its hardware" in said
    assert "q2: others worked beside the bench, so that ratios are of what they left over" in said


def test_published_figures_are_marked_and_never_in_a_measured_column(found):
    said = shown(compared.comparison_lines(found))
    assert "PUBLISHED, not measured here: their <b>3090</b>" in said
    assert said.index("PUBLISHED") > said.index("cohort of 1,024")
    assert "A paper, 2022   https://example.org   read 2026-11-23" in said
    plain = compared.comparison_json(found)
    assert {row["record"] for row in plain["rows"]} == {"3090", "a100"}
    assert [one["kind"] for one in plain["published"]] == ["published"]


def test_a_page_fetches_nothing_and_runs_no_text(found, tmp_path):
    page, picture = comparison_page.write_files(found, tmp_path / "out")
    text = page.read_text()
    assert "their &lt;b&gt;3090&lt;/b&gt;" in text and "their <b>3090</b>" not in text
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="(?!data:|#)', text)
    assert "Published elsewhere, not measured here" in text
    assert "no difference" in text and "on battery" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_on_a_narrow_screen_tables_scroll_in_their_own_frames_and_break_no_words(tmp_path):
    named = [Path("3090.json"), Path("a100.json"), Path("the-other-a100.json")]
    records = compare(list(zip(named, [ours(), theirs(), theirs()], strict=True)))
    file, _ = comparison_page.write_files(records, tmp_path)

    async def look(page):
        widths = "document.documentElement.scrollWidth, document.documentElement.clientWidth"
        assert len(set(await page.ask(f"[{widths}]"))) == 1
        frames = "[...document.querySelectorAll('.scroll')].filter(one => one.clientWidth)"
        return await page.ask(
            f"{frames}.map(one => [one.scrollWidth > one.clientWidth,"
            " Math.min(...[...one.querySelectorAll('td')].map(cell => cell.offsetWidth))])"
        )

    with chromium() as browser:
        found = browser.look(file, look, width=420, height=800, mobile=True)
    assert found and all(scrolls and narrowest > 100 for scrolls, narrowest in found)


def test_advice_says_what_how_long_and_why():
    said = shown(recommended.advice_lines(ours(), Path("3090.json"), recommend(ours(), 5000)))
    assert re.search(r"share it as +cohort of 1,024", said)
    assert re.search(r"5,000 trials +about 5 min \[5 min, 5 min\]", said)
    assert "as many trials as one process; 8 processes: out of memory" in said
    assert "resources: {gpu: 1}" in said
    assert re.search(r"cost +0.02 EUR at 0.25 an hour", said)


def test_a_bar_on_a_terminal_and_bare_lines_elsewhere(monkeypatch):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with BenchScreen(terminal) as screen:
        screen.progress("cohort of 64", 0.5, 65.0)
        out = Console(file=io.StringIO(), width=100)
        out.print(screen._render())
    assert re.search(r"cohort of 64 .*50 %, about 1:0[45] left", out.file.getvalue())
    plain = Console(file=io.StringIO(), width=100)
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with BenchScreen(plain) as screen:
        screen.progress("first", 0.1, 60.0)
        now[0] = 16.0
        screen.progress("second", 0.3, 40.0)
        screen.noted("busy: process 1 computed on the card")
    assert plain.file.getvalue() == "second   30 %, about 0:40 left\nbusy: process 1 computed on the card\n"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call the command line in a folder with three records; (exit status, what it said, what it complained of)."""
    for name, one in {"3090": ours(), "a100": theirs(), "published": PUBLISHED}.items():
        write(one, tmp_path / f"{name}.json")
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["distml", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code, *capsys.readouterr())

    return called


def test_compare_as_table_json_and_csv(call):
    status, said, complaints = call("compare", "3090.json", "a100.json", "--output", "out")
    assert status == 0 and "a100 / 3090" in said
    assert "written: out/comparison.html" in complaints and Path("out/comparison.png").is_file()
    plain = json.loads(call("compare", "3090.json", "a100.json", "--format", "json")[1])
    row = next(one for one in plain["rows"] if one["name"] == "cohort of 1,024" and one["record"] == "a100")
    assert (row["value"], round(row["ratio"], 3), row["differs"]) == (92_000.0, 1.508, True)
    rows = list(csv.DictReader(io.StringIO(call("compare", "3090.json", "a100.json", "--format", "csv")[1])))
    assert len(rows) == len(plain["rows"])


def test_recommend_as_table_and_json(call):
    assert "share it as" in call("recommend", "3090.json", "--trials", "5000")[1]
    (advice,) = json.loads(call("recommend", "3090.json", "--trials", "5000", "--format", "json")[1])
    assert (advice["arm"], advice["members"], advice["trials"]) == ("cohort of 1,024", 1024, 5000)
    assert advice["seconds"] == pytest.approx(2.0 + 3600 * 5000 / 61_000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "3090.json"], "two records or more"),
        (["compare", "3090.json", "none.json"], "there is no record none.json"),
        (["compare", "3090.json", "a100.json", "--baseline", "b"], "--baseline 'b' is none"),
        (["recommend", "published.json"], "published figures"),
        (["recommend", "3090.json", "--trials", "0"], "--trials 0"),
        (["bench", "--device", "gpu7"], "no device 'gpu7' here"),
        (["bench", "--site", "none.yaml"], "there is no file none.yaml"),
        (["bench", "--output", "."], "is a folder"),
    ],
)
def test_mistakes_are_said_without_a_traceback(call, arguments, said):
    status, _, complaints = call(*arguments)
    assert status == 2
    assert said in complaints and "Traceback" not in complaints
