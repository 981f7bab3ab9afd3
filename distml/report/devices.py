"""`distml devices` and `distml mig plan`: a node's cards and slices and what runs there; how a card could be cut."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from distml.hardware.attribution import Board, boards
from distml.hardware.devices import Device, Inventory, list_devices
from distml.hardware.mig import Plan
from distml.hardware.samples import DeviceSample, Sample
from distml.hardware.telemetry import Sampler
from distml.report.layout import Columns
from distml.report.text import UNKNOWN

_BY_HAND = "# with nvidia-smi, while the card is idle; on an uncut one -dci and -dgi find nothing to take away"
_APART = 0.2  # s between two samples: what is measured as a difference needs two


@dataclass(frozen=True)
class Node:
    """A machine, its devices and how they are doing."""

    name: str
    inventory: Inventory
    sample: Sample
    running: Mapping[str, str] = field(default_factory=dict)  # UUID -> what runs there, where that is known

    def of(self, device: Device) -> DeviceSample:
        """How a device is doing."""
        found = (one for one in self.sample.devices if one.uuid == device.uuid)
        return next(found, DeviceSample.gap(device.uuid, self.sample.gap or "it was not there when it was sampled"))


def this_node() -> Node:
    """This machine; takes a moment where it has devices."""
    inventory = list_devices()
    sampler = Sampler()
    sample = sampler.sample()
    if inventory.devices:
        time.sleep(_APART)
        sample = sampler.sample()
    sampler.close()
    return Node(platform.node(), inventory, sample)


def nodes_json(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """The nodes as plain data; what is not known is null, and `missing` says why."""
    return [
        {
            "node": node.name,
            "reason": node.inventory.reason,
            "faults": list(node.inventory.faults),
            "host": asdict(node.sample.host),
            "devices": [_device_json(device, node.of(device)) for device in node.inventory.devices],
        }
        for node in nodes
    ]


def _device_json(device: Device, sample: DeviceSample) -> dict[str, Any]:
    return {**asdict(device), **asdict(sample), "missing": {**device.missing, **sample.missing}}


def devices_rows(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """A row a device; lists stand as words."""
    rows = []
    for node in nodes:
        for device in node.inventory.devices:
            row = {"node": node.name, **_device_json(device, node.of(device))}
            row["processes"] = " ".join(str(one["pid"]) for one in row["processes"] or ())
            row["throttled_by"] = "; ".join(row["throttled_by"] or ())
            row["missing"] = "; ".join(f"{name}: {reason}" for name, reason in row["missing"].items())
            rows.append(row)
    return rows


def devices_lines(nodes: Sequence[Node]) -> list[RenderableType]:
    """The nodes as they stand on the screen, with notes on what is not there."""
    rows: list[list[str]] = []
    notes: dict[str, str] = {}
    said: list[str] = []
    for node in nodes:
        shares = boards(node.inventory)
        for number, device in enumerate(node.inventory.devices):
            name = "" if number else node.name
            rows.append([name, *device_cells(device, node, shares[device.uuid], notes)])
        reason = () if node.inventory.devices else (node.inventory.reason or "",)
        said += [f"{node.name}: {fault}" for fault in dict.fromkeys([*reason, *node.inventory.faults])]
    return [*devices_table(rows, notes), *map(Text, said)]


def devices_table(rows: Sequence[Sequence[str]], notes: Mapping[str, str]) -> list[RenderableType]:
    """Rows of nodes and devices, and the notes that their marks stand for."""
    headings = ["node", "device", "memory", "util", "power", "running"]
    table = [Columns(headings, rows, right=("memory", "util", "power"))] if rows else []
    return [*table, *(Text(f"{mark} {note}") for note, mark in notes.items())]


def device_cells(device: Device, node: Node, board: Board, notes: dict[str, str]) -> list[str]:
    """A device's row, after the node's name; notes: what stands under the table -> its mark."""
    sample = node.of(device)
    if device.parent:
        name = f"  {device.profile or 'slice'}"
    else:
        name = f"gpu{device.index} {device.name.removeprefix('NVIDIA ').removeprefix('GeForce ')}"
    memory = _memory(device, sample, notes) if device.usable else "MIG"
    util = _or_note(sample, "utilisation", notes, lambda value: f"{value:.0%}".replace("%", " %"))
    whole = next((one.power_w for one in node.sample.devices if one.uuid == board.card), None)
    if device.parent and board.share is not None and whole is not None:
        power = f"~{whole * board.share:.0f} W" + _mark(notes, "estimated: the board's power by share of SMs")
    else:
        power = _or_note(sample, "power_w", notes, lambda value: f"{value:.0f} W")
    return [name, memory, util, power, node.running.get(device.uuid) or _running(device, sample)]


def _memory(device: Device, sample: DeviceSample, notes: dict[str, str]) -> str:
    if device.memory_mib is None or sample.memory_used_mib is None:
        return f"n/a{_mark(notes, {**device.missing, **sample.missing}.get('memory_used_mib', ''))}"
    return f"{sample.memory_used_mib / 1024:.1f} / {device.memory_mib / 1024:.1f} GiB"


def _running(device: Device, sample: DeviceSample) -> str:
    if not device.usable or not sample.processes:
        return UNKNOWN if device.usable else ""
    return "pid " + ", ".join(str(process.pid) for process in sample.processes)


def _or_note(sample: DeviceSample, name: str, notes: dict[str, str], write: Callable[[float], str]) -> str:
    value = getattr(sample, name)
    return f"n/a{_mark(notes, sample.missing.get(name, ''))}" if value is None else write(value)


def _mark(notes: dict[str, str], note: str) -> str:
    """The mark under which a note stands at the foot of the table: *, **, ..."""
    return notes.setdefault(note, "*" * (len(notes) + 1))


def plan_lines(plan: Plan, indices: Sequence[int]) -> list[str]:
    """A layout, why it, and what an administrator does to get it."""
    cards = f"gpu{', gpu'.join(map(str, indices))}: " if indices else ""
    lines = [f"{cards}{plan.card.name}", f"  {plan.reason}", "", _BY_HAND]
    for index in indices or ("INDEX",):
        lines += plan.commands(index)
    return [*lines, "", "# the same for mig-parted", plan.mig_parted(indices)]


def plan_json(plan: Plan, indices: Sequence[int]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "card": plan.card.name,
        "indices": list(indices),
        "profiles": list(plan.profiles),
        "placements": [asdict(placement) for placement in plan.layout],
        "reason": plan.reason,
        "commands": [command for index in indices or ("INDEX",) for command in plan.commands(index)],
        "mig_parted": plan.mig_parted(indices),
    }
