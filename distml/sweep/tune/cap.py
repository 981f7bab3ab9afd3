"""Holding a process to its share of a GPU: CUDA itself lets every process take all of it."""

import os
from functools import cache

import torch

from distml.hardware.packing import allocator_cap
from distml.hardware.telemetry import Sampler

_CONTEXT_MIB = 500  # of a process without arrays, where the driver does not tell or counts processes otherwise


def hold_to(slot_mib: int) -> float:
    """Let torch's allocator take a slot's memory less the process's fixed CUDA context; MiB that it may take.

    One that asks for more gets torch.OutOfMemoryError, and its neighbours on the card keep what is theirs.
    """
    torch.cuda.init()  # type: ignore[no-untyped-call]
    total_mib = torch.cuda.get_device_properties(0).total_memory / 2**20
    fraction = allocator_cap(slot_mib, total_mib, _context_mib())
    torch.cuda.set_per_process_memory_fraction(fraction)
    return fraction * total_mib


def peak_mib() -> float:
    """The most that this process took of its device since `forget_peak`: its allocator's blocks and its context."""
    return torch.cuda.max_memory_reserved() / 2**20 + _context_mib()


def forget_peak() -> None:
    """Begin to measure anew, with nothing kept that arrays no longer need."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


@cache
def _context_mib() -> float:
    """What NVML sees of this process beyond its arrays."""
    torch.zeros(1, device="cuda")  # the first array makes the context
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    sampler = Sampler()
    used = [
        process.memory_mib
        for device in sampler.sample().devices
        if device.uuid == visible
        for process in device.processes or ()
        if process.pid == os.getpid() and process.memory_mib is not None
    ]
    sampler.close()
    return max(0.0, used[0] - torch.cuda.memory_reserved() / 2**20) if used else _CONTEXT_MIB
