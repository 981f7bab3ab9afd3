"""How many members a cohort should have: as many as raise its throughput and fit its memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import psutil
import torch

from distml.models.family import Params
from distml.training.cohort import Assignment, Member
from distml.training.modules import batches_of
from distml.training.stacked import BLOCK, StackedCohort
from distml.training.usage import is_out_of_memory, memory_in_use_mib

_GAIN = 1.1  # doubling the members must raise throughput by this much to be worth it
_FULL = 0.9  # of the memory that is there
_STEPS, _WARM_UP = 6, 2
LANES = BLOCK["cpu"]  # nothing is gained by fewer


@dataclass(frozen=True)
class Measured:
    """What a cohort of some size did in a probe."""

    members: int
    trials_per_minute: float
    memory_mib: float


@dataclass(frozen=True)
class Sizing:
    """How many members, and why in one sentence."""

    members: int
    reason: str


def choose_size(measured: Sequence[Measured], memory_mib: float, most: int) -> Sizing:
    """The smallest size whose double is not at least a tenth quicker, among those that fit.

    measured: ascending sizes, each the double of the one before. It ends where memory ran out, if it did.

    >>> probes = [Measured(8, 900.0, 280.0), Measured(16, 1100.0, 310.0), Measured(32, 1130.0, 360.0)]
    >>> choose_size(probes, memory_mib=11878.4, most=1000).reason
    'K=16: throughput flat beyond (1100 trials/min at 16, 1130 at 32); 310 MiB of 11.6 GiB'
    """
    fitting = [one for one in measured if one.memory_mib <= _FULL * memory_mib]
    if not fitting:
        return Sizing(1, f"K=1: not even the smallest cohort fits {memory_mib / 1024:.1f} GiB")
    for one, double in pairwise(fitting):
        if double.trials_per_minute < _GAIN * one.trials_per_minute:
            rates = f"{one.trials_per_minute:.0f} trials/min at {one.members}"
            why = f"throughput flat beyond ({rates}, {double.trials_per_minute:.0f} at {double.members})"
            break
    else:
        one = fitting[-1]
        cause = "no more are asked for" if 2 * one.members > most else "memory runs out beyond"
        why = f"{cause} ({one.trials_per_minute:.0f} trials/min)"
    return Sizing(one.members, f"K={one.members}: {why}; {one.memory_mib:.0f} MiB of {memory_mib / 1024:.1f} GiB")


def size_cohort(assignment: Assignment, params: Params, most: int, memory_mib: float | None = None) -> Sizing:
    """Probe cohorts of one block of lanes, two, four, ..., at most `most` members, a few training steps each.

    Takes well under a second on a CPU. Smaller cohorts are looked at only where a whole block does not fit.

    memory_mib: what may be used; by default all that the device has free.
    """
    device = torch.device(assignment.device)
    available = memory_mib if memory_mib is not None else _free_mib(device) + memory_in_use_mib(device)
    block = min(most, -(-LANES // len(assignment.folds)))
    measured = _measure(assignment, params, block, most, available)
    if not measured and block > 1:
        measured = _measure(assignment, params, 1, block, available)
    return choose_size(measured, available, most)


def _measure(assignment: Assignment, params: Params, least: int, most: int, available: float) -> list[Measured]:
    measured: list[Measured] = []
    for one in _probes(assignment, params, least, most):
        measured.append(one)
        flat = len(measured) > 1 and one.trials_per_minute < _GAIN * measured[-2].trials_per_minute
        if flat or one.memory_mib > _FULL * available:
            break
    return measured


def _probes(assignment: Assignment, params: Params, least: int, most: int) -> Iterator[Measured]:
    cohort = StackedCohort(assignment, params)
    folds = len(assignment.folds)
    epochs = int(params.get(assignment.family.resource or "epochs") or 1)  # type: ignore[arg-type]
    steps = epochs * folds * batches_of(assignment.folds[0], cohort.batch_size)
    cohort.admit([Member("probe", params, 0, (epochs,))])
    members = least
    while members <= most:
        try:
            seconds = cohort.seconds_per_step(members * folds, _STEPS, _WARM_UP)
        except Exception as error:
            if is_out_of_memory(error):
                return
            raise
        yield Measured(members, 60 * folds / (steps * seconds), memory_in_use_mib(torch.device(assignment.device)))
        members *= 2


def _free_mib(device: torch.device) -> float:
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return free / 2**20
