"""This machine, and clusters of such."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import Address, As, DetailAs, DetailFormat, Format, Runs
from distml.cli.printing import print_json, print_rows, show_items
from distml.errors import DistmlError

if TYPE_CHECKING:
    from distml.sweep.nodes import Scene

app = typer.Typer()
mig = typer.Typer(help="Plan how cards are cut by MIG.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(mig, name="mig")
node = typer.Typer(help="Make this machine a part of a cluster.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(node, name="node")


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
        show_items(*doctor.findings_lines(findings))
    else:
        print_rows(doctor.findings_json(findings), as_)
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
        print_json(devices.nodes_json(nodes))
    elif as_ is Format.csv:
        print_rows(devices.devices_rows(nodes), as_)
    else:
        show_items(*devices.devices_lines(nodes))
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
            print_json(top.scene_json(look()))
        elif once or not out.is_terminal:
            show_items(*top.scene_lines(look()))
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
        print_json([devices.plan_json(*one) for one in chosen])
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
        int | None, typer.Option("--cpus", min=1, metavar="N", help="cores to give; by default all it may use")
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
