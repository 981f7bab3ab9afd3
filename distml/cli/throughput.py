"""Throughput records."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from distml.cli.options import INTERRUPTED, As, Format, Runs
from distml.cli.printing import print_json, print_rows, show_items

app = typer.Typer()


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="fewer arms on less work: under 2 minutes on 2 cores")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="the record; by default RUNS/throughput.json")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="DEVICE", help="cpu, gpu0, rtx-3090, ...; else the first GPU"),
    ] = None,
    site: Annotated[
        Path | None, typer.Option("--site", metavar="FILE", help="prices; by default site.yaml, where there is one")
    ] = None,
    tf32: Annotated[bool, typer.Option("--tf32", help="let a GPU round factors of products to TF32")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="even while a sweep runs here")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Measure this machine's throughput under every way of sharing it."""
    from distml.report import benching

    # A record is handed on: it names files, not the folders of whoever made it.
    command = shlex.join(["distml", *(re.sub("[^=]*/", "", word.rstrip("/")) for word in sys.argv[1:])])
    complete, lines = benching.bench(
        quick=quick, output=output, runs=runs, device=device, site=site, tf32=tf32, anyway=anyway, command=command
    )
    show_items(*lines)
    if not complete:
        typer.echo("interrupted; what had been measured is in the record", err=True)
        raise typer.Exit(INTERRUPTED)


Records = Annotated[list[Path], typer.Argument(metavar="RECORD...", help="of `distml bench`", show_default=False)]


@app.command()
def compare(
    records: Records,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="RECORD", help="what ratios refer to; by default the first")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="also write a page and a picture there")
    ] = None,
    as_: As = Format.table,
) -> None:
    """Lay throughput records beside each other."""
    from distml.bench.compare import compare
    from distml.bench.record import read
    from distml.report import compared as shown

    found = compare([(path, read(path)) for path in records], baseline)
    if as_ is Format.table:
        show_items(*shown.comparison_lines(found))
    elif as_ is Format.json:
        print_json(shown.comparison_json(found))
    else:
        print_rows(shown.comparison_rows(found), as_)
    if output is not None:
        from distml.report.comparison_page import write_files

        for file in write_files(found, output):
            typer.echo(f"written: {file}", err=True)


@app.command()
def recommend(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="of `distml bench`", show_default=False)],
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="that a sweep is to have")] = 1000,
    as_: As = Format.table,
) -> None:
    """Say how to share a machine for a sweep, and how long that takes."""
    from distml.bench.recommend import recommend
    from distml.bench.record import read_measured
    from distml.report import recommended

    measured = read_measured(record)
    advice = recommend(measured, trials)
    if as_ is Format.table:
        show_items(*recommended.advice_lines(measured, record, advice))
    else:
        print_rows(recommended.advice_rows(advice), as_)
