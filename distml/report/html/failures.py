"""Failures by cause."""

from collections import defaultdict
from collections.abc import Iterable

from distml.report import text
from distml.report.loaded import LoadedSweep
from distml.report.page import Section, Table
from distml.sweep.records import TrialRecord

_SHOWN = 30  # causes


def failures(sweep: LoadedSweep) -> Section:
    """What trials failed of, the most frequent cause first, with one to look at."""
    trials = sweep.record.trials.values()
    failed, diverged = (sum(trial.state == state for trial in trials) for state in ("failed", "diverged"))
    stopped = [f"{family} was stopped: {reason}." for family, reason in sweep.record.families_stopped.items()]
    if not failed and not diverged:
        return Section("failures", "Failures", " ".join(["No trial failed or diverged.", *stopped]))
    found = causes(trials)
    rows = [[kind, error, f"{len(names):,}", names[0]] for (kind, error), names in found[:_SHOWN]]
    if len(found) > _SHOWN:
        rest = found[_SHOWN:]
        rows.append(["others", f"{len(rest):,} further causes", f"{sum(len(n) for _, n in rest):,}", rest[0][1][0]])
    lead = f"{text.count(failed, 'trial')} failed and {diverged:,} diverged, of {len(sweep.record.trials):,}."
    table = Table("By cause, the most frequent first", ["class", "cause", "trials", "for example"], rows, {"trials"})
    see = f"One in full: distml show {sweep.name} {rows[0][3]}."
    return Section("failures", "Failures", " ".join([lead, see, *stopped]), [table])


def causes(trials: Iterable[TrialRecord]) -> list[tuple[tuple[str, str], list[str]]]:
    """((class, error), the trials it happened to), the most frequent first; a loss that left the numbers is one."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for trial in trials:
        if trial.state == "failed":
            cause = (trial.failure.kind, trial.failure.error) if trial.failure else ("unknown", "nothing was recorded")
            found[cause].append(trial.trial)
        elif trial.state == "diverged":
            found["diverged", "its loss was no longer a finite number"].append(trial.trial)
    return sorted(found.items(), key=lambda one: -len(one[1]))
