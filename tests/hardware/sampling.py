"""A sampler in the stand-in's process, whose clock is the stand-in's own."""

import os
import re
import time
from pathlib import Path

from distml.hardware.telemetry import Sampler

_sampler: Sampler


def clock():
    """The time in the file of the stand-in."""
    return 1_000_000 + float(re.search(r"^clock (.*)$", Path(os.environ["NVML_STANDIN"]).read_text(), re.M)[1])


def begin(disk="."):
    global _sampler
    _sampler = Sampler(Path(disk), clock)
    return _sampler.inventory


def sample():
    return _sampler.sample()


def end():
    _sampler.close()
    return _sampler.sample()


def cost(samples, period):
    """Seconds of processor time a sample, and MiB that the process grew, over some samples."""
    import psutil

    sampler = Sampler()
    sampler.sample()
    grown, begun = psutil.Process().memory_info().rss, time.process_time()
    for _ in range(samples):
        time.sleep(period)
        sampler.sample()
    spent = (time.process_time() - begun) / samples
    sampler.close()
    return spent, (psutil.Process().memory_info().rss - grown) / 2**20
