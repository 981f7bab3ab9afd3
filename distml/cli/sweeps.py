"""Sweeps: begin, look at, end."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import (
    INTERRUPTED,
    Address,
    As,
    DetailAs,
    DetailFormat,
    File,
    Format,
    Name,
    Runs,
    Set,
)  # fmt: skip
from distml.cli.printing import complain, print_json, print_rows, show_items
from distml.errors import DistmlError

if TYPE_CHECKING:
    from distml.sweep.run import Outcome
    from distml.sweep.runs import RunFolder

app = typer.Typer()


@app.command()
def sweep(
    file: File,
    set_: Set = [],  # noqa: B006
    runs: Runs = Path("runs"),
    address: Address = None,
    fork: Annotated[
        str | None, typer.Option("--fork", metavar="NAME", help="a changed space: start a child sweep of this name")
    ] = None,
    no_export: Annotated[bool, typer.Option("--no-export", help="make no scorer at the end")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="let Ray talk, too")] = False,
) -> None:
    """Run a sweep, or go on with it; then make a scorer of its best trials."""
    from distml.report.console import console
    from distml.report.screen import watcher

    again = shlex.join(["distml", *sys.argv[1:]])
    seen = watcher(console())  # before the imports that take seconds
    try:
        from distml.sweep.reading import read_sweep
        from distml.sweep.run import run_sweep

        spec = read_sweep(file, [*set_, "export=false"] if no_export else set_)
        outcome = run_sweep(spec, runs=runs, address=address, fork=fork, watcher=seen, verbose=verbose)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; go on with: {again}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        seen.closed()  # the terminal must get its cursor back whatever happened

    from distml.report import detail
    from distml.report.loaded import load

    found = load(outcome.name, runs)
    if outcome.state == "nothing":
        typer.echo(detail.nothing(found), err=True)
        raise typer.Exit(1)
    show_items(*detail.ended(found))
    exports = spec.export and spec.data.target is not None
    if outcome.state == "done" and exports and not found.record.scorer_is_current:
        _make_scorer(found.folder, outcome)
    if outcome.state != "done":
        typer.echo(f"{outcome.state}; go on with: {again}", err=True)
    if outcome.state == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _make_scorer(folder: "RunFolder", outcome: "Outcome") -> None:
    """The scorer of a sweep that has just ended; what goes wrong with it costs the scorer alone."""
    from distml.report import exported
    from distml.sweep.export import export_scorer

    try:
        show_items(*exported.lines(export_scorer(folder, checked=outcome.checked)))
    except DistmlError as error:
        complain(f"no scorer was made: {error}\n  to try again: distml export {outcome.name}")
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the sweep is whole, its scorer: distml export {outcome.name}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def validate(file: File, set_: Set = [], runs: Runs = Path("runs")) -> None:  # noqa: B006
    """Report all mistakes in a sweep file, at once."""
    from distml.report import planned
    from distml.sweep.preflight import preflight
    from distml.sweep.reading import read_sweep

    checked = preflight(read_sweep(file, set_), runs)
    kinds = checked.dataset.kinds
    for line in [*planned.column_lines(kinds), *planned.text_lines(kinds, checked.resolved["preprocessing"])]:
        typer.echo(line)
    for warning in checked.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"{file.name}: no mistakes")


@app.command()
def plan(
    file: File,
    set_: Set = [],  # noqa: B006
    runs: Runs = Path("runs"),
    address: Address = None,
    as_: As = Format.table,
) -> None:
    """Show what a sweep would do, and how long it takes."""
    from distml.bench.here import known_speed
    from distml.report import planned
    from distml.sweep.plan import make_plan, needs_so_far
    from distml.sweep.preflight import preflight
    from distml.sweep.reading import read_sweep
    from distml.sweep.runs import RunFolder
    from distml.sweep.session import seen_from, this_machine

    checked = preflight(read_sweep(file, set_), runs)
    needs = needs_so_far(RunFolder(runs, checked.spec.name))
    cluster = seen_from(address) if address else this_machine()
    made = make_plan(checked, cluster, needs, None if address else known_speed(runs))
    if as_ is Format.table:
        typer.echo("\n".join(planned.plan_lines(checked.resolved, checked.warnings, made)))
    elif as_ is Format.json:
        print_json(planned.plan_json(checked.resolved, checked.warnings, made))
    else:
        print_rows(planned.plan_rows(made), as_)


@app.command()
def schema() -> None:
    """Print the sweep file's JSON schema."""
    from distml.sweep.spec import schema

    print_json(schema())


@app.command("list")
def list_sweeps(runs: Runs = Path("runs"), as_: As = Format.table) -> None:
    """List the sweeps, the youngest first."""
    from distml.report import listing
    from distml.sweep.runs import list_runs

    rows = listing.rows_for(list_runs(runs), time.time())
    if as_ is Format.table and not rows:
        typer.echo(f"no sweeps in {runs}/; begin one with: distml sweep FILE", err=True)
    elif as_ is Format.table:
        show_items(listing.list_table(rows))
    else:
        print_rows(rows, as_)


@app.command()
def status(name: Name, runs: Runs = Path("runs"), as_: DetailAs = DetailFormat.table) -> None:
    """Show what runs, and why trials wait."""
    from distml.report import listing
    from distml.report.loaded import load

    found = load(name, runs)
    if as_ is DetailFormat.json:
        print_json(listing.status_json(found))
    else:
        show_items(*listing.status_lines(found))


@app.command()
def stop(
    name: Name,
    now: Annotated[bool, typer.Option("--now", help="do not wait for running trials to finish")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """End a running sweep; it can go on later."""
    from distml.sweep.runs import find_run

    folder = find_run(runs, name)
    if folder.driver is None:
        typer.echo(f"{name} is not running; nothing to stop")
        return
    folder.ask_to_stop(now=now)
    typer.echo(f"{name} ends {'now' if now else 'when its running trials have'}   {folder.driver}")
