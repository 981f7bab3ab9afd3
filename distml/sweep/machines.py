"""The same question to every machine of a cluster."""

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from distml.errors import DistmlError
from distml.hardware.devices import Inventory, list_devices
from distml.sweep.cluster import Cluster, host_of
from distml.sweep.session import ray_session

_SECONDS = 60.0  # for a machine to answer
COMPARED = ("ray", "torch", "distml", "scikit-learn", "numpy", "pandas")  # packages that must agree

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Heard(Generic[Answer]):
    """One machine's answer; None where it gave none, and `error` says why."""

    machine: str
    answer: Answer | None
    error: str = ""
    asked: tuple[float, float] = (0.0, 0.0)  # this machine's clock before and after, Unix seconds


def ask_each(address: str, question: Callable[..., Answer], *arguments: Any) -> list[Heard[Answer]]:
    """Put a question to each machine of the Ray at that address. Raises DistmlError where there is no such Ray."""
    with ray_session(address, dashboard=False, verbose=False):
        return ask_all(question, *arguments)


def ask_all(question: Callable[..., Answer], *arguments: Any) -> list[Heard[Answer]]:
    """Put a question to each machine of the Ray to which this process is connected, to all at once; one that several
    raylets share is asked once."""
    ids = {host_of(row): row["NodeID"] for row in reversed(ray.nodes()) if row["Alive"]}
    remote = ray.remote(num_cpus=0, max_retries=0)(question)
    asked = time.time()
    references = {
        name: remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(ids[name], soft=False)).remote(
            *arguments
        )
        for name in sorted(ids)
    }
    ray.wait(list(references.values()), num_returns=len(references), timeout=_SECONDS, fetch_local=False)
    return [_heard(name, reference, asked) for name, reference in references.items()]


def check_machines(folder: Path, cluster: Cluster) -> None:
    """Ask each machine whether a sweep can run there; one that does not answer is passed over.

    Raises:
        DistmlError: one does not see this machine's folder, where what is to be gone on from lies; or it has no longer
            the devices with which its node was started.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".shared-") as probe:
        heard = {one.machine: one.answer for one in ask_all(_seen, Path(probe)) if one.answer is not None}
    wrong = [*_not_shared(folder, heard), *_gone(cluster, heard)]
    if wrong:
        raise DistmlError("\n".join(wrong))


@dataclass(frozen=True)
class _Seen:
    """What a machine has."""

    folder: bool  # that was just made, and it may write there
    devices: tuple[str, ...] | None  # UUIDs of those that CUDA can use; None: NVML does not tell


def _seen(folder: Path) -> _Seen:
    inventory = list_devices()
    usable = tuple(device.uuid for device in inventory.devices if device.usable)
    return _Seen(folder.is_dir() and os.access(folder, os.W_OK), None if inventory.faults else usable)


def _not_shared(folder: Path, heard: Mapping[str, _Seen]) -> list[str]:
    blind = [machine for machine, seen in heard.items() if not seen.folder]
    if not blind:
        return []
    advice = "choose one that all machines share, by the same path, with --runs DIR"
    return [f"{folder} is not the same folder on {', '.join(blind)}: {advice}"]


def _gone(cluster: Cluster, heard: Mapping[str, _Seen]) -> list[str]:
    """Devices that were there when a node was started: MIG was switched on or off, or a card cut anew, meanwhile."""
    found = []
    for node in cluster.nodes:
        seen = heard.get(node.name)
        if node.devices is None or seen is None or seen.devices is None:
            continue
        gone = [uuid for uuid in node.devices.uuids if uuid and uuid not in seen.devices]
        if gone:
            advice = "was MIG changed since its node was started? There: distml node stop, then distml node start"
            found.append(f"{node.name} has no longer {', '.join(gone)} ({node.devices.name}): {advice}")
    return found


def _heard(name: str, reference: "ray.ObjectRef[Answer]", asked: float) -> Heard[Answer]:
    try:
        return Heard(name, ray.get(reference, timeout=0.5), asked=(asked, time.time()))
    except ray.exceptions.GetTimeoutError:
        return Heard(name, None, f"no answer in {_SECONDS:.0f} s")
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Heard(name, None, lines[-1] if lines else type(error).__name__)


@dataclass(frozen=True)
class Facts:
    """What a machine tells of itself."""

    python: str
    versions: dict[str, str]  # of what must agree; '' where it is not installed
    clock: float  # Unix seconds
    disk_free: int | None  # bytes, where runs are kept; None: there is no such folder
    sees: bool  # a file that the asking machine has just written there
    writes: str  # why it cannot write there; empty where it can
    inventory: Inventory
    memory_free: int  # bytes


def facts_here(runs: Path, probe: str) -> Facts:
    """This machine's, with a look at the folder of all runs, in which `probe` should be seen."""
    folder, writes, free = runs / probe, "", None
    with contextlib.suppress(OSError):
        free = psutil.disk_usage(str(runs)).free
    sees = folder.is_dir()
    try:
        (folder / f"{platform.node()}-{os.getpid()}").write_text("distml")
    except OSError as error:
        writes = error.strerror or str(error)
    return Facts(
        python=platform.python_version(),
        versions={name: _version(name) for name in COMPARED},
        clock=time.time(),
        disk_free=free,
        sees=sees,
        writes=writes,
        inventory=list_devices(),
        memory_free=psutil.virtual_memory().available,
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
