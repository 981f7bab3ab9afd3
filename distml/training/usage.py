"""What training took of the device."""

import resource
import sys

import psutil
import torch


def peak_memory_mib(device: torch.device) -> float:
    """The most memory so far, MiB: the allocator's on a GPU, the process's elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB; bytes on macOS
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def memory_in_use_mib(device: torch.device) -> float:
    """The memory in use now, MiB: the allocator's peak since the last call on a GPU, the process's elsewhere."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_reserved(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak / 2**20
    return psutil.Process().memory_info().rss / 2**20


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the GPU or in the allocator of the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
