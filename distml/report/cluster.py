"""`distml devices --address` and `distml doctor --address`: every machine of a cluster beside this one."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distml.report.devices import Node, this_node
from distml.report.doctor import Finding, check_devices
from distml.sweep.machines import COMPARED, Facts, Heard, ask_each, facts_here

_GIB = 2**30
_SKEW_SECONDS = 2.0  # what is measured across machines is off by as much


def nodes_of(address: str) -> tuple[list[Node], list[str]]:
    """Each machine with its devices; and those that did not answer, with why."""
    heard = ask_each(address, this_node)
    nodes = [replace(one.answer, name=one.machine) for one in heard if one.answer is not None]
    return nodes, [f"{one.machine}: {one.error}" for one in heard if one.answer is None]


def examine_cluster(address: str, runs: Path) -> list[Finding]:
    """Compare every machine with this one: versions, storage, clocks, disk, devices."""
    runs = runs.absolute()
    runs.mkdir(parents=True, exist_ok=True)
    probe = tempfile.mkdtemp(dir=runs, prefix=".doctor-")
    try:
        heard = ask_each(address, facts_here, runs, Path(probe).name)
        here = facts_here(runs, Path(probe).name)
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    return [finding for one in heard for finding in findings_of(one, here, runs)]


def findings_of(heard: Heard[Facts], here: Facts, runs: Path) -> list[Finding]:
    """What one machine's answer says, beside this machine's own facts."""
    if heard.answer is None:
        return [Finding(heard.machine, "mend", heard.error, "is it under load, or its Ray gone? ray list nodes")]
    found = heard.answer
    findings = [
        _versions(found, here),
        _storage(found, runs),
        _clock(found.clock, heard.asked),
        *check_devices(found.inventory),
    ]
    return [replace(finding, subject=f"{heard.machine} {finding.subject}") for finding in findings]


def _versions(found: Facts, here: Facts) -> Finding:
    theirs = {name: found.versions.get(name, "") for name in COMPARED}  # an older distml there tells of fewer
    said = ", ".join([f"python {found.python}", *(f"{name} {theirs[name] or 'missing'}" for name in COMPARED)])
    differs = [
        f"{name} {version}"
        for name, version, other in [
            ("python", here.python, found.python),
            *((name, here.versions[name], theirs[name]) for name in COMPARED),
        ]
        if version != other
    ]
    if not differs:
        return Finding("versions", "good", said)
    return Finding("versions", "mend", said, f"this machine has {', '.join(differs)}: install the same on both")


def _storage(found: Facts, runs: Path) -> Finding:
    advice = "choose a folder that all machines share, by the same path, with --runs DIR"
    if not found.sees:
        return Finding("storage", "mend", f"{runs} is not this machine's folder of that name", advice)
    if found.writes:
        return Finding("storage", "mend", f"{runs} cannot be written: {found.writes}", advice)
    free = (found.disk_free or 0) / _GIB
    said = f"{runs} can be written, {free:,.1f} GiB free, {found.memory_free / _GIB:.1f} GiB of memory free"
    return Finding("storage", "good" if free >= 2 else "mind", said, "" if free >= 2 else "make room")


def _clock(clock: float, asked: Sequence[float]) -> Finding:
    """It looked at its clock somewhere between asking and hearing; only what lies outside is known to be wrong."""
    off = max(asked[0] - clock, clock - asked[1], 0.0)
    if off <= _SKEW_SECONDS:
        return Finding("clock", "good", f"agrees within {max(_SKEW_SECONDS, asked[1] - asked[0]):.0f} s")
    way = "behind" if clock < asked[0] else "ahead"
    return Finding("clock", "mind", f"{off:.0f} s {way}", "times in journals will mislead: set it by NTP")
