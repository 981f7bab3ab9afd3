"""What a running sweep says of its nodes, for `distml top`: a small file that its driver writes once a second."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, HostSample, ProcessUse, Sample

if TYPE_CHECKING:  # Ray stands behind it, which who reads the file does not need
    from distml.sweep.samplers import NodeView

FRESH_SECONDS = 5.0  # an older file is of a driver that is gone or stuck


@dataclass(frozen=True)
class NodeState:
    """A node, its devices and how they are doing."""

    name: str
    inventory: Inventory | None  # None: nobody has seen it yet
    sample: Sample | None
    gap: str | None = None  # why there is no sample, or none that is fresh


@dataclass(frozen=True)
class CohortState:
    """A cohort that trains."""

    sweep: str
    cohort: str
    family: str
    trials: int
    rung: int  # epochs or trees that its furthest member has reached
    node: str | None = None  # None: its first rung is not over
    devices: tuple[str, ...] = ()  # UUIDs, or as in CUDA_VISIBLE_DEVICES

    def __str__(self) -> str:
        """'scoring-network x512, rung 3'."""
        return f"{self.family} x{self.trials}, rung {self.rung}"


@dataclass(frozen=True)
class Scene:
    """The nodes and cohorts of a sweep, or of several, at one moment."""

    at: float  # Unix seconds
    nodes: tuple[NodeState, ...] = ()
    cohorts: tuple[CohortState, ...] = ()


def state_of(view: "NodeView") -> NodeState:
    """A node as the driver sees it."""
    report = view.report
    if report is None:
        return NodeState(view.name, None, None, view.gap)
    return NodeState(view.name, report.inventory, report.sample, view.gap)


def to_json(scene: Scene) -> dict[str, Any]:
    """As plain data."""
    return asdict(scene)


def from_json(found: Mapping[str, Any]) -> Scene:
    """A scene from `to_json`. Raises KeyError, TypeError or ValueError for what is none."""
    nodes = tuple(
        NodeState(node["name"], _inventory(node["inventory"]), _sample(node["sample"]), node["gap"])
        for node in found["nodes"]
    )
    cohorts = tuple(CohortState(**{**cohort, "devices": tuple(cohort["devices"])}) for cohort in found["cohorts"])
    return Scene(found["at"], nodes, cohorts)


def _inventory(found: Mapping[str, Any] | None) -> Inventory | None:
    if found is None:
        return None
    return Inventory(_all(Device, found["devices"]), found["reason"], tuple(found["faults"]))


def _sample(found: Mapping[str, Any] | None) -> Sample | None:
    if found is None:
        return None
    devices = tuple(
        DeviceSample(
            **{
                **device,
                "throttled_by": None if device["throttled_by"] is None else tuple(device["throttled_by"]),
                "processes": None if device["processes"] is None else _all(ProcessUse, device["processes"]),
            }
        )
        for device in found["devices"]
    )
    return Sample(found["time"], HostSample(**found["host"]), devices, found["gap"])


def _all(kind: Any, found: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return tuple(kind(**one) for one in found)
