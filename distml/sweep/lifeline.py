"""Whether the Ray under a driver is still there, seen from a thread of the driver's own.

Without its head, Ray's calls hang for a minute and then end the process with a line of Ray's; without the raylet that
keeps this process's objects, the next object that is stored ends it without any. Who ran the sweep would learn nothing.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal, NoReturn

from distml.errors import DistmlError

PATIENCE_SECONDS = 20.0  # a head that keeps its register elsewhere (Redis) may come back in that time and go on
UNWIND_SECONDS = 5.0  # for a driver that was told to end in order; one that hangs in a call of Ray's never will
_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_AFTER_SECONDS = 2.0  # after its GCS, or its raylet, a head's other processes are ended

Death = Literal["head", "another head", "node"]
Look = Callable[[], bool]


class ClusterLostError(DistmlError):
    """The cluster is gone under the sweep; nothing that was finished is."""

    status = 1  # nothing for the user to mend in what they wrote


def epitaph(died: Death, address: str, is_local: bool) -> str:
    """What happened, what is kept and what to type, in a paragraph."""
    kept = "What was finished stands in the journal, and what ran will run again"
    if is_local:
        return (
            "The Ray that this sweep had started on this machine has died; did it run out of memory, or was it killed? "
            f"{kept}: the same command goes on."
        )
    others = f"on each other machine `distml node stop`, then `distml node start --address {address}`"
    what, mend = {
        "head": (
            f"The head of the Ray cluster at {address} does not answer any more, and without it nothing can be started",
            f"Bring it back: on its machine `distml node stop`, then `distml node start --head`; {others}",
        ),
        "another head": (
            f"The head of the Ray cluster at {address} was started anew and knows nothing of what this sweep had begun",
            f"Have the machines join it that have not: {others}",
        ),
        "node": (
            "The Ray node on this machine has died, through which the sweep was run",
            f"Bring it back: here `distml node stop`, then `distml node start --address {address}`",
        ),
    }[died]
    return f"{what}. {kept}. {mend}, each with the options it had. Then the same command goes on."


class Lifeline:
    """Looks at a driver's head and raylet until `leave`."""

    def __init__(
        self,
        address: str,
        *,
        is_local: bool,
        raylet: Look,
        identify: Callable[[], str | None],
        patience: float = PATIENCE_SECONDS,
        unwind: float = UNWIND_SECONDS,
        last_word: Callable[[str], None] | None = None,
    ) -> None:
        """
        Args:
            address: of the head's GCS, its register of nodes and actors, 'HOST:PORT'.
            raylet: whether this process's own does answer.
            identify: which cluster is at the address; None: it does not say. Asked now and after a silence.
            patience: seconds without an answer after which a head will not come back.
            unwind: seconds from the moment that `check` tells it to `close`, before the process is ended from here.
            last_word: says why, and ends the process.
        """
        host, _, port = address.rpartition(":")
        self._where = host.strip("[]"), int(port)
        self._address, self._is_local = address, is_local
        self._raylet, self._identify = raylet, identify
        self._identity = identify()
        self._patience, self._unwind = patience, unwind
        self._last_word = last_word or _end_process
        self._why: str | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="distml-lifeline", daemon=True).start()

    def answers(self) -> bool:
        """Whether head and raylet do now; takes seconds at most."""
        return self._why is None and self._head() and self._raylet()

    def check(self) -> None:
        """Raise ClusterLostError once it is known that the sweep cannot go on."""
        if self._why is not None:
            raise ClusterLostError(self._why)

    def cause_of(self, error: Exception) -> Exception:
        """What an error that Ray may have raised is to the user: a cluster that died, or itself."""
        if isinstance(error, ClusterLostError) or self.answers():
            return error
        return ClusterLostError(self._why or self._epitaph())

    def leave(self) -> None:
        """The driver ends: that what it had started ends, too, is as it should be. Where all is lost already, leaving
        may hang, and is looked after until `close`."""
        if self._why is None:
            self.close()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    # --- in the thread

    def _run(self) -> None:
        silent: float | None = None  # since when the head is, monotonic seconds
        while not self._closed.wait(_LOOK_SECONDS):
            now = time.monotonic()
            if not self._raylet():
                return self._give_up(self._epitaph())
            if not self._head():
                silent = now if silent is None else silent
                if now - silent >= self._patience:
                    return self._give_up(self._epitaph())
            elif silent is not None:
                found = self._identify()
                if found is not None and found != self._identity:
                    return self._give_up(epitaph("another head", self._address, self._is_local))
                silent = silent if found is None else None
        return None

    def _give_up(self, why: str) -> None:
        self._why = why
        if not self._closed.wait(self._unwind):
            self._last_word(why)

    def _epitaph(self) -> str:
        """Of a node or a head that is gone: with a head's raylet goes the head, if not at the same moment."""
        self._closed.wait(_AFTER_SECONDS)
        return epitaph("node" if self._head() else "head", self._address, self._is_local)

    def _head(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self._where, timeout=_ANSWER_SECONDS):
            return True
        return False


def _end_process(why: str) -> NoReturn:
    """Without unwinding, which would hang. The journal's last block is whole or is dropped when it is read."""
    sys.stderr.write(f"{why}\n")
    sys.stderr.flush()
    os._exit(ClusterLostError.status)
