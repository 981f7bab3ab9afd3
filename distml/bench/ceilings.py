"""The machine's own limits: a large matrix product and a copy on the device, beside which each arm stands."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import threadpool_limits

_SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices
_COPIED_MIB = {"cpu": 256, "cuda": 1024}
_SECONDS = 0.2  # that each is measured for, once warm


@dataclass(frozen=True)
class Limits:
    """One measurement of both."""

    gflops: float
    product_by: str
    gigabytes_per_second: float  # read and written


def measure(device: str, threads: int) -> Limits:
    """Measure both with all of the machine: `threads` on a processor, one process on a card.

    On a processor the quicker of torch's and NumPy's matrix library counts: which one that is differs by maker.
    """
    where = torch.device(device)
    with threadpool_limits(threads):
        rates = {"torch": _products(where)}
        if device == "cpu":
            rates["NumPy"] = _numpy_products()
        by = max(rates, key=lambda name: rates[name])
        return Limits(rates[by], by, _copies(where))


def _products(device: torch.device) -> float:
    side = _SIDE[device.type]
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    out = torch.empty_like(left)
    return 2e-9 * side**3 / _seconds(lambda: torch.matmul(left, right, out=out), device)


def _numpy_products() -> float:
    side = _SIDE["cpu"]
    left, right = np.random.default_rng(0).standard_normal((2, side, side), dtype=np.float32)
    out = np.empty_like(left)
    return 2e-9 * side**3 / _seconds(lambda: np.matmul(left, right, out=out), torch.device("cpu"))


def _copies(device: torch.device) -> float:
    source = torch.ones(_COPIED_MIB[device.type] * 2**18, device=device)
    target = torch.empty_like(source)
    return 2e-9 * source.numel() * source.element_size() / _seconds(lambda: target.copy_(source), device)


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """Of one call, the first one left out."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    call()
    start, calls = now(), 0
    while (passed := now() - start) < _SECONDS or not calls:
        call()
        calls += 1
    return passed / calls
