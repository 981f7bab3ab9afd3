"""Why a cohort was lost: its process died, or the machine under it."""

import contextlib
import socket

import ray
from ray._private import state

from distml.sweep.records import LossCause
from distml.training.cohort import Failure, FailureClass

_NODE_WORDS = ("node has died", "node was terminated", "node went before")  # Ray's, and ours of a cohort that waited
_ANSWER_SECONDS = 1.0


def cause_of(error: Exception | None) -> LossCause:
    """What ended a cohort whose Ray Tune trial ended with this error.

    Ray takes a quarter of a minute to find out that a node has died, and tells only that the process does not answer;
    so whether the node's raylet still listens is looked at.
    """
    if isinstance(error, ray.exceptions.RayTaskError):
        # The process lives and says what went wrong: it waited for the desk, whose node has died, or has a fault.
        return "node" if isinstance(error.cause, ray.exceptions.RayActorError) else "process"
    if any(words in str(error) for words in _NODE_WORDS):
        return "node"
    actor = getattr(error, "actor_id", None)
    return "node" if isinstance(actor, str) and not _raylet_listens(actor) else "process"


def loss(error: Exception | None, cause: LossCause) -> Failure:
    """Why a cohort's process is gone, in a line; memory where the host's ran out."""
    found = getattr(error, "cause", None) or error
    text = str(found or "the process ended without a word")
    if cause == "node":
        return Failure(kind="node", error="its node does not answer any more", traceback=text)
    kind: FailureClass = "memory" if "OutOfMemory" in f"{type(error).__name__} {type(found).__name__}" else "node"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Failure(kind=kind, error=f"{type(found).__name__}: {lines[0] if lines else text}", traceback=text)


def _raylet_listens(actor: str) -> bool:
    """Whether the node on which an actor was answers; True where that cannot be found out."""
    with contextlib.suppress(Exception):  # Ray raises what it likes
        place = state.actors(actor)["Address"]["NodeID"]
        (node,) = [row for row in ray.nodes() if row["NodeID"] == place]
        if not node["Alive"]:
            return False
        with contextlib.closing(socket.socket()) as probe:
            probe.settimeout(_ANSWER_SECONDS)
            return probe.connect_ex((node["NodeManagerAddress"], node["NodeManagerPort"])) == 0
    return True
