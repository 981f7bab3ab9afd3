"""`distml bench`: from what was typed to what is shown."""

import os
from pathlib import Path

from rich.console import RenderableType

from distml.bench import conditions, here, machine, record
from distml.bench.site import read_site
from distml.errors import DistmlError
from distml.hardware.devices import list_devices
from distml.hardware.processors import usable_cores
from distml.report.benched import BenchScreen, record_lines
from distml.report.console import console
from distml.sweep.runs import check_writable, nearest_existing


def bench(
    *, quick: bool, output: Path | None, runs: Path, device: str | None, site: Path | None, tf32: bool, anyway: bool,
    command: str,
) -> tuple[bool, list[RenderableType]]:  # fmt: skip
    """Measure this machine and write its record; (whether it came to its end, what to show).

    Raises:
        DistmlError: a sweep runs, there is no such device, or the record cannot be written.
    """
    path = output or here.default_output(runs, quick)
    if path.is_dir():
        raise DistmlError(f"{path} is a folder; --output names the record's file, like {path / 'throughput.json'}")
    try:
        check_writable(nearest_existing(path.parent))  # before minutes of measuring
    except OSError as error:
        raise DistmlError(f"cannot write {path}: {error.strerror}. Choose another place with --output FILE") from None
    sweeps = conditions.running_sweeps(runs)
    if sweeps and not anyway:
        raise DistmlError(
            f"{', '.join(sweeps)} trains on this machine: figures taken beside it would be of what it leaves over. "
            "Wait for it (distml status), end it (distml stop), or measure all the same with --anyway, which marks them"
        )
    prices, inventory = read_site(site), list_devices()
    subject = machine.choose_subject(
        inventory, usable_cores(), conditions.mps_pipes, device, os.environ.get("CUDA_VISIBLE_DEVICES")
    )
    described = machine.describe(subject, inventory, prices)

    from distml.bench import measure  # imports torch, for which a mistake need not wait

    with BenchScreen(console()) as screen:
        found = measure.measure(
            described, subject, inventory, measure.settings_of(quick, tf32), screen, command=command, sweeps=sweeps
        )
    record.write(found, path)
    return found.made.complete, record_lines(found, path)
