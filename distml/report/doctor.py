"""Is this machine fit for sweeps? Each finding says what was found and, where needed, what to do."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.text import Text

from distml.hardware.devices import Device, Inventory, list_devices
from distml.hardware.processors import usable_cores
from distml.report.text import count

Verdict = Literal["good", "mind", "mend"]  # mend: sweeps will not run, or not as they should

_GIB = 2**30
_RAY_SECONDS = 60.0
_RAY_PROBE = """
from distml.sweep.session import ray_session
with ray_session(None, dashboard=False, verbose=False) as session:
    print(session.place)
"""
_STYLES = {"good": "green", "mind": "yellow", "mend": "bold red"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(runs: Path) -> list[Finding]:
    """Look at everything a sweep on this machine depends on; takes some seconds, for Ray is really started."""
    return [
        *check_versions(),
        check_processors(usable_cores(), psutil.virtual_memory().available),
        *check_devices(list_devices()),
        check_runs_folder(runs),
        check_shared_memory(Path("/dev/shm")),
        check_ray([sys.executable, "-c", _RAY_PROBE]),
    ]


def findings_lines(findings: Sequence[Finding]) -> list[Text]:
    """One line a finding, what to do about it under it, and a last line that sums up."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        verdict = (finding.verdict, _STYLES[finding.verdict])
        lines.append(Text.assemble(verdict, f"   {finding.subject:<{width}}   {finding.found}"))
        if finding.advice:
            lines.append(Text(f"{'':<{width + 10}}{finding.advice}"))
    mend = sum(finding.verdict == "mend" for finding in findings)
    return [*lines, Text(), Text(f"{count(mend, 'thing')} to mend" if mend else "fit for sweeps")]


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as plain data."""
    return [asdict(finding) for finding in findings]


def check_versions(
    installed: Callable[[str], str] = metadata.version,
    requires: Iterable[str] | None = None,
    python: str = "{}.{}.{}".format(*sys.version_info[:3]),
) -> list[Finding]:
    """Python and every package distml needs, against the ranges in distml's own metadata."""
    about = metadata.metadata("distml")
    wanted = SpecifierSet(about["Requires-Python"])
    findings = [
        Finding("distml", "good", metadata.version("distml")),
        _version("python", python, wanted, f"install Python {wanted}"),
    ]
    for line in metadata.requires("distml") or [] if requires is None else requires:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():  # an extra
            continue
        wish = f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            findings.append(_version(requirement.name, installed(requirement.name), requirement.specifier, wish))
        except metadata.PackageNotFoundError:
            findings.append(Finding(requirement.name, "mend", "not installed", wish))
    return findings


def _version(name: str, found: str, wanted: SpecifierSet, wish: str) -> Finding:
    if wanted.contains(found, prereleases=True):
        return Finding(name, "good", found)
    return Finding(name, "mend", f"{found}, outside {wanted}", wish)


def check_processors(cores: int, memory_free: int) -> Finding:
    """memory_free: bytes."""
    found = f"{cores} core{'s' * (cores != 1)}, {memory_free / _GIB:.1f} GiB of memory free"
    if memory_free < 3 * _GIB:
        return Finding("processor", "mind", found, "a local Ray and two trials take about 3 GiB; close other programs")
    return Finding("processor", "good", found)


def check_devices(found: Inventory) -> list[Finding]:
    """One finding a card and a fault, or the one reason why there is neither."""
    advice = "compare the driver with `nvidia-smi`; a container needs --gpus all"
    faults = [Finding("gpu", "mend", fault, advice) for fault in found.faults]
    if not found.devices:
        return faults or [Finding("gpu", "good", found.reason or "")]
    return [*(_card(found, card) for card in found.cards), *faults]


def _card(found: Inventory, card: Device) -> Finding:
    memory = "memory unknown" if card.memory_mib is None else f"{card.memory_mib / 1024:.1f} GiB"
    said = f"{card.name}, {memory}, driver {card.driver}"
    if card.usable:
        return Finding(f"gpu{card.index}", "good", said)
    slices = found.slices(card)
    if not slices:
        advice = "in MIG mode a card without slices runs nothing; see: distml mig plan"
        return Finding(f"gpu{card.index}", "mend", f"{said}, MIG without a slice", advice)
    return Finding(f"gpu{card.index}", "good", f"{said}, MIG: {', '.join(one.profile or '?' for one in slices)}")


def check_runs_folder(runs: Path) -> Finding:
    """Can a run be written there, and is there room?"""
    existing = next(folder for folder in (runs.absolute(), *runs.absolute().parents) if folder.exists())
    subject = f"{runs}/"
    if not existing.is_dir():
        return Finding(subject, "mend", f"{existing} is a file", "choose another folder with --runs DIR")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(subject, "mend", f"{existing} cannot be written", "choose another folder with --runs DIR")
    free = shutil.disk_usage(existing).free
    room = f"{free / _GIB:,.1f} GiB free"
    if free < 2 * _GIB:
        return Finding(subject, "mind", room, "a full disk pauses a sweep; make room or choose --runs DIR elsewhere")
    return Finding(subject, "good", f"can be written, {room}")


def check_shared_memory(folder: Path) -> Finding:
    """Ray keeps the prepared tables there; on a disk instead they are slow."""
    if not folder.is_dir():
        return Finding(str(folder), "mind", "not there", "Ray will keep shared tables on disk, which is slower")
    total = shutil.disk_usage(folder).total
    if total < 2 * _GIB:
        return Finding(str(folder), "mind", f"{total / _GIB:.2f} GiB", "start the container with --shm-size=4g or more")
    return Finding(str(folder), "good", f"{total / _GIB:.1f} GiB")


def check_ray(command: list[str], seconds: float = _RAY_SECONDS) -> Finding:
    """Start Ray for real, in a process of its own that may take so long and no longer."""
    probe = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, complained = probe.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(probe.pid, signal.SIGKILL)
        probe.communicate()
        advice = "is the machine overloaded, or a proxy set for 127.0.0.1? see no_proxy"
        return Finding("start of Ray", "mend", f"not up after {seconds:.0f} s", advice)
    if probe.returncode == 0:
        return Finding("start of Ray", "good", said.strip().splitlines()[-1])
    last = (complained.strip().splitlines() or ["it said nothing"])[-1]
    return Finding("start of Ray", "mend", last, "the whole message: python -c 'import ray; ray.init()'")
