"""Under which conditions a machine was measured: who else used it, what held it back. Pure, but for looking once."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from distml.bench.record import Machine
from distml.hardware import mps
from distml.hardware.samples import DeviceSample
from distml.sweep.runs import list_runs

_DEFAULT_PIPES = Path("/tmp/nvidia-mps")  # where a daemon listens that was told nothing else
_OTHERS = 0.05  # of the processor: less is the system's own housekeeping
_STOLEN = 0.02


@dataclass(frozen=True)
class Stretch:
    """What the processor did while arms ran, seconds of one core."""

    available: float  # cores times time
    others: float  # used by processes that are not the bench's
    stolen: float  # that the host of a virtual machine gave to others


@dataclass(frozen=True)
class CpuTimes:
    """Seconds of all cores since the machine started."""

    busy: float
    stolen: float


def cpu_times() -> CpuTimes:
    """The processor's time until now."""
    now = psutil.cpu_times()
    stolen = getattr(now, "steal", 0.0)
    guests = getattr(now, "guest", 0.0) + getattr(now, "guest_nice", 0.0)  # counted as user time, too
    return CpuTimes(sum(now) - now.idle - getattr(now, "iowait", 0.0) - stolen - guests, stolen)


def mps_pipes(card: str, environment: Mapping[str, str] = os.environ, scratch: Path | None = None) -> str | None:
    """The folder where an MPS daemon listens that answers and has this card (UUID); None: there is none.

    The one that CUDA itself would find, or one that `distml node start --mps` began. scratch: for temporary files.
    """
    scratch = scratch or Path(tempfile.gettempdir())
    own = sorted(scratch.glob(f"distml-mps-{os.getuid()}/*/pipe"))
    for pipes in (Path(environment.get(mps.PIPES, _DEFAULT_PIPES)), *own):
        if mps.serves(pipes, card):
            return str(pipes)
    return None


def running_sweeps(runs: Path) -> list[str]:
    """Sweeps of this folder of runs that train on this machine now."""
    drivers = {run.name: run.driver for run in list_runs(runs)}
    return [name for name, driver in drivers.items() if driver is not None and driver.is_here]


def marks(
    machine: Machine,
    card: DeviceSample | None,
    stretches: Sequence[Stretch],
    slowed_by: Sequence[str],
    throttled: int | None,
    sweeps: Sequence[str],
) -> list[str]:
    """What a reader must know before believing the figures.

    Args:
        card: as it was before the bench began.
        slowed_by: what held the card's clocks back meanwhile.
        throttled: how often the processor slowed down for its heat meanwhile.
        sweeps: that ran at the same time.
    """
    found = [f"a sweep ran at the same time: {', '.join(sweeps)}"] if sweeps else []
    if card is not None:
        found += busy_card(card)
    available = sum(one.available for one in stretches)
    others = sum(one.others for one in stretches) / available if available else 0.0
    stolen = sum(one.stolen for one in stretches) / available if available else 0.0
    if others > _OTHERS:
        found.append(f"busy: others used {others:.0%} of the processor meanwhile".replace("%", " %"))
    if stolen > _STOLEN:
        found.append(f"the host of this virtual machine took {stolen:.0%} of its processor".replace("%", " %"))
    if slowed_by:
        found.append(f"the card's clocks were held back: {', '.join(slowed_by)}")
    if throttled:
        found.append(f"the processor slowed down for its heat {throttled} time{'s' * (throttled != 1)}")
    if machine.on_battery:
        found.append("on battery")
    return found


def busy_card(card: DeviceSample) -> list[str]:
    """Whether somebody else computed on the card before the bench began; a sentence, or none.

    >>> from distml.hardware.samples import ProcessUse
    >>> busy_card(DeviceSample("GPU-0", utilisation=0.9, processes=(ProcessUse(4242, 21504.0),)))
    ['busy: process 4242 computed on the card (21.0 GiB), at 90 % utilisation']
    """
    others = card.processes or ()
    if not others and (card.utilisation or 0.0) <= _OTHERS:
        return []
    if not others:
        return [f"busy: the card was at {card.utilisation:.0%} utilisation before the bench".replace("%", " %")]
    pids = ", ".join(str(one.pid) for one in others)
    known = [one.memory_mib for one in others if one.memory_mib is not None]
    memory = f" ({sum(known) / 1024:.1f} GiB)" if known else ""
    use = "" if card.utilisation is None else f", at {card.utilisation:.0%} utilisation".replace("%", " %")
    return [f"busy: process{'es' * (len(others) > 1)} {pids} computed on the card{memory}{use}"]
