"""Where output goes: a terminal gets its width and colours, a pipe or file gets bare text of any width."""

import shutil
import sys
from typing import TextIO

from rich.console import Console, RenderableType
from rich.text import Text

_UNBOUNDED = 10_000  # cells: nothing is cut that goes to a file or another program


def console(stream: TextIO | None = None) -> Console:
    """A console on `stream` (standard output when None) that adds nothing of its own to what is printed."""
    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def show(out: Console, *items: RenderableType) -> None:
    """Print items under each other; what does not fit a line is broken by the terminal, at its edge."""
    for item in items:
        out.print(item, soft_wrap=isinstance(item, (str, Text)))
