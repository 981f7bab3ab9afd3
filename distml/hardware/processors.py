"""How many processor cores this process may use."""

import os


def usable_cores() -> int:
    """Those that a container, a job or `taskset` leaves to it; all of them where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
