"""Where records lie, and what the record of this machine tells a plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from distml.bench.compare import MODELS
from distml.bench.machine import identity
from distml.bench.record import Measured, read
from distml.errors import DistmlError
from distml.hardware.devices import list_devices

if TYPE_CHECKING:
    from distml.sweep.plan import Speed

FULL, QUICK = "throughput.json", "throughput-quick.json"


def default_output(runs: Path, quick: bool) -> Path:
    """Where `distml bench` writes: a quick record does not take a full one's place."""
    return runs / (QUICK if quick else FULL)


def known_speed(runs: Path) -> "Speed | None":
    """What this machine did in its own record in this folder of runs, the full one before the quick one; None: nothing.

    A record of another machine, or one that cannot be read, is no record of this one.
    """
    for name in (FULL, QUICK):
        path = runs / name
        if not path.is_file():
            continue
        try:
            record = read(path)
        except DistmlError:
            continue
        if isinstance(record, Measured) and record.machine.identity == identity(list_devices()):
            return speed(record, path)
    return None


def speed(record: Measured, path: Path) -> "Speed":
    """A record's best rates, in rows of training a second."""
    from distml.sweep.plan import Speed  # imports scikit-learn, for which those who only write a record need not wait

    rates: dict[str, float] = {}
    for model, _ in MODELS:
        best = record.best(model)
        if best is not None and best.samples_per_second is not None:
            rates[model] = best.samples_per_second.median
    workload = record.workload
    source = f"this machine's throughput record of {record.made.date[:10]}, {path}"
    source += f" ({'; '.join(record.marks)})" if record.marks else ""
    return Speed(rates, workload.multiplications, workload.features, source)
