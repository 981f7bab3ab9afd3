"""What Ray is told where `ray.init` has no argument for it."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ray._private import services, worker
from ray._private.node import Node


@contextlib.contextmanager
def on_loopback() -> Iterator[None]:
    """Ray makes of a loopback address one that the network reaches; here it stays what it is."""
    with _replaced(services, "resolve_ip_for_localhost", lambda host: host):
        yield


@contextlib.contextmanager
def small(verbose: bool) -> Iterator[None]:
    """Start neither an autoscaler, which has nothing to scale on one machine and takes a second to end, nor, for
    nobody to read, a process that sends logs to the driver."""

    def nothing(node: Node) -> None: ...

    with (
        _replaced(Node, "start_monitor", nothing),
        _replaced(Node, "start_log_monitor", Node.start_log_monitor if verbose else nothing),
    ):
        yield


@contextlib.contextmanager
def silent(verbose: bool) -> Iterator[None]:
    """Keep the driver from printing what happens to Ray's processes: the sweep tells of it in its own words."""

    def nothing(*_: Any) -> None: ...

    with _replaced(worker, "listen_error_messages", worker.listen_error_messages if verbose else nothing):
        yield


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
