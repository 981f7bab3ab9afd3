"""Batched matrix products, by whichever library is quicker on this machine."""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_CPUINFO = Path("/proc/cpuinfo")


def product(a: Tensor, b: Tensor, out: Tensor, by_numpy: bool) -> Callable[[], object]:
    """A call that writes a @ b into out, again and again: (members, m, k) @ (members, k, n) -> (members, m, n)."""
    if by_numpy:
        return partial(np.matmul, a.numpy(), b.numpy(), out=out.numpy())
    return partial(torch.bmm, a, b, out=out)


def numpy_is_quicker(device: str, threads: int) -> tuple[bool, str]:
    """Whether NumPy's OpenBLAS multiplies small matrices quicker than torch's MKL, and why.

    A rule rather than a race, so that the same sweep on the same machine gives the same bits.
    """
    if device != "cpu":
        return False, f"products by torch on {device}"
    if threads > 1:
        return False, f"products by torch: it spreads a batch over {threads} threads"
    if "GenuineIntel" in _cpu_text():
        return False, "products by torch: MKL is at its best on Intel"
    return True, "products by NumPy: MKL uses no AVX-512 on this processor"


def openblas_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What to set before NumPy is first imported, so that its OpenBLAS uses AVX-512 where the processor has it.

    OpenBLAS 0.3 takes recent AMD processors for Haswell, which halves the rate of small products.
    """
    text = _cpu_text()
    known = "AuthenticAMD" in text and all(flag in text for flag in ("avx512f", "avx512bw", "avx512dq", "avx512vl"))
    return {"OPENBLAS_CORETYPE": "SKYLAKEX"} if known and "OPENBLAS_CORETYPE" not in environment else {}


@cache
def _cpu_text() -> str:
    """The first processor's entry; empty where the system does not tell."""
    return _CPUINFO.read_text().partition("\n\n")[0] if _CPUINFO.is_file() else ""
