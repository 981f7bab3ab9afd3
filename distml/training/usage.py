"""What training took of the device."""

import resource
import sys

import torch


def peak_memory_mib(device: torch.device) -> float:
    """The most memory so far, MiB: the allocator's on a GPU, the process's elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB; bytes on macOS
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
