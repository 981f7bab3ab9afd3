"""Ray's object store, as the driver puts into it."""

import contextlib
import functools
import socket
from typing import Any

import ray

_ANSWER_SECONDS = 2.0


def put(value: Any) -> Any:
    """`ray.put`, which would end this process without a word where its raylet has died.

    Raises:
        ConnectionError: it has.
    """
    if not raylet_answers():
        raise ConnectionError("the raylet of this process has died")
    return ray.put(value)


def raylet_answers() -> bool:
    """Whether this process's raylet does, which keeps the objects. The first call of a session must find it alive."""
    if not ray.is_initialized():
        return False
    with contextlib.suppress(OSError):
        where = _raylet_of(ray.get_runtime_context().get_node_id())
        with socket.create_connection(where, timeout=_ANSWER_SECONDS):
            return True
    return False


@functools.cache
def _raylet_of(node: str) -> tuple[str, int]:
    """Where a node's raylet listens: not its store, which would log each look."""
    (row,) = [row for row in ray.nodes() if row["NodeID"] == node]
    return row["NodeManagerAddress"], row["NodeManagerPort"]
