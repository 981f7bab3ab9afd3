"""Ray for the time of one sweep: started here on loopback, or one that is there already."""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import psutil
import ray
from ray._private import services
from ray._private.node import Node

from distml.errors import DistmlError
from distml.training.processor import openblas_environment

LOOPBACK = "127.0.0.1"
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
    cpus: int
    gpus: float
    dashboard: str | None
    scratch: Path  # gone when the session ends


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
    level = logging.INFO if verbose else logging.ERROR
    logging.getLogger("ray").setLevel(level)
    try:
        try:
            if address is None:
                with _small_and_on_loopback(verbose):
                    context = ray.init(
                        include_dashboard=dashboard, dashboard_host=LOOPBACK, _node_ip_address=LOOPBACK,
                        _temp_dir=str(scratch), logging_level=level, log_to_driver=verbose,
                    )  # fmt: skip
            else:
                os.environ.setdefault("RAY_AUTH_MODE", "token")  # what `ray start --head` turns on by itself
                context = ray.init(address=address, logging_level=level, log_to_driver=verbose)
        except Exception as error:  # Ray raises what it likes: ConnectionError, ValueError, RuntimeError, ...
            where = "on this machine" if address is None else f"at {address}"
            raise DistmlError(f"Ray {where} did not answer: {error}\n  what to try: distml doctor") from error
        found = ray.cluster_resources()
        yield Session(
            is_local=address is None,
            place=_place(address, found),
            cpus=int(found.get("CPU", 0)),
            gpus=found.get("GPU", 0.0),
            dashboard=f"http://{context.dashboard_url}" if context.dashboard_url else None,
            scratch=scratch,
        )
    finally:
        ray.shutdown()
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _small_and_on_loopback(verbose: bool) -> Iterator[None]:
    """Settings that `ray.init` has no arguments for.

    It replaces a loopback address by one that the network reaches; here the network must not. It starts an autoscaler,
    which has nothing to scale on one machine and takes a second to end, and a process that sends logs to the driver.
    """

    def nothing(node: Node) -> None: ...

    with (
        mock.patch.object(services, "resolve_ip_for_localhost", lambda host: host),
        mock.patch.object(Node, "start_monitor", nothing),
        mock.patch.object(Node, "start_log_monitor", Node.start_log_monitor if verbose else nothing),
    ):
        yield


def _place(address: str | None, found: dict[str, float]) -> str:
    cpus, gpus = int(found.get("CPU", 0)), found.get("GPU", 0.0)
    where = "local Ray" if address is None else f"Ray at {address}"
    return f"{where}, {cpus} CPU{'s' * (cpus != 1)}, {f'{gpus:g} GPU' + 's' * (gpus != 1) if gpus else 'no GPU'}"


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
