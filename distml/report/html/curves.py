"""Learning curves: each trial's score rung by rung."""

import random
from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure, Scatter

from distml.models.registry import find_family
from distml.report import text
from distml.report.html.drawing import drawn, faint
from distml.report.loaded import LoadedSweep
from distml.report.page import Chart, Choice, Section
from distml.report.theme import COLOURS, MUTED, shown
from distml.sweep.records import TrialRecord

NAMED = 5  # curves that stand out
MOST = 200  # curves of a family


def learning_curves(sweep: LoadedSweep) -> Section:
    """A chart a family: the best trials' curves, and among the others a sample."""
    heading = "Learning curves"
    curved = [trial for trial in sweep.leaderboard if len(trial.rungs) > 1]
    if not curved:
        return Section("curves", heading, "No trial has more than one rung.")
    charts = {}
    for family in dict.fromkeys(trial.family for trial in curved):
        members = [trial for trial in curved if trial.family == family]
        best, others = chosen(members)
        drawn_ones = len(best) + len(others)
        which = f"the best {len(best)} and a sample of {len(others)}" if drawn_ones < len(members) else "all of them"
        charts[family] = Chart(
            f"curves-{family}",
            f"{family}: {sweep.metric} at each rung",
            f"{text.count(len(members), 'trial')} with more than one rung; drawn: {which}.",
            curves(best, others, sweep.metric, _resource(family)),
            wide=True,
        )
    alone = len(sweep.record.trials) - len(curved)
    lead = "A curve that ends early was cut at that rung." + (
        f" {text.count(alone, 'trial')} with one rung or none {'is' if alone == 1 else 'are'} not drawn." * bool(alone)
    )
    return Section("curves", heading, lead, [Choice("Family", charts)])


def chosen(trials: Sequence[TrialRecord], most: int = MOST) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """(the best, a sample of the others): at most `most` together; always the same sample."""
    best, others = list(trials[: most // 10]), list(trials[most // 10 :])
    room = most - len(best)
    if len(others) > room:
        others = random.Random(0).sample(others, room)
    return best, others


def curves(best: Sequence[TrialRecord], others: Sequence[TrialRecord], metric: str, resource: str) -> Figure:
    """The best few named, the other best ones faint, the sample fainter still; resource: what rungs count, 'epochs'."""
    resources = sorted({rung.resource for trial in (*best, *others) for rung in trial.rungs})
    traces = [
        _together(others, metric, "a sample", faint(MUTED, 0.35)),
        _together(best[NAMED:], metric, "further best", faint(COLOURS[0], 0.5)),
    ]
    traces += [
        Scatter(
            x=[rung.resource for rung in trial.rungs],
            y=[rung.scores.get(metric) for rung in trial.rungs],
            mode="lines+markers",
            name=trial.trial,
            line={"color": COLOURS[place % len(COLOURS)], "width": 2.5},
            hovertemplate=f"{trial.trial}   %{{y:.4f}} at %{{x}}<extra></extra>",
        )
        for place, trial in enumerate(best[:NAMED])
    ]
    spread = len(resources) > 1 and resources[-1] >= 8 * resources[0]
    axis: dict[str, Any] = {"tickvals": resources if len(resources) <= 12 else None}
    if spread:
        axis["type"] = "log"
    return drawn([trace for trace in traces if len(trace.x)], f"rung ({resource})", metric, height=400, xaxis=axis)


def _resource(family: str) -> str:
    """What the family's rungs count."""
    try:
        return find_family(family).resource or "resource"
    except ValueError:  # a class of the user's own
        return "epochs or trees"


def _together(trials: Sequence[TrialRecord], metric: str, name: str, colour: str) -> Scatter:
    """Many curves as one trace, with a gap between any two."""
    x: list[int | None] = []
    y: list[float | None] = []
    names: list[str] = []
    for trial in trials:
        x += [*(rung.resource for rung in trial.rungs), None]
        y += [*(rung.scores.get(metric) for rung in trial.rungs), None]
        names += [trial.trial] * (len(trial.rungs) + 1)
    return Scatter(
        x=x, y=y, text=names, mode="lines", name=shown(name), line={"color": colour, "width": 1.2},
        hovertemplate="%{text}   %{y:.4f} at %{x}<extra></extra>",
    )  # fmt: skip
