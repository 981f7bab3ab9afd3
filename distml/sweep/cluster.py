"""What a sweep may train on: nodes, each with cores and with devices that are all alike."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a sweep on a machine without a GPU, and each of its workers, starts without them
    from distml.hardware.devices import DeviceClass
    from distml.hardware.parts import Part

CPU_ONLY = "cpu-only"  # what stands for a class where a node has no devices
NODE_VARIABLE = "DISTML_NODE"  # a machine's name, in the environment of all that Ray runs there

# What a raylet says of itself, as Ray's labels: `distml node start` writes them, a driver reads them.
_HOST, _CLASS, _MEMORY, _SMS, _DEVICE = (
    f"distml/{word}" for word in ("host", "class", "memory-mib", "multiprocessors", "device-")
)


@dataclass(frozen=True)
class Node:
    """One raylet; a machine with devices of several classes has several."""

    name: str  # of the machine
    cpus: int
    devices: "DeviceClass | None" = None
    apart: bool = False  # its cores and devices stand under a Ray resource named after their class, too

    def resources(self, cpus: float, gpus: float) -> dict[str, float]:
        """What Ray is asked for by one who takes these of it."""
        asked = {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
        if not self.apart:
            return asked
        return {**asked, self.devices.name: gpus} if self.devices else {**asked, CPU_ONLY: cpus}


@dataclass(frozen=True)
class Cluster:
    """All nodes that are there."""

    nodes: tuple[Node, ...]

    @property
    def cpus(self) -> int:
        return sum(node.cpus for node in self.nodes)

    @property
    def machines(self) -> set[str]:
        return {node.name for node in self.nodes}

    @property
    def gpus(self) -> int:
        """Devices, whole cards and slices alike."""
        return sum(len(node.devices.uuids) for node in self.nodes if node.devices)

    @property
    def device_classes(self) -> "tuple[DeviceClass, ...]":
        """Each class once, with all its devices, the largest first."""
        found: dict[str, DeviceClass] = {}
        for devices in (node.devices for node in self.nodes if node.devices):
            uuids = found[devices.name].uuids if devices.name in found else ()
            found[devices.name] = replace(devices, uuids=uuids + devices.uuids)
        return tuple(sorted(found.values(), key=lambda one: (-(one.multiprocessors or 0), -(one.memory_mib or 0))))


def is_slice(devices: "DeviceClass") -> bool:
    """Whether a class is one of MIG slices: '1g.10gb', '1c.2g.10gb'; a card's name never begins so."""
    return re.match(r"(\d+c\.)?\d+g\.\d+gb", devices.name) is not None


def class_of(part: "Part") -> str:
    """The name of what a part is a class of: that of its devices, or 'cpu-only'."""
    return part.devices.name if part.devices else CPU_ONLY


def labels_of(host: str, part: "Part") -> dict[str, str]:
    """What a raylet tells of its machine's part."""
    labels = {_HOST: host, _CLASS: class_of(part)}
    if part.devices is None:
        return labels
    if part.devices.memory_mib is not None:
        labels[_MEMORY] = str(part.devices.memory_mib)
    if part.devices.multiprocessors is not None:
        labels[_SMS] = str(part.devices.multiprocessors)
    return labels | {f"{_DEVICE}{number}": uuid for number, uuid in enumerate(part.devices.uuids)}


def host_of(row: Mapping[str, Any]) -> str:
    """The name of the machine that one of Ray's nodes stands on."""
    name = (row.get("Labels") or {}).get(_HOST) or row.get("NodeManagerHostname") or row["NodeManagerAddress"]
    return str(name)


def machine_of(row: Mapping[str, Any]) -> str:
    """What the nodes of one machine have in common: its name where they were told one, else its address."""
    return str((row.get("Labels") or {}).get(_HOST) or row["NodeManagerAddress"])


def nodes_from(rows: Iterable[Mapping[str, Any]]) -> tuple[Node, ...]:
    """The nodes that are alive, from what `ray.nodes()` tells; devices that carry no label are of class 'gpu'."""
    nodes = []
    for row in rows:
        if not row["Alive"]:
            continue
        labels, has = row.get("Labels") or {}, row["Resources"]
        nodes.append(
            Node(host_of(row), int(has.get("CPU", 0)), _devices(labels, int(has.get("GPU", 0))), _CLASS in labels)
        )
    return tuple(sorted(_agreed(nodes), key=lambda node: (node.name, node.devices.name if node.devices else "")))


def _agreed(nodes: Sequence[Node]) -> list[Node]:
    """Where classes of two machines share a name and not a size, both count as the smaller: Ray may take either."""
    alike: dict[str, list[DeviceClass]] = {}
    for devices in (node.devices for node in nodes if node.devices):
        alike.setdefault(devices.name, []).append(devices)
    least = {
        name: (_least(one.memory_mib for one in some), _least(one.multiprocessors for one in some))
        for name, some in alike.items()
    }
    agreed = []
    for node in nodes:
        if node.devices is not None:
            memory, multiprocessors = least[node.devices.name]
            devices = replace(node.devices, memory_mib=memory, multiprocessors=multiprocessors)
            node = replace(node, devices=devices)
        agreed.append(node)
    return agreed


def _least(values: Iterable[int | None]) -> int | None:
    """The smallest; None where one is not known."""
    known = list(values)
    return None if None in known else min(value for value in known if value is not None)


def _devices(labels: Mapping[str, str], count: int) -> "DeviceClass | None":
    if not count:
        return None
    from distml.hardware.devices import DeviceClass

    uuids = tuple(labels.get(f"{_DEVICE}{number}", "") for number in range(count))
    return DeviceClass(labels.get(_CLASS, "gpu"), uuids, _number(labels.get(_MEMORY)), _number(labels.get(_SMS)))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
