"""The `distml` command: parse, call, print. Everything heavy is imported by the command that needs it."""

import contextlib
import json
import os
import shlex
import shutil
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.errors import DistmlError
from distml.training.garbage import expect_imports, keep_imports
from distml.training.processor import openblas_environment

if TYPE_CHECKING:
    from rich.console import RenderableType

    from distml.sweep.nodes import Scene

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
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error")]

app = typer.Typer(
    help="Search thousands of model configurations on the machines a team already has.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

mig = typer.Typer(help="Plan how cards are cut by MIG.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(mig, name="mig")
node = typer.Typer(help="Make this machine a part of a cluster.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(node, name="node")


def main() -> None:
    """Run the command line: exit 0 good, 1 nothing came of it, 2 the user's mistake, 130 interrupted."""
    os.environ.update(openblas_environment())
    expect_imports()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a '±' must not end a sweep on an ASCII terminal
    sys.path.append(str(Path.cwd()))  # for a user's own `class: my_package.module:MyModule`; hides no installed package
    try:
        app(prog_name="distml")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        if isinstance(error, DistmlError):
            _complain(str(error))
            sys.exit(error.status)
        fault = f"{type(error).__name__}: {error}"
        _complain(f"a fault in distml itself: {fault}\n  where: the same command with --debug")
        sys.exit(1)
    finally:
        keep_imports()


def _complain(message: str) -> None:
    """Say it on standard error; on a terminal broken between words."""
    if sys.stderr.isatty():
        from distml.report.layout import wrapped

        message = wrapped(message, shutil.get_terminal_size().columns)
    typer.echo(message, err=True)


@app.command()
def sweep(
    file: File,
    set_: Set = [],  # noqa: B006
    runs: Runs = Path("runs"),
    address: Address = None,
    fork: Annotated[
        str | None, typer.Option("--fork", metavar="NAME", help="a changed space: start a child sweep of this name")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="let Ray talk, too")] = False,
    debug: Debug = False,
) -> None:
    """Run a sweep, or go on with it."""
    from distml.report.console import console
    from distml.report.screen import watcher

    again = shlex.join(["distml", *sys.argv[1:]])
    seen = watcher(console())  # before the imports that take seconds
    try:
        from distml.sweep.reading import read_sweep
        from distml.sweep.run import run_sweep

        spec = read_sweep(file, set_)
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
    _show(*detail.ended(found))
    if outcome.state != "done":
        typer.echo(f"{outcome.state}; go on with: {again}", err=True)
    if outcome.state == "interrupted":
        raise typer.Exit(INTERRUPTED)


@app.command()
def validate(file: File, set_: Set = [], runs: Runs = Path("runs"), debug: Debug = False) -> None:  # noqa: B006
    """Report all mistakes in a sweep file, at once."""
    from distml.report import planned
    from distml.sweep.preflight import preflight
    from distml.sweep.reading import read_sweep

    checked = preflight(read_sweep(file, set_), runs)
    for line in planned.column_lines(checked.dataset.kinds):
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
    debug: Debug = False,
) -> None:
    """Show what a sweep would do, and how long it takes."""
    from distml.report import planned
    from distml.sweep.plan import make_plan
    from distml.sweep.preflight import preflight
    from distml.sweep.reading import read_sweep
    from distml.sweep.session import seen_from, this_machine

    checked = preflight(read_sweep(file, set_), runs)
    made = make_plan(checked, seen_from(address) if address else this_machine())
    if as_ is Format.table:
        typer.echo("\n".join(planned.plan_lines(checked.resolved, checked.warnings, made)))
    elif as_ is Format.json:
        _print_json(planned.plan_json(checked.resolved, checked.warnings, made))
    else:
        _print_rows(planned.plan_rows(made), as_)


@app.command()
def schema() -> None:
    """Print the sweep file's JSON schema."""
    from distml.sweep.spec import schema

    _print_json(schema())


@app.command("list")
def list_sweeps(runs: Runs = Path("runs"), as_: As = Format.table) -> None:
    """List the sweeps, the youngest first."""
    from distml.report import listing
    from distml.sweep.runs import list_runs

    rows = listing.rows_for(list_runs(runs), time.time())
    if as_ is Format.table and not rows:
        typer.echo(f"no sweeps in {runs}/; begin one with: distml sweep FILE", err=True)
    elif as_ is Format.table:
        _show(listing.list_table(rows))
    else:
        _print_rows(rows, as_)


@app.command()
def status(name: Name, runs: Runs = Path("runs"), as_: DetailAs = DetailFormat.table) -> None:
    """Show what runs, and why trials wait."""
    from distml.report import listing
    from distml.report.loaded import load

    found = load(name, runs)
    if as_ is DetailFormat.json:
        _print_json(listing.status_json(found))
    else:
        _show(*listing.status_lines(found))


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


@app.command()
def leaderboard(name: Name, runs: Runs = Path("runs"), as_: As = Format.table) -> None:
    """List a sweep's trials, best first."""
    from distml.report import leaderboard as board
    from distml.report.loaded import load

    found = load(name, runs)
    if as_ is Format.json:
        _print_json([board.row(trial, found.metric) for trial in found.leaderboard])
    elif as_ is Format.csv:
        typer.echo(board.leaderboard_csv(found.leaderboard, found.metric), nl=False)
    else:
        varied = board.varied_parameters(found.leaderboard)
        _show(board.leaderboard_table(found.leaderboard, found.metric, varied))


@app.command()
def show(
    name: Name,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="one of its trials, like t0007")] = None,
    runs: Runs = Path("runs"),
    as_: DetailAs = DetailFormat.table,
) -> None:
    """Show a sweep, or one of its trials, in full."""
    from distml.report import detail
    from distml.report.loaded import load

    found = load(name, runs)
    if trial is None and as_ is DetailFormat.json:
        _print_json(detail.sweep_json(found))
    elif trial is None:
        _show(*detail.sweep_lines(found))
    elif as_ is DetailFormat.json:
        _print_json(detail.trial_json(found.trial(trial), found.metric))
    else:
        _show(*detail.trial_lines(found.trial(trial), found.metric))


@app.command()
def rerun(name: Name, trial: Trial, runs: Runs = Path("runs"), debug: Debug = False) -> None:
    """Train a recorded trial again and compare."""
    from distml.report.loaded import load
    from distml.report.text import score

    found = load(name, runs)
    recorded = found.trial(trial)

    from distml.sweep.rerun import rerun_trial  # torch and scikit-learn stand behind it

    again = rerun_trial(found.folder, recorded.trial)
    same = (
        again.difference < 5e-5
    )  # to the digits that are shown: a network's last bits depend on who trained beside it
    verdict = "the same" if same else f"differs by {again.difference:.2g}"
    typer.echo(f"{trial}   {found.metric} {score(again.score)}, recorded {score(again.recorded)}: {verdict}")
    if not same:
        for change in again.changes:
            typer.echo(f"  since then, {change}")
        raise typer.Exit(1)


@app.command()
def doctor(runs: Runs = Path("runs"), address: Address = None, as_: As = Format.table) -> None:
    """Check this machine, or with --address all of a cluster, and say what to mend."""
    from distml.report import doctor

    if address:
        from distml.report.cluster import examine_cluster

        findings = examine_cluster(address, runs)
    else:
        findings = doctor.examine(runs)
    if as_ is Format.table:
        _show(*doctor.findings_lines(findings))
    else:
        _print_rows(doctor.findings_json(findings), as_)
    if any(finding.verdict == "mend" for finding in findings):
        raise typer.Exit(1)


@app.command()
def devices(address: Address = None, as_: As = Format.table) -> None:
    """List this machine's GPUs and MIG slices, or with --address those of a cluster."""
    from distml.report import devices

    silent: list[str] = []
    if address:
        from distml.report.cluster import nodes_of

        nodes, silent = nodes_of(address)
    else:
        nodes = [devices.this_node()]
    if as_ is Format.json:
        _print_json(devices.nodes_json(nodes))
    elif as_ is Format.csv:
        _print_rows(devices.devices_rows(nodes), as_)
    else:
        _show(*devices.devices_lines(nodes))
    for line in silent:
        typer.echo(line, err=True)
    if silent or any(node.inventory.faults for node in nodes):
        raise typer.Exit(1)


@app.command()
def top(
    runs: Runs = Path("runs"),
    address: Annotated[
        str | None, typer.Option("--address", metavar="auto|HOST:PORT", help="all nodes of a Ray cluster")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="look once")] = False,
    as_: DetailAs = DetailFormat.table,
) -> None:
    """Watch nodes, devices and cohorts."""
    from distml.report import top
    from distml.report.console import console

    with top.this_machine() if address is None else top.cluster(address) as nodes:

        def look() -> "Scene":
            scene = top.sweeps_scene(runs, time.time())
            if address is None and scene.nodes:
                return scene
            return top.with_nodes(scene, nodes())

        out = console()
        if as_ is DetailFormat.json:
            _print_json(top.scene_json(look()))
        elif once or not out.is_terminal:
            _show(*top.scene_lines(look()))
        else:
            with contextlib.suppress(KeyboardInterrupt):
                top.watch(out, look)


@mig.command("plan")
def mig_plan(
    card: Annotated[
        str | None, typer.Option("--card", metavar="CARD", help="like a100-40; without it, the cards of this machine")
    ] = None,
    throughput: Annotated[
        str, typer.Option("--throughput", metavar="PROFILE=N,...", help="measured on one slice of each profile")
    ] = "",
    needs: Annotated[str, typer.Option("--needs", metavar="GiB,...", help="of cohorts, like 4GiB,9GiB")] = "",
    as_: DetailAs = DetailFormat.table,
) -> None:
    """Choose the best MIG layout for a card; changes nothing."""
    from distml.hardware.devices import Inventory, list_devices
    from distml.hardware.mig_request import plans
    from distml.report import devices

    chosen = plans(Inventory() if card else list_devices(), card, throughput, needs)
    if as_ is DetailFormat.json:
        _print_json([devices.plan_json(*one) for one in chosen])
    else:
        typer.echo("\n\n".join("\n".join(devices.plan_lines(*one)) for one in chosen))


NodeName = Annotated[str, typer.Option("--name", metavar="NAME", help="of this machine; by default its own name")]


@node.command("start")
def node_start(
    head: Annotated[bool, typer.Option("--head", help="begin a cluster here")] = False,
    address: Annotated[str | None, typer.Option("--address", metavar="HOST:PORT", help="of the head to join")] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="this machine's address, where others reach it")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="of a head")] = 6379,
    dashboard_host: Annotated[
        str, typer.Option("--dashboard-host", metavar="ADDRESS", help="where a head's dashboard listens")
    ] = "127.0.0.1",
    dashboard_port: Annotated[int, typer.Option("--dashboard-port", metavar="PORT")] = 8265,
    cpus: Annotated[
        int | None, typer.Option("--cpus", min=1, metavar="N", help="cores to give; by default all")
    ] = None,
    name: NodeName = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the commands, start nothing")] = False,
    block: Annotated[bool, typer.Option("--block", help="stay, and end the node with this process")] = False,
) -> None:
    """Start one raylet for each class of device of this machine."""
    from distml.sweep import node as nodes

    if head == (address is not None):
        raise DistmlError("give either --head, to begin a cluster here, or --address HOST:PORT, to join one")
    asked = nodes.Request(
        address=address, host=host, port=port, dashboard_host=dashboard_host, dashboard_port=dashboard_port,
        **({"name": name} if name else {}),
    )  # fmt: skip
    nodes.check(asked)
    parts = nodes.parts_here(cpus)
    if dry_run:
        typer.echo("\n".join(map(str, nodes.commands(asked, parts, nodes.memory_here()))))
        return
    started = nodes.start(asked, parts)
    for line in nodes.said(asked, parts):
        typer.echo(line)
    if block:
        with nodes.ended_with_this(asked.name):
            nodes.watch(started)
        raise typer.Exit(1)  # nobody asked it to end


@node.command("stop")
def node_stop(name: NodeName = "") -> None:
    """End what `distml node start` started here, and nothing else."""
    import platform

    from distml.sweep.node import stop

    ended = stop(name or platform.node())
    typer.echo(f"ended: {', '.join(one.part for one in ended)}" if ended else "nothing runs here that was started so")


def _show(*items: "RenderableType") -> None:
    from distml.report.console import console, show

    show(console(), *items)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _print_rows(rows: list[dict[str, Any]], as_: Format) -> None:
    if as_ is Format.json:
        _print_json(rows)
        return
    import csv

    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    if rows:
        writer.writeheader()
    writer.writerows(rows)
