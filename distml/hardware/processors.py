"""What this process may use of its machine: less than all of it in a container, in a job, or under `taskset`."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_GROUPS = Path("/sys/fs/cgroup")  # cgroup v2, the only one that newer systems have
_OWN_GROUP = Path("/proc/self/cgroup")


def usable_cores(groups: Path = _GROUPS, own: Path = _OWN_GROUP) -> int:
    """Processor cores that a container, a job or `taskset` leaves to it; all of them where the system does not tell."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for limit in _limits("cpu.max", groups, own):
        quota, _, period = limit.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            cores = min(cores, max(1, int(quota) // int(period)))  # a part of a core carries no cohort
    return cores


def usable_memory(groups: Path = _GROUPS, own: Path = _OWN_GROUP) -> int:
    """Bytes of memory that it may take together with all else in its container or job."""
    limits = [int(limit) for limit in _limits("memory.max", groups, own) if limit.isdecimal()]  # else 'max'
    return min([psutil.virtual_memory().total, *limits])


def _limits(name: str, groups: Path, own: Path) -> Iterator[str]:
    """What the files of that name hold: of the process's own group and of all above it, each of which limits it."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    group = groups / next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    for folder in (group, *group.parents):
        with contextlib.suppress(OSError):  # the root has none
            yield (folder / name).read_text().strip()
        if folder == groups:
            return
