"""Where output goes: a terminal gets its width and colours, a pipe or file gets bare text of any width."""

import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 10_000  # cells: nothing is cut that goes to a file or another program


def console(stream: TextIO | None = None) -> Console:
    """A console on `stream` (standard output when None) that adds nothing of its own to what is printed."""
    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def show(out: Console, *items: RenderableType) -> None:
    """Print items under each other, lines of text uncut, each line without trailing blanks."""
    for item in items:
        with out.capture() as capture:
            out.print(item, soft_wrap=isinstance(item, (str, Text)))
        out.file.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))
    out.file.flush()


def table(headings: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str] = ()) -> Table:
    """Columns under headings, no frames; the last column alone is cut where the width does not suffice.

    right: the headings of the columns that stand right-aligned.
    """
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for place, heading in enumerate(headings):
        last = place == len(headings) - 1
        drawn.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if last else max([len(heading), *(len(str(row[place])) for row in rows)]),
        )
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return drawn
