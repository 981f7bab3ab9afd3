"""Whether somebody answers where a cluster is said to be."""

import socket

from distml.errors import DistmlError

_SECONDS = 5.0


def check_reached(address: str) -> None:
    """Raise DistmlError where nobody answers at HOST:PORT: Ray itself would try for minutes, and then name another."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_SECONDS):
            return
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
    raise DistmlError(
        f"nobody answers at {address} ({why}): is the head up, and its port open to this machine? "
        "On the head: distml node start --head"
    )
