"""`distml top`: the nodes, their devices and the cohorts on them, now."""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from distml.hardware.attribution import boards
from distml.hardware.devices import Inventory
from distml.hardware.samples import HostSample
from distml.hardware.telemetry import Sampler
from distml.report.devices import Node, device_cells, devices_table, nodes_json
from distml.report.text import UNKNOWN
from distml.sweep.nodes import FRESH_SECONDS, CohortState, NodeState, Scene
from distml.sweep.runs import list_runs

_SECONDS = 1.0
_APART = 0.2  # s between two samples: what is measured as a difference needs two
_HERE = 60.0  # s in which a cluster's samplers give their first answer


def sweeps_scene(runs: Path, now: float) -> Scene:
    """What the drivers of running sweeps see; a node that several of them see stands once."""
    scenes = [folder.scene() for folder in list_runs(runs) if folder.driver is not None]
    fresh = [scene for scene in scenes if scene is not None and now - scene.at < FRESH_SECONDS]
    nodes = {node.name: node for scene in fresh for node in scene.nodes}
    return Scene(now, tuple(nodes.values()), tuple(cohort for scene in fresh for cohort in scene.cohorts))


def with_nodes(scene: Scene, nodes: Iterable[NodeState]) -> Scene:
    """A scene with these nodes in the place of its own of the same names."""
    merged = {node.name: node for node in (*scene.nodes, *nodes)}
    return Scene(scene.at, tuple(merged.values()), scene.cohorts)


@contextmanager
def this_machine() -> Iterator[Callable[[], list[NodeState]]]:
    """This machine by a sampler of its own."""
    sampler = Sampler()
    sampler.sample()
    time.sleep(_APART)
    try:
        yield lambda: [NodeState(platform.node(), sampler.inventory, sampler.sample())]
    finally:
        sampler.close()


@contextmanager
def cluster(address: str) -> Iterator[Callable[[], list[NodeState]]]:
    """The machines of a Ray cluster, by samplers that live as long as this does. Raises DistmlError."""
    from distml.sweep.nodes import state_of
    from distml.sweep.samplers import NodeView, Samplers  # a second, for Ray
    from distml.sweep.session import ray_session

    seen: list[NodeView] = []

    def take(views: Sequence[NodeView]) -> None:
        seen[:] = views

    with ray_session(address, dashboard=False, verbose=False):
        samplers = Samplers(0.0, Path(), take)
        samplers.begin()
        latest = time.monotonic() + _HERE
        while not (seen and all(view.report for view in seen)) and time.monotonic() < latest:
            time.sleep(_APART)
        try:
            yield lambda: list(map(state_of, list(seen)))
        finally:
            samplers.close()


def scene_json(scene: Scene) -> dict[str, Any]:
    """As plain data; what is not known is null, with its reason in `gap` or `missing`."""
    nodes = []
    for state in scene.nodes:
        node = _node(state, scene.cohorts)
        (found,) = nodes_json([node]) if node else [{"reason": None, "faults": [], "host": None, "devices": []}]
        nodes.append({**found, "node": state.name, "gap": state.gap or (state.sample and state.sample.gap)})
    return {"at": scene.at, "nodes": nodes, "cohorts": [asdict(cohort) for cohort in scene.cohorts]}


def scene_lines(scene: Scene) -> list[RenderableType]:
    """As it stands on the screen: a row for each machine, then one for each of its devices."""
    rows: list[list[str]] = []
    notes: dict[str, str] = {}
    said: list[str] = []
    for state in scene.nodes:
        node = _node(state, scene.cohorts)
        gap = state.gap or (state.sample.gap if state.sample and state.sample.devices else None)
        if gap:
            said.append(f"{state.name}: {gap}")
        if node is None:
            rows.append([state.name, *[UNKNOWN] * 5])
            continue
        on_cpu = [str(one) for one in scene.cohorts if one.node == state.name and not one.devices]
        kind = "host" if node.inventory.devices else "(no GPU)"
        rows.append([state.name, kind, *_host_cells(node.sample.host), ", ".join(on_cpu) or UNKNOWN])
        shares = boards(node.inventory)
        rows += [["", *device_cells(one, node, shares[one.uuid], notes)] for one in node.inventory.devices]
        said += [f"{state.name}: {fault}" for fault in node.inventory.faults]
    said += [f"{one.sweep} {one.cohort}: {one}, its place is not known yet"
             for one in scene.cohorts if one.node is None]  # fmt: skip
    return [*devices_table(rows, notes), *map(Text, said)]


def watch(out: Console, look: Callable[[], Scene]) -> None:
    """A live screen until Ctrl-C."""
    with Live(console=out, auto_refresh=False, screen=False) as live:
        while True:
            live.update(Group(*scene_lines(look())), refresh=True)
            time.sleep(_SECONDS)


def _node(state: NodeState, cohorts: Sequence[CohortState]) -> Node | None:
    if state.sample is None:
        return None
    inventory = state.inventory or Inventory()
    running: dict[str, str] = {}
    for cohort in cohorts:
        for uuid in cohort.devices if cohort.node == state.name else ():
            running[uuid] = ", ".join(filter(None, [running.get(uuid), str(cohort)]))
    return Node(state.name, inventory, state.sample, running)


def _host_cells(host: HostSample) -> list[str]:
    memory = f"{host.memory_used_mib / 1024:.1f} / {host.memory_mib / 1024:.1f} GiB"
    return [memory, f"{host.utilisation:.0%}".replace("%", " %"), UNKNOWN]
