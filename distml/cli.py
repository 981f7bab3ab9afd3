"""The `distml` command: parse, call, print. Everything heavy is imported by the command that needs it."""

import contextlib
import json
import os
import re
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
    from distml.sweep.run import Outcome
    from distml.sweep.runs import RunFolder

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
    no_export: Annotated[bool, typer.Option("--no-export", help="make no scorer at the end")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="let Ray talk, too")] = False,
    debug: Debug = False,
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
    _show(*detail.ended(found))
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
        _show(*exported.lines(export_scorer(folder, checked=outcome.checked)))
    except DistmlError as error:
        _complain(f"no scorer was made: {error}\n  to try again: distml export {outcome.name}")
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the sweep is whole, its scorer: distml export {outcome.name}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def validate(file: File, set_: Set = [], runs: Runs = Path("runs"), debug: Debug = False) -> None:  # noqa: B006
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
    debug: Debug = False,
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
        _print_json(planned.plan_json(checked.resolved, checked.warnings, made))
    else:
        _print_rows(planned.plan_rows(made), as_)


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
    debug: Debug = False,
) -> None:
    """Measure this machine's throughput under every way of sharing it."""
    from distml.report import benching

    # A record is handed on: it names files, not the folders of whoever made it.
    command = shlex.join(["distml", *(re.sub("[^=]*/", "", word.rstrip("/")) for word in sys.argv[1:])])
    complete, lines = benching.bench(
        quick=quick, output=output, runs=runs, device=device, site=site, tf32=tf32, anyway=anyway, command=command
    )
    _show(*lines)
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
    debug: Debug = False,
) -> None:
    """Lay throughput records beside each other."""
    from distml.bench.compare import compare
    from distml.bench.record import read
    from distml.report import compared as shown

    found = compare([(path, read(path)) for path in records], baseline)
    if as_ is Format.table:
        _show(*shown.comparison_lines(found))
    elif as_ is Format.json:
        _print_json(shown.comparison_json(found))
    else:
        _print_rows(shown.comparison_rows(found), as_)
    if output is not None:
        from distml.report.comparison_page import write_files

        for file in write_files(found, output):
            typer.echo(f"written: {file}", err=True)


@app.command()
def recommend(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="of `distml bench`", show_default=False)],
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="that a sweep is to have")] = 1000,
    as_: As = Format.table,
    debug: Debug = False,
) -> None:
    """Say how to share a machine for a sweep, and how long that takes."""
    from distml.bench.recommend import recommend
    from distml.bench.record import read_measured
    from distml.report import recommended

    measured = read_measured(record)
    advice = recommend(measured, trials)
    if as_ is Format.table:
        _show(*recommended.advice_lines(measured, record, advice))
    else:
        _print_rows(recommended.advice_rows(advice), as_)


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
def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="by default report.html in the sweep's folder")
    ] = None,
    sensitive: Annotated[
        str | None, typer.Option("--sensitive", metavar="COLUMN", help="tell fairness by the groups of this column")
    ] = None,
    runs: Runs = Path("runs"),
    debug: Debug = False,
) -> None:
    """Write a sweep's results as one HTML page that needs no network."""
    from distml.report.loaded import load

    found = load(name, runs)
    typer.echo(found.report(sensitive).save(output or found.folder.report))


@app.command()
def rows(
    name: Name,
    trial: Annotated[str | None, typer.Argument(metavar="TRIAL", help="by default the winner")] = None,
    runs: Runs = Path("runs"),
    debug: Debug = False,
) -> None:
    """Print each row's cluster, or its coordinates in a projection, as CSV."""
    from distml.report.loaded import load

    typer.echo(load(name, runs).rows(trial).to_csv(index_label="row"), nl=False)


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
def export(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="the scorer's folder; by default in the run's")
    ] = None,
    trial: Annotated[str | None, typer.Option("--trial", metavar="TRIAL", help="this trial alone")] = None,
    single: Annotated[bool, typer.Option("--single", help="the best trial alone, no ensemble")] = False,
    background: Annotated[bool, typer.Option(help="store 32 made-up rows, against which reasons are told")] = True,
    onnx: Annotated[bool, typer.Option("--onnx", help="write models as ONNX, too, those that convert")] = False,
    runs: Runs = Path("runs"),
    debug: Debug = False,
) -> None:
    """Make a scorer of a sweep's best trials, to deploy."""
    from distml.sweep.runs import find_run

    folder = find_run(runs, name)

    from distml.report import exported
    from distml.sweep.export import export_scorer  # torch and scikit-learn stand behind it

    made = export_scorer(folder, output, trial, single=single, background=background, onnx=onnx)
    _show(*exported.lines(made))


@app.command()
def predict(
    scorer: Annotated[Path, typer.Argument(metavar="SCORER", help="a scorer's folder", show_default=False)],
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV, TSV, JSONL or Parquet, gzipped or not", show_default=False)
    ],
    reasons: Annotated[int, typer.Option("--reasons", min=0, metavar="N", help="the N strongest of each row")] = 0,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, metavar="X", help="of the probability, instead of the scorer's"),
    ] = None,
    cost_ratio: Annotated[
        float | None,
        typer.Option(
            "--cost-ratio",
            min=0,
            metavar="R",
            help="cost of a missed positive row over that of a refused other one: sets the threshold",
        ),
    ] = None,
    base_score: Annotated[
        float | None, typer.Option("--base-score", metavar="POINTS", help="of a row at the base odds")
    ] = None,
    base_odds: Annotated[
        float | None, typer.Option("--base-odds", metavar="ODDS", help="N to 1 against the positive class")
    ] = None,
    double_odds: Annotated[
        float | None, typer.Option("--double-odds", metavar="POINTS", help="points that double the odds")
    ] = None,
    keep: Annotated[
        list[str], typer.Option("--keep", metavar="COLUMN", help="write this column of the table, too; repeatable")
    ] = [],  # noqa: B006
    trust: Annotated[
        list[str],
        typer.Option("--trust", metavar="MODULE", help="import your own classes in it, if the scorer names them"),
    ] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="instead of standard output")] = None,
    debug: Debug = False,
) -> None:
    """Score a table: probability, points and decision of each row, as CSV."""
    from distml.scorer.command import Choices, score_table

    choices = Choices(
        reasons=reasons, threshold=threshold, cost_ratio=cost_ratio, base_score=base_score, base_odds=base_odds,
        double_odds=double_odds, keep=tuple(keep), trust=tuple(trust),
    )  # fmt: skip
    for line in score_table(scorer, table, output, choices):
        typer.echo(line, err=True)


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
    mps: Annotated[
        bool, typer.Option("--mps", help="let processes that share a whole card compute at once, by NVIDIA's MPS")
    ] = False,
    block: Annotated[bool, typer.Option("--block", help="stay, and end the node with this process")] = False,
) -> None:
    """Start one raylet for each class of device of this machine."""
    from distml.sweep import node as nodes

    if head == (address is not None):
        raise DistmlError("give either --head, to begin a cluster here, or --address HOST:PORT, to join one")
    asked = nodes.Request(
        address=address, host=host, port=port, dashboard_host=dashboard_host, dashboard_port=dashboard_port,
        mps=mps,
        **({"name": name} if name else {}),
    )  # fmt: skip
    nodes.check(asked)
    parts = nodes.parts_here(cpus)
    if dry_run:
        starts = [*nodes.daemon_commands(asked, parts), *map(str, nodes.commands(asked, parts, nodes.memory_here()))]
        typer.echo("\n".join(starts))
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
