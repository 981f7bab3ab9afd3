"""What a watcher sees of a running search."""

from collections import Counter
from collections.abc import Callable

from distml.models.family import Family
from distml.models.metrics import Metric
from distml.sweep.orders import FamilyPlan
from distml.sweep.progress import FamilyProgress, Progress
from distml.sweep.records import ENDED, SweepRecord, TrialRecord, best_trial


def snapshot(
    record: SweepRecord,
    plans: list[FamilyPlan],
    notes: dict[str, str],
    metric: Metric,
    *,
    elapsed_seconds: float,
    limit_seconds: float | None,
    message: str = "",
) -> Progress:
    """A search at one moment.

    Args:
        notes: family -> how it trains ('cohorts of 64').
        limit_seconds: the budget's time; None where only trials end the sweep.
    """
    best = best_trial(record, metric.name, metric.greater_is_better)
    members: dict[str, list[TrialRecord]] = {plan.name: [] for plan in plans}
    for trial in record.trials.values():
        members.setdefault(trial.family, []).append(trial)
    families = tuple(_family(members[plan.name], plan, notes.get(plan.name, ""), metric) for plan in plans)
    return Progress(
        families=families,
        best=best,
        best_score=best.score(metric.name) if best else None,
        best_sd=best.score_sd if best else None,
        counts=record.counts,
        failures=Counter(t.failure.kind for t in record.trials.values() if t.state == "failed" and t.failure),
        elapsed_seconds=elapsed_seconds,
        remaining_seconds=_remaining(families, elapsed_seconds, limit_seconds),
        message=message,
    )


def _family(trials: list[TrialRecord], plan: FamilyPlan, note: str, metric: Metric) -> FamilyProgress:
    scores = [score for trial in trials if (score := trial.score(metric.name)) is not None]
    pick: Callable[[list[float]], float] = max if metric.greater_is_better else min
    done = sum(trial.state in ENDED for trial in trials)
    return FamilyProgress(plan.name, note, done, plan.quota, pick(scores) if scores else None)


def _remaining(families: tuple[FamilyProgress, ...], elapsed: float, limit: float | None) -> float | None:
    """Until the budget's time is up or, at the pace so far, its trials are done."""
    left = [] if limit is None else [max(0.0, limit - elapsed)]
    done = sum(family.done for family in families)
    if done and all(family.total is not None for family in families):
        total = sum(family.total or 0 for family in families)
        left.append(elapsed / done * max(0, total - done))
    return min(left, default=None)


def note_of(family: Family, plan: FamilyPlan, full: int) -> str:
    """How a family trains, in a few words."""
    if family.engine == "network":
        return "cohorts"
    if family.growth is not None:
        first = plan.rungs({family.growth.parameter: full})[0]
        return f"grows {first}→{full} trees" if first < full else f"{full} trees"
    return ""
