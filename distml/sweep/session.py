"""Ray for the time of one sweep: started here on loopback, or one that is there already."""

import contextlib
import ctypes
import logging
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import ray
from ray._private import services
from ray._raylet import Config, GcsClient  # type: ignore[attr-defined]  # compiled

from distml.errors import DistmlError
from distml.hardware.processors import usable_cores
from distml.sweep.cluster import Cluster, Node, nodes_from
from distml.sweep.lifeline import Lifeline
from distml.sweep.mismatch import version_mismatch
from distml.sweep.ray_settings import on_loopback, silent, small
from distml.sweep.reach import check_reached
from distml.sweep.store import raylet_answers
from distml.training.processor import openblas_environment

if TYPE_CHECKING:
    from distml.hardware.devices import DeviceClass

LOOPBACK = "127.0.0.1"
_LOOPBACKS = (LOOPBACK, "localhost")
_FOLDER_PREFIX = "distml-ray-"
_OWNER_FILE = "driver.pid"
_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that asked for no GPU sees none
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


@dataclass(frozen=True)
class Session:
    """What there is to train on."""

    is_local: bool  # started here, on one machine, for this sweep alone
    place: str  # 'local Ray, 2 CPUs, no GPU'
    cluster: Cluster
    dashboard: str | None
    scratch: Path  # gone when the session ends
    lifeline: Lifeline


@contextlib.contextmanager
def ray_session(address: str | None, *, dashboard: bool, verbose: bool) -> Iterator[Session]:
    """Connect to `address`, or start Ray on this machine's loopback and stop it afterwards.

    Raises:
        DistmlError: Ray did not start or did not answer, with what to try.
    """
    settings = _SETTINGS | openblas_environment()
    os.environ.update({key: value for key, value in settings.items() if key not in os.environ})
    _sweep_up_after_killed_drivers()
    # Not inside the run's folder: Ray's sockets live here, and a socket's path holds at most 107 bytes.
    scratch = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    (scratch / _OWNER_FILE).write_text(f"{os.getpid()} {psutil.Process().create_time()}")
    level = logging.INFO if verbose else logging.CRITICAL
    logging.getLogger("ray").setLevel(level)
    lifeline: Lifeline | None = None
    try:
        try:
            if address is None:
                classes = local_devices()
                devices, idle = next(iter(classes), None), classes[1:]
                with on_loopback(), small(verbose), silent(verbose), _visible(devices):
                    context = ray.init(
                        include_dashboard=dashboard, dashboard_host=LOOPBACK, _node_ip_address=LOOPBACK,
                        num_cpus=usable_cores(), num_gpus=len(devices.uuids) if devices else 0,
                        _temp_dir=str(scratch), logging_level=level, log_to_driver=verbose,
                    )  # fmt: skip
                cluster = Cluster((Node(platform.node(), int(ray.cluster_resources().get("CPU", 0)), devices),))
            else:
                idle = []
                context = connect(address, verbose)
                cluster = current_cluster()
        except DistmlError:
            raise
        except Exception as error:  # Ray raises what it likes: ConnectionError, ValueError, RuntimeError, ...
            where = "on this machine" if address is None else f"at {address}"
            mismatch = version_mismatch(str(error))
            if mismatch is not None:
                raise DistmlError(f"Ray {where}: {mismatch}") from error
            raise DistmlError(f"Ray {where} did not answer: {error}\n  what to try: distml doctor") from error
        head = context.address_info["gcs_address"]
        raylet_answers()  # finds out where it does, once
        lifeline = Lifeline(
            head, is_local=address is None, raylet=raylet_answers,
            identify=partial(_cluster_at, head) if address else str,
        )  # fmt: skip
        yield Session(
            is_local=address is None,
            place=_place(address, cluster) + _left_idle(idle),
            cluster=cluster,
            dashboard=f"http://{context.dashboard_url}" if context.dashboard_url else None,
            scratch=scratch,
            lifeline=lifeline,
        )
    finally:
        if lifeline is not None:
            lifeline.leave()
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)
        if lifeline is not None:
            lifeline.close()


def connect(address: str, verbose: bool = False) -> Any:
    """Join a running Ray as a driver; 'auto': this machine's. Raises what Ray raises."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # as `distml node start` and `ray start --head` have it
    Config.initialize("")  # Ray read its settings when it was imported
    level = logging.INFO if verbose else logging.CRITICAL
    # Ray makes of a loopback address one that the network reaches, at which a head on loopback does not listen.
    with on_loopback(), silent(verbose):
        asked = services.canonicalize_bootstrap_address(address) or address
        host, _, port = asked.rpartition(":")
        if host and port.isdigit():
            check_reached(asked)
        if host in _LOOPBACKS:
            return ray.init(address=asked, logging_level=level, log_to_driver=verbose)
    with silent(verbose):
        return ray.init(address=address, logging_level=level, log_to_driver=verbose)


def _cluster_at(address: str) -> str | None:
    """Ray's id of the cluster whose head is there; None where it does not say."""
    with contextlib.suppress(Exception):  # Ray raises what it likes
        return str(GcsClient(address=address).cluster_id.hex())
    return None


def current_cluster() -> Cluster:
    """What the Ray to which this process is connected has now."""
    return Cluster(nodes_from(ray.nodes()))


def this_machine() -> Cluster:
    """What a Ray of this machine's own would have."""
    devices = next(iter(local_devices()), None)
    return Cluster((Node(platform.node(), usable_cores(), devices),))


def seen_from(address: str) -> Cluster:
    """What the Ray at that address has now; connects and leaves again. Raises DistmlError."""
    with ray_session(address, dashboard=False, verbose=False) as session:
        return session.cluster


def local_devices() -> "list[DeviceClass]":
    """This machine's classes of device, that with the most memory first: a Ray of its own uses those alone."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:  # the quickest way to know, for most machines have none
        return []
    from distml.hardware.devices import device_classes, list_devices
    from distml.hardware.parts import narrowed

    inventory = list_devices()
    classes = narrowed(device_classes(inventory), inventory, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return sorted(classes, key=lambda one: -len(one.uuids) * (one.memory_mib or 0))


def _left_idle(classes: "list[DeviceClass]") -> str:
    if not classes:
        return ""
    names = " and ".join(f"{len(one.uuids)} x {one.name}" for one in classes)
    return f" ({names} idle: distml node start --head would use all)"


@contextlib.contextmanager
def _visible(devices: "DeviceClass | None") -> Iterator[None]:
    """Ray hands out what its raylet's variable holds, by UUID: slices, which it knows nothing of, like cards."""
    if devices is None:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices.uuids)
    try:
        yield
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]
        os.environ.update({} if before is None else {"CUDA_VISIBLE_DEVICES": before})


def _place(address: str | None, cluster: Cluster) -> str:
    where = "local Ray" if address is None else f"Ray at {address}"
    nodes = "" if len(cluster.nodes) == 1 else f"{len(cluster.nodes)} nodes, "
    devices = " and ".join(f"{len(one.uuids)} x {one.name}" for one in cluster.device_classes) or "no GPU"
    return f"{where}, {nodes}{cluster.cpus} CPU{'s' * (cluster.cpus != 1)}, {devices}"


def _sweep_up_after_killed_drivers() -> None:
    """A driver that was killed left its scratch folder behind; its Ray died with it."""
    for owner in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*/{_OWNER_FILE}"):
        with contextlib.suppress(OSError, ValueError):
            pid, created = owner.read_text().split()
            if not _alive(int(pid), float(created)):
                shutil.rmtree(owner.parent, ignore_errors=True)


def _alive(pid: int, created: float) -> bool:
    try:
        return abs(psutil.Process(pid).create_time() - created) < 1
    except psutil.Error:
        return False
