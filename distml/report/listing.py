"""`distml list` and `distml status`: which sweeps there are, how each stands, and what waits."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from distml.errors import DistmlError
from distml.report import text
from distml.report.detail import failure_classes
from distml.report.layout import Columns, Facts, Phrases
from distml.report.loaded import LoadedSweep
from distml.report.screen import states
from distml.sweep.journal import read
from distml.sweep.pace import Pace, next_to_end
from distml.sweep.records import ENDED, TrialRecord
from distml.sweep.runs import RunFolder

_SHARES = 8  # structures whose shares are told
_NO_DRIVER = {
    "interrupted": "for a driver; this one was interrupted",
    "stopped": "for a driver; this one was stopped as asked",
    "finished": "for a larger budget; this one is used up",
}


def list_row(sweep: LoadedSweep, now: float) -> dict[str, Any]:
    """One sweep in the list; age: seconds since its journal last grew."""
    best = sweep.best
    counts = sweep.record.counts
    return {
        "name": sweep.name,
        "state": sweep.state,
        "trials": sum(counts.get(state, 0) for state in ENDED),
        "metric": sweep.metric,
        "best": best and best.trial,
        "score": best and best.score(sweep.metric),
        "score_sd": best and best.score_sd,
        "seconds": sweep.record.seconds,
        "age_seconds": max(0.0, now - sweep.folder.journal.stat().st_mtime),
    }


def list_table(rows: Iterable[dict[str, Any]]) -> Columns:
    """The list as it stands on the screen, the youngest first."""
    cells = [
        [
            row["name"],
            row["state"],
            f"{row['trials']:,}",
            text.score(row["score"], row["score_sd"]),
            row["metric"],
            text.duration(row["seconds"]),
            f"{text.roughly(row['age_seconds'])} ago",
        ]
        for row in rows
    ]
    return Columns(["sweep", "state", "trials", "best", "metric", "time", "last sign"], cells, right=("trials", "time"))


def status_json(sweep: LoadedSweep) -> dict[str, Any]:
    """How a sweep stands, as plain data."""
    record = sweep.record
    return {
        "name": sweep.name,
        "state": sweep.state,
        "counts": record.counts,
        "failures": failure_classes(record.trials.values()),
        "seconds": record.seconds,
        "best": sweep.best and sweep.best.trial,
        "cohorts": [_cohort(sweep, members) for members in _running(sweep)],
        "waiting": [{"trial": trial.trial, "family": trial.family, "why": why} for trial, why in _waiting(sweep)],
        "families_waiting": sweep.folder.waiting() if sweep.state == "running" else {},
        "next_to_end": {
            family: {"trial": trial, "seconds": seconds}
            for family, (trial, seconds) in _next_to_end(sweep, time.time()).items()
        },
        "families_stopped": record.families_stopped,
        "shares": [_share(need) for need in record.needs.values()],
    }


def status_lines(sweep: LoadedSweep) -> list[RenderableType]:
    """How a sweep stands: the state, what runs, and why what waits waits."""
    record, best = sweep.record, sweep.best
    going_on = "the same `distml sweep FILE` goes on with it" if sweep.state == "interrupted" else ""
    score = f"best {best.trial} {best.family} {text.score(best.score(sweep.metric), best.score_sd)}" if best else ""
    lines = [
        [sweep.name, sweep.state, text.duration(record.seconds), going_on],
        [*states(record.counts, failure_classes(record.trials.values())), score],
    ]
    parts: list[RenderableType] = [Phrases(line) for line in lines]
    running = [_cohort(sweep, members) for members in _running(sweep)]
    if running:
        heads = ["cohort", "family", "trials", "rung", "device", "slot"]
        rows = [[text.UNKNOWN if row[head] is None else str(row[head]) for head in heads] for row in running]
        parts.append("")
        parts.append(Columns(heads, rows, right=("trials", "rung")))
    shares = [_share(need) for need in record.needs.values()]
    if shares:
        parts.append("")
        parts.append(Facts([(f"{one['family']} on {one['device']}", _said(one)) for one in shares[:_SHARES]]))
        if len(shares) > _SHARES:
            parts.append(Text(f"and {len(shares) - _SHARES:,} more structures that were measured"))
    ends = {
        family: f" ({trial} ends in about {text.roughly(seconds)})"
        for family, (trial, seconds) in _next_to_end(sweep, time.time()).items()
    }
    waiting: dict[tuple[str, str], list[str]] = {}
    for trial, why in _waiting(sweep):
        waiting.setdefault((why, ends.get(trial.family, "")), []).append(trial.trial)
    named = [[_names(trials), f"waiting {why}{end}"] for (why, end), trials in waiting.items()]
    named += [[family, f"waiting {why}{ends.get(family, '')}"] for family, why in _idle(sweep).items()]
    if named:
        parts.append("")
        parts.append(Columns(["", ""], named))
    if record.families_stopped:
        parts.append("")
        parts += [Text(f"{family} stopped: {reason}") for family, reason in record.families_stopped.items()]
    return parts


def _share(need: Mapping[str, Any]) -> dict[str, Any]:
    """What cohorts of one structure take of a class of device, and why."""
    return {
        "family": need["family"],
        "structure": json.loads(need["structure"]),
        "device": need["kind"],
        "on_each": need["slots"],
        "members": need["members"],
        "memory_mib": need["memory_mib"],
        "utilisation": need["utilisation"],
        "reason": need["reason"],
    }


def _said(share: Mapping[str, Any]) -> str:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in share["structure"].items()}
    return share["reason"] + (f" ({text.parameters(values)})" if values else "")


def _names(trials: Sequence[str]) -> str:
    """'t0007', or 't0007 and 11 more'."""
    return trials[0] if len(trials) == 1 else f"{trials[0]} and {len(trials) - 1:,} more"


def _running(sweep: LoadedSweep) -> list[list[TrialRecord]]:
    """The running trials by cohort, in the order of the cohorts' names."""
    members: dict[str, list[TrialRecord]] = {}
    for trial in sweep.record.trials.values():
        if trial.state == "running" and trial.cohort:
            members.setdefault(trial.cohort, []).append(trial)
    return [members[cohort] for cohort in sorted(members)]


def _cohort(sweep: LoadedSweep, members: Sequence[TrialRecord]) -> dict[str, Any]:
    name = members[0].cohort or ""
    record = sweep.record.cohorts[name]
    return {
        "cohort": name,
        "family": record.family,
        "trials": len(members),
        "rung": max(trial.rungs[-1].resource if trial.rungs else 0 for trial in members),
        "device": next((trial.device for trial in members if trial.device), None),
        "slot": record.slot,
        "reason": record.reason,
    }


def _waiting(sweep: LoadedSweep) -> list[tuple[TrialRecord, str]]:
    """Every pending trial and what it waits for."""
    slots = text.count(len(_running(sweep)), "cohort")
    reasons = sweep.folder.waiting()
    found = []
    for trial in sweep.record.trials.values():
        if trial.state != "pending":
            continue
        if sweep.state != "running":
            why = _NO_DRIVER[sweep.state]
        elif trial.attempts and trial.failure:
            why = f"to run again: {text.count(trial.attempts, 'time')} lost with its cohort ({trial.failure.error})"
        else:
            why = reasons.get(trial.family) or f"for a free slot; {slots} running"
        found.append((trial, why))
    return found


def _next_to_end(sweep: LoadedSweep, now: float) -> dict[str, tuple[str, float]]:
    """For each family that waits: the trial after which a slot that it could use is free, unless others of the family
    which holds it follow; and in how many seconds that ends. Families of which it cannot be said are left out."""
    behind = sweep.folder.behind() if sweep.state == "running" else {}
    if not any(behind.values()):
        return {}
    pace = Pace(read(sweep.folder.journal))
    running = {members[0].cohort: [trial.trial for trial in members] for members in _running(sweep)}
    found = {
        family: next_to_end(pace, [running[cohort] for cohort in cohorts if cohort in running], now)
        for family, cohorts in behind.items()
    }
    return {family: end for family, end in found.items() if end is not None}


def _idle(sweep: LoadedSweep) -> dict[str, str]:
    """Families of which nothing trains and no trial waits yet, for none could start: why."""
    if sweep.state != "running":
        return {}
    alive = {trial.family for trial in sweep.record.trials.values() if trial.state in ("running", "pending")}
    return {family: why for family, why in sweep.folder.waiting().items() if family not in alive}


def rows_for(folders: Iterable[RunFolder], now: float) -> list[dict[str, Any]]:
    """All sweeps for the list, the one that grew last first; now: unix seconds."""
    return sorted((_row_for(folder, now) for folder in folders), key=lambda row: row["age_seconds"])


def _row_for(folder: RunFolder, now: float) -> dict[str, Any]:
    """A journal that cannot be read takes one row, not the whole list; `distml status` says what is wrong with it."""
    try:
        return list_row(LoadedSweep(folder), now)
    except DistmlError:
        unknown = dict.fromkeys(("best", "score", "score_sd"))
        age = max(0.0, now - folder.journal.stat().st_mtime)
        named = {"name": folder.name, "state": "damaged", "trials": 0, "metric": ""}
        return {**named, **unknown, "seconds": 0.0, "age_seconds": age}
