"""`distml show`: one sweep, or one of its trials, in full."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from distml.report import text
from distml.report.layout import GAP, Columns, Facts, Phrases
from distml.report.leaderboard import failure, leaderboard_table, row, varied_parameters
from distml.report.loaded import LoadedSweep
from distml.report.screen import states
from distml.sweep.lineage import line_of
from distml.sweep.records import SweepRecord, TrialRecord

_TOP = 10  # rows of the leaderboard that stand under a sweep that ended
_CAUSES = 5  # of a sweep without any result


def sweep_json(sweep: LoadedSweep) -> dict[str, Any]:
    """A sweep with the keys that scripts rely on; what is unknown is None."""
    opening, spec = sweep.opening, sweep.record.spec or {}
    return {
        "name": sweep.name,
        "metric": sweep.metric,
        "winner": sweep.record.winner,
        "holdout": finite(sweep.holdout) or None,
        "scorer": finite(sweep.record.scorer) or None,
        "counts": sweep.record.counts,
        "seconds": sweep.record.seconds,
        "budget": spec.get("budget"),
        "versions": opening.get("versions"),
        "git": opening.get("git"),
        "data_sha256": opening.get("data_sha256"),
    }


def trial_json(trial: TrialRecord, metric: str) -> dict[str, Any]:
    """The leaderboard's row and what else is known of a trial."""
    more = {} if trial.failure is None else {"traceback": trial.failure.traceback}
    return row(trial, metric) | {
        "failure": trial.failure and {**(failure(trial.failure) or {}), **more},
        "seed": trial.seed,
        "parent": trial.parent and {"trial": trial.parent.trial, "resource": trial.parent.resource},
        "attempts": trial.attempts,
        "missing": dict(trial.missing),
        "rungs": [
            {"resource": rung.resource, "scores": finite(rung.scores), "folds": [_finite(one) for one in rung.folds]}
            for rung in trial.rungs
        ],
    }


def sweep_lines(sweep: LoadedSweep) -> list[RenderableType]:
    """What is known of the whole sweep, a line each."""
    spec, opening, record = sweep.record.spec or {}, sweep.opening, sweep.record
    budget = spec.get("budget") or {}
    source = (spec.get("data") or {}).get("source")
    facts = [
        ("state", sweep.state),
        ("winner" if sweep.winner else "best so far", _short(sweep.winner or sweep.best, sweep.metric)),
        ("holdout", _scores(sweep.holdout)),
        ("scorer", f"{_members(record)}: {_scores(record.scorer)} on the holdout" if record.scorer else ""),
        ("trials", GAP.join(states(record.counts, failure_classes(record.trials.values())))),
        ("time", f"{text.duration(record.seconds)}{_of_budget(budget)}"),
        ("data", GAP.join(filter(None, [str(source or ""), _sha(opening.get("data_sha256"))]))),
        ("versions", ", ".join(f"{name} {version}" for name, version in (opening.get("versions") or {}).items())),
        ("git", str(opening.get("git") or "")),
        ("forked from", str(opening.get("parent") or "")),
        ("folder", str(sweep.folder.path)),
    ]
    stopped = [(family, f"stopped: {reason}") for family, reason in record.families_stopped.items()]
    return [Text(f"{sweep.name}   {sweep.metric}", style="bold"), Facts([*facts, *stopped])]


def trial_lines(trial: TrialRecord, metric: str, trials: Mapping[str, TrialRecord]) -> list[RenderableType]:
    """What is known of one trial: how it did, with what, rung by rung, and why it failed. trials: all of the sweep."""
    score = text.score(trial.score(metric), trial.score_sd)
    title = Phrases([trial.trial, trial.family, trial.state, f"{metric} {score}"], style="bold")
    facts = [
        ("seed", str(trial.seed)),
        ("cohort", trial.cohort or ""),
        ("device", trial.device or ""),
        ("seconds", text.amount(trial.seconds)),
        ("gpu seconds", "" if trial.gpu_seconds is None else text.amount(trial.gpu_seconds)),
        ("joules", _joules(trial)),
        ("utilisation", _or_why(trial, "utilisation", f"{trial.utilisation or 0:.0%}".replace("%", " %"))),
        ("peak memory", _or_why(trial, "peak_memory_mib", f"{trial.peak_memory_mib or 0:,.0f} MiB")),
        ("lost", f"{text.count(trial.attempts, 'time')} with its cohort" if trial.attempts else ""),
    ]
    parts: list[RenderableType] = [title, Facts(facts)]
    if trial.params:
        values = [[name, text.parameter(value)] for name, value in trial.params.items()]
        parts += ["", Columns(["parameter", "value"], values)]
    if trial.parent is not None:
        parts += ["", _line(trial, trials)]
    if trial.rungs:
        metrics = list(trial.rungs[-1].scores)
        rungs = [
            [f"{rung.resource:,}", *(text.score(rung.scores.get(name)) for name in metrics), _folds(rung.folds)]
            for rung in trial.rungs
        ]
        parts += ["", Columns(["rung", *metrics, f"{metric} by fold"], rungs, right=("rung", *metrics))]
    if trial.failure:
        where = [("node", trial.failure.node), ("log", trial.failure.log)]
        parts += ["", Text(f"{trial.failure.kind}: {trial.failure.error}", style="red"), Facts(where)]
    return parts


def _line(trial: TrialRecord, trials: Mapping[str, TrialRecord]) -> RenderableType:
    """The course of a population's trial: whose hyperparameters its weights were trained with, and how far."""
    line = line_of(trials, trial.trial)
    whole = [*(one for one, _ in line), trial]
    varied = sorted(varied_parameters(whole)[trial.family], key=list(trial.params).index)
    ends = [*(f"{until:,}" for _, until in line), f"{trial.rungs[-1].resource:,}" if trial.rungs else "now"]
    rows = [
        [end, one.trial, *(text.parameter(one.params[name]) for name in varied)]
        for end, one in zip(ends, whole, strict=True)
    ]
    return Columns(["until", "as", *varied], rows, right=("until",))


def ended(sweep: LoadedSweep) -> list[RenderableType]:
    """What stands on the screen when a sweep is over: its best trials, the holdout, the time, the next step."""
    record, opening, winner = sweep.record, sweep.opening, sweep.winner
    scored = [trial for trial in sweep.leaderboard if trial.state in ("finished", "stopped")]
    best = [trial for trial in scored if trial.score(sweep.metric) is not None][:_TOP]
    parts: list[RenderableType] = []
    if best:
        parts += ["", leaderboard_table(best, sweep.metric, varied_parameters(record.trials.values())), ""]
    if winner and sweep.holdout:
        rows = opening.get("holdout_rows")
        touched = _touched(record)
        title = f"holdout ({touched})" if rows is None else f"holdout ({rows:,} rows, {touched})"
        parts.append(Text(f"{title}   {winner.trial}: {_scores(sweep.holdout)}"))
    elif winner:
        parts.append(
            Text("no holdout, as there is no target: scores are means over resamples of the rows, with their sd")
        )
    if record.scorer:
        parts.append(Text(f"scorer on the same rows   {_members(record)}: {_scores(record.scorer)}"))
    parts += [Text(cause, style="red") for cause in _causes(sweep)]
    trials = sum(number for state, number in record.counts.items() if state not in ("pending", "running"))
    rate = f" = {trials / record.seconds * 60:.0f} a minute" if record.seconds >= 1 else ""
    step = f"next: distml report {sweep.name}" if winner else ""
    summary = [f"{text.count(trials, 'trial')} in {text.duration(record.seconds)}{rate}.", str(sweep.folder.path), step]
    return [*parts, Phrases(summary)]


def nothing(sweep: LoadedSweep) -> str:
    """Why a sweep ended without any trial that has a score."""
    counts = ", ".join(f"{number:,} {state}" for state, number in sweep.record.counts.items()) or "no trial was started"
    return "\n".join([f"nothing came of {sweep.name}: {counts}", *(f"  {cause}" for cause in _causes(sweep))])


def _members(record: SweepRecord) -> str:
    """'t0039 60 %, t0002 40 %'."""
    return ", ".join(f"{trial} {round(100 * share)} %" for trial, share in record.scorer_members.items())


def _touched(record: SweepRecord) -> str:
    """How often the held-out rows were looked at, and for what: never to choose by."""
    if record.scored:
        return f"touched {record.touched + record.scored} times, by a winner or a scorer each"
    return "touched once" if record.touched == 1 else f"touched {record.touched} times, by a winner each"


def _causes(sweep: LoadedSweep) -> list[str]:
    """What trials failed of, the most frequent first, with one to look at."""
    causes: dict[str, list[str]] = {}
    for trial in sweep.record.trials.values():
        if trial.state == "failed" and trial.failure:
            causes.setdefault(f"{trial.failure.kind}: {trial.failure.error}", []).append(trial.trial)
    often = sorted(causes.items(), key=lambda one: -len(one[1]))[:_CAUSES]
    return [f"{len(trials):,} failed, {cause}   see: distml show {sweep.name} {trials[0]}" for cause, trials in often]


def failure_classes(trials: Iterable[TrialRecord]) -> dict[str, int]:
    """Class of failure -> failed trials."""
    classes: dict[str, int] = {}
    for trial in trials:
        if trial.state == "failed" and trial.failure:
            classes[trial.failure.kind] = classes.get(trial.failure.kind, 0) + 1
    return classes


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores as JSON has them: NaN and infinity are None."""
    return {name: _finite(score) for name, score in scores.items()}


def _finite(score: float) -> float | None:
    return score if score - score == 0 else None


def _joules(trial: TrialRecord) -> str:
    """'~42.0', and of what it is only a part or why it is not known."""
    known = "~" * bool(trial.energy_estimated) + text.amount(trial.energy_j)
    why = trial.missing.get("energy_j")
    if trial.energy_j is not None and why:
        return f"{known}   without some rungs: {why}"
    return _or_why(trial, "energy_j", known)


def _or_why(trial: TrialRecord, name: str, known: str) -> str:
    """A figure of telemetry; where it is not known the reason, and nothing where nobody asked."""
    if getattr(trial, name) is not None:
        return known
    return f"not known: {trial.missing[name]}" if name in trial.missing else ""


def _short(trial: TrialRecord | None, metric: str) -> str:
    if trial is None:
        return ""
    return f"{trial.trial}  {trial.family}  {text.score(trial.score(metric), trial.score_sd)}"


def _scores(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {text.score(score)}" for name, score in scores.items())


def _folds(folds: Sequence[float]) -> str:
    return "  ".join(text.score(score) for score in folds)


def _sha(digest: str | None) -> str:
    return f"sha256 {digest[:12]}" if digest else ""


def _of_budget(budget: Mapping[str, Any]) -> str:
    parts = [
        f"{budget['minutes']:g} min" if budget.get("minutes") else "",
        text.count(budget["trials"], "trial") if budget.get("trials") else "",
    ]
    return f"   budget {', '.join(filter(None, parts))}" if any(parts) else ""
