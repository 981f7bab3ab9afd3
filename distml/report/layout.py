"""Columns and phrases that fit the width they are given."""

import re
import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

GAP = "   "
_NARROW_GAP = "  "

_LEAST = 20  # cells: a last column that would get fewer goes under its row


def phrases(parts: Sequence[str], width: int) -> list[str]:
    """Phrases set apart by a gap, on as many lines as the width (cells) asks for; no phrase is broken."""
    lines: list[str] = []
    for part in filter(None, parts):
        if lines and cell_len(lines[-1]) + len(GAP) + cell_len(part) <= width:
            lines[-1] += GAP + part
        else:
            lines.append(part)
    return lines


def wrapped(message: str, width: int) -> str:
    """A message broken between words; a line's rest stands under what follows its first gap, or under its beginning.

    >>> print(wrapped("credit.yaml has 1 mistake:\\n  data.target  'defualt' is not a column", 30))
    credit.yaml has 1 mistake:
      data.target  'defualt' is
                   not a column
    """
    lines = []
    for line in message.splitlines():
        before = re.match(r" *\S.*? {2,}| *", line)
        indent = len(before[0]) if before and len(before[0]) <= width // 2 else 0
        lines += textwrap.wrap(
            line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(lines)


class Phrases:
    """Phrases that break over lines where the width asks for it; empty ones are left out."""

    def __init__(self, parts: Sequence[str], style: str = "") -> None:
        self._parts = parts
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in phrases(self._parts, options.max_width):
            yield _line(Text(line, style=self._style))


class Facts:
    """Names and values under each other; a long value goes on under its beginning. Empty values are left out."""

    def __init__(self, facts: Sequence[tuple[str, str]]) -> None:
        self._facts = [(name, value) for name, value in facts if value]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max((len(name) for name, _ in self._facts), default=0)
        for name, value in self._facts:
            lines = wrapped(f"{name:<{width}}{GAP}{value}", options.max_width).splitlines()
            for number, line in enumerate(lines):
                text = Text(line)
                text.stylize("dim", 0, 0 if number else width)
                yield _line(text)


class Columns:
    """Rows under headings, no frames; where the width does not suffice, the last column is cut, or goes under its row.

    Rich's own Table narrows all columns alike, and a name that is cut cannot be copied.
    """

    def __init__(
        self, headings: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str] = ()
    ) -> None:
        """right: headings of the columns that stand right-aligned. Where all headings are empty, none is shown."""
        self._right = [heading in right for heading in headings]
        head = [[Text(heading, style="dim") for heading in headings]] if any(headings) else []
        body = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
        self._rows = [*head, *body]
        self._heads = len(head)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = [max(cell.cell_len for cell in column) for column in zip(*self._rows, strict=True)]
        gap = GAP if sum(widths[:-1]) + len(GAP) * (len(widths) - 2) <= options.max_width else _NARROW_GAP
        room = options.max_width - sum(widths[:-1]) - len(gap) * (len(widths) - 1)
        fits = room >= min(_LEAST, widths[-1])
        widths[-1] = min(widths[-1], room)
        indent = widths[0] + len(gap)
        for number, row in enumerate(self._rows):
            cells = row if fits else row[:-1]
            yield _line(Text(gap).join(self._fitted(place, cell, widths[place]) for place, cell in enumerate(cells)))
            if not fits and number >= self._heads and row[-1]:
                under = row[-1].copy()
                under.truncate(max(_LEAST, options.max_width - indent), overflow="ellipsis")
                yield _line(Text(" " * indent) + under)

    def _fitted(self, place: int, cell: Text, width: int) -> Text:
        cell = cell.copy()
        cell.truncate(width, overflow="ellipsis")
        cell.align("right" if self._right[place] else "left", width)
        return cell


def _line(text: Text) -> Text:
    text.rstrip()
    text.no_wrap, text.overflow = True, "ignore"
    return text
