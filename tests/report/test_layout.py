"""Columns and phrases at several widths."""

import io

from rich.console import Console

from distml.report.layout import Columns, Facts, phrases


def drawn(width, columns):
    paper = Console(file=io.StringIO(), width=width)
    paper.print(columns)
    return paper.file.getvalue().splitlines()


ROWS = [["t0001", "12.5", "lr 0.01, dropout 0.25, hidden 256-128"], ["t0002", "3.0", ""]]
HEADINGS = ["trial", "seconds", "parameters"]


def test_columns_align_and_lines_end_without_blanks():
    assert drawn(80, Columns(HEADINGS, ROWS, right=("seconds",))) == [
        "trial   seconds   parameters",
        "t0001      12.5   lr 0.01, dropout 0.25, hidden 256-128",
        "t0002       3.0",
    ]


def test_the_last_column_alone_is_cut():
    assert drawn(40, Columns(HEADINGS, ROWS)) == [
        "trial   seconds   parameters",
        "t0001   12.5      lr 0.01, dropout 0.25…",
        "t0002   3.0",
    ]


def test_a_last_column_without_room_goes_under_its_row():
    assert drawn(34, Columns(HEADINGS, ROWS)) == [
        "trial   seconds",
        "t0001   12.5",
        "        lr 0.01, dropout 0.25, hi…",
        "t0002   3.0",
    ]


def test_without_headings_there_is_no_line_for_them():
    assert drawn(80, Columns(["", ""], [["a", "b"], ["cc", "d"]])) == ["a    b", "cc   d"]


def test_phrases_break_between_and_never_inside():
    parts = ["one phrase", "", "another phrase", "third"]
    assert phrases(parts, 80) == ["one phrase   another phrase   third"]
    assert phrases(parts, 25) == ["one phrase", "another phrase   third"]
    assert phrases(parts, 3) == ["one phrase", "another phrase", "third"]


def test_gaps_narrow_before_a_column_is_lost():
    assert drawn(18, Columns(HEADINGS, ROWS))[:2] == ["trial   seconds", "t0001   12.5"]
    assert drawn(14, Columns(HEADINGS, ROWS))[:2] == ["trial  seconds", "t0001  12.5"]


def test_a_long_fact_goes_on_under_its_beginning():
    assert drawn(34, Facts([("git", ""), ("versions", "ray 2.60.0, torch 2.13.0"), ("folder", "runs/credit")])) == [
        "versions   ray 2.60.0, torch",
        "           2.13.0",
        "folder     runs/credit",
    ]
