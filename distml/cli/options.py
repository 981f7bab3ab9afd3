"""What commands share: their options, what a list may be printed as."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130


class Format(StrEnum):
    """What a list is printed as."""

    table = "table"
    json = "json"
    csv = "csv"


class DetailFormat(StrEnum):
    """What a single thing is printed as."""

    table = "table"
    json = "json"


File = Annotated[Path, typer.Argument(metavar="FILE", help="the sweep file", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="a sweep's name, see `distml list`", show_default=False)]
Trial = Annotated[str, typer.Argument(metavar="TRIAL", help="a trial, like t0007", show_default=False)]
Set = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="goes over the file, like budget.trials=5; repeatable")
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="where runs are kept")]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="auto|HOST:PORT",
        envvar="RAY_ADDRESS",  # which `ray job submit` sets
        show_envvar=False,
        help="a Ray cluster; without it this machine alone",
    ),
]
As = Annotated[Format, typer.Option("--format", help="what to print")]
DetailAs = Annotated[DetailFormat, typer.Option("--format", help="what to print")]
