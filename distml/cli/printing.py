"""What commands say, and how a command that cannot go on says why."""

import csv
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import typer

from distml.cli.options import Format

if TYPE_CHECKING:
    from rich.console import RenderableType


def complain(message: str) -> None:
    """Say it on standard error; on a terminal broken between words."""
    if sys.stderr.isatty():
        from distml.report.layout import wrapped

        message = wrapped(message, shutil.get_terminal_size().columns)
    typer.echo(message, err=True)


def show_items(*items: "RenderableType") -> None:
    from distml.report.console import console, show

    show(console(), *items)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_rows(rows: list[dict[str, Any]], as_: Format) -> None:
    if as_ is Format.json:
        print_json(rows)
        return
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    if rows:
        writer.writeheader()
    writer.writerows(rows)
