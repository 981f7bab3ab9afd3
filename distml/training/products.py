"""Batched matrix products, by whichever library is quicker on this machine."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from distml.training.processor import processor_text


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
    if "GenuineIntel" in processor_text():
        return False, "products by torch: MKL is at its best on Intel"
    return True, "products by NumPy: MKL uses no AVX-512 on this processor"
