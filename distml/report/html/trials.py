"""All trials at once: their parameters beside their scores, and the scores beside what they cost."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from plotly.graph_objects import Figure, Parcoords, Scatter, Scattergl

from distml.report import text
from distml.report.html.drawing import drawn, log_axis
from distml.report.html.spaces import is_logarithmic
from distml.report.leaderboard import varied_parameters
from distml.report.loaded import LoadedSweep
from distml.report.page import Block, Chart, Choice, Section
from distml.report.theme import COLOURS, MUTED, SCALE, shown
from distml.sweep.records import TrialRecord

_MOST_AXES = 10  # parameters beside each other
_AXIS_WIDTH = 112  # pixels that a label needs
_MANY = 2_000  # points that get in each other's way
_POOR = 0.1  # of the poorest scores share the scale's poor end, so that one bad trial does not grey the others


def all_trials(sweep: LoadedSweep) -> Section:
    """Every trial with a score: parallel coordinates, and score against seconds and energy."""
    heading = "All trials"
    scored = [trial for trial in sweep.leaderboard if trial.score(sweep.metric) is not None]
    if len(scored) < 2:
        return Section("trials", heading, "Fewer than two trials have a score yet.")
    stopped = sum(trial.state == "stopped" for trial in scored)
    lead = f"{text.count(len(scored), 'trial')} with a score" + (
        f", {stopped:,} of them stopped early: those show the last rung they reached." if stopped else "."
    )
    return Section("trials", heading, lead, [*_parallel(sweep, scored), *_costs(sweep, scored)])


# --- parameters beside scores


def parallel_coordinates(
    trials: Sequence[TrialRecord], names: Sequence[str], metric: str, greater_is_better: bool, spec: dict[str, Any]
) -> Figure:
    """One line a trial through an axis for each parameter, coloured by its score; all of one family."""
    scores = np.array([trial.score(metric) for trial in trials], dtype=np.float32)
    axes = [
        _axis(name, [trial.params.get(name) for trial in trials], is_logarithmic(spec, trials[0].family, name))
        for name in names
    ]
    axes.append({"label": shown(metric), "values": scores})
    low, high = (_POOR, 1.0) if greater_is_better else (0.0, 1 - _POOR)
    line = {
        "color": scores,
        "colorscale": SCALE,
        "reversescale": not greater_is_better,
        "cmin": float(np.quantile(scores, low)),
        "cmax": float(np.quantile(scores, high)),
        "showscale": False,
    }
    trace = Parcoords(dimensions=axes, line=line, labelfont={"size": 12}, tickfont={"size": 11}, rangefont={"size": 1})
    return drawn([trace], "", "", height=420, margin={"l": 64, "r": 64, "t": 64, "b": 24})


def _axis(name: str, values: Sequence[Any], logarithmic: bool) -> dict[str, Any]:
    label = shown(name.removeprefix("preprocessing."))
    numbers = [value for value in values if value is not None]
    if numbers and len(numbers) == len(values) and all(_is_number(value) for value in numbers):
        array = np.array(numbers, dtype=np.float64)
        if not logarithmic:
            return {"label": label, "values": array.astype(np.float32)}
        ticks = _decades(float(array.min()), float(array.max()))
        return {
            "label": label,
            "values": np.log10(array).astype(np.float32),
            "tickvals": [math.log10(tick) for tick in ticks],
            "ticktext": [f"{tick:.3g}" for tick in ticks],
        }
    words = [text.parameter(value) for value in values]
    options = sorted(set(words))
    places = {word: place for place, word in enumerate(options)}
    return {
        "label": label,
        "values": np.array([places[word] for word in words], dtype=np.float32),
        "tickvals": list(range(len(options))),
        "ticktext": [shown(word) for word in options],
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _decades(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten, and where they are few, 1, 2 and 5 of each.

    >>> _decades(1e-4, 1e-2), _decades(5, 40)
    ([0.0001, 0.001, 0.01], [5.0, 10.0, 20.0])
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = [10.0**power for power in range(first, last + 1)]
    ticks = [tick for tick in powers if low * 0.999 <= tick <= high * 1.001]
    if len(ticks) < 3:
        ticks = [step * power for power in powers for step in (1, 2, 5) if low * 0.999 <= step * power <= high * 1.001]
    return ticks or [low, high]


def _parallel(sweep: LoadedSweep, scored: Sequence[TrialRecord]) -> list[Block]:
    varied = varied_parameters(scored)
    charts: dict[str, Chart] = {}
    for family in dict.fromkeys(trial.family for trial in scored):
        members = [trial for trial in scored if trial.family == family]
        names = [name for name in members[0].params if name in varied[family]]
        if len(members) < 2 or not names:
            continue
        left_out = f" {len(names) - _MOST_AXES} further parameters are left out." if len(names) > _MOST_AXES else ""
        names = names[:_MOST_AXES]
        best = members[0]
        charts[family] = Chart(
            f"parallel-{family}",
            f"{family}: {text.count(len(members), 'trial')}",
            f"A line is a trial; the warmer, the better its {sweep.metric}. Drag along an axis to keep a range of it. "
            f"The best, {best.trial}: {text.parameters(best.params, set(names))}.{left_out}",
            parallel_coordinates(members, names, sweep.metric, sweep.greater_is_better, dict(sweep.record.spec or {})),
            wide=True,
            least=_AXIS_WIDTH * (len(names) + 1),
        )
    return [Choice("Family", charts)] if charts else []


# --- scores beside costs


def score_against(
    trials: Sequence[TrialRecord],
    metric: str,
    greater_is_better: bool,
    cost: Callable[[TrialRecord], float | None],
    unit: str,
) -> Figure:
    """A point a trial; trials stopped early fainter; the dotted line is the best that was had for so much."""
    known = [(trial, taken) for trial in trials if (taken := cost(trial)) is not None and taken > 0]
    many = len(known) > _MANY
    faintness = 0.18 if many else 0.35
    traces: list[Any] = []
    for place, family in enumerate(dict.fromkeys(trial.family for trial in trials)):
        members = [(trial, taken) for trial, taken in known if trial.family == family]
        traces.append(
            Scattergl(
                x=np.array([taken for _, taken in members], dtype=np.float32),
                y=np.array([trial.score(metric) for trial, _ in members], dtype=np.float32),
                text=[trial.trial for trial, _ in members],
                mode="markers",
                name=shown(family),
                marker={
                    "size": 4 if many else 6,
                    "color": COLOURS[place % len(COLOURS)],
                    "opacity": np.array(
                        [0.9 if trial.state == "finished" else faintness for trial, _ in members], "f4"
                    ),
                },
                hovertemplate=f"%{{text}}   %{{y:.4f}}<br>%{{x:.3~g}} {unit}<extra>{shown(family)}</extra>",
            )
        )
    x, y = _frontier(known, metric, greater_is_better)
    line = {"color": MUTED, "dash": "dot", "shape": "hv", "width": 1.5}
    traces.append(Scatter(x=x, y=y, mode="lines", name="best for the cost", line=line, hoverinfo="skip"))
    scores = [score for trial, _ in known if (score := trial.score(metric)) is not None]
    return drawn(
        traces,
        unit,
        metric,
        height=380,
        xaxis=log_axis([taken for _, taken in known]),
        yaxis={"range": _without_poorest(scores, greater_is_better)},
    )


def _frontier(
    known: Sequence[tuple[TrialRecord, float]], metric: str, greater_is_better: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(cost, best score of the finished trials that cost no more): the points where it gets better."""
    finished = sorted((taken, trial.score(metric) or 0.0) for trial, taken in known if trial.state == "finished")
    if not finished:
        return np.empty(0), np.empty(0)
    costs, scores = np.array(finished).T
    best = (np.maximum if greater_is_better else np.minimum).accumulate(scores)
    better = np.concatenate([[True], best[1:] != best[:-1]])
    costs, best = costs[better], best[better]
    return np.append(costs, finished[-1][0]), np.append(best, best[-1])


def _without_poorest(scores: Sequence[float], greater_is_better: bool) -> list[float]:
    """A range that a few poor trials do not stretch; a double click shows them all."""
    low, high = np.quantile(scores, (0.03, 1.0) if greater_is_better else (0.0, 0.97))
    room = (high - low) * 0.06 or 0.01
    return [float(low - room), float(high + room)]


def _costs(sweep: LoadedSweep, scored: Sequence[TrialRecord]) -> list[Block]:
    measured = any(trial.energy_j for trial in scored)
    charts: list[Block] = [
        Chart(
            "score-seconds",
            f"{sweep.metric} against seconds",
            _said_of_cost(sweep, scored, lambda trial: trial.seconds, "s of training"),
            score_against(scored, sweep.metric, sweep.greater_is_better, lambda trial: trial.seconds, "seconds"),
            wide=not measured,
        )
    ]
    if measured:
        charts.append(
            Chart(
                "score-joules",
                f"{sweep.metric} against energy",
                _said_of_cost(sweep, scored, lambda trial: trial.energy_j, "J"),
                score_against(scored, sweep.metric, sweep.greater_is_better, lambda trial: trial.energy_j, "joules"),
            )
        )
    return charts


def _said_of_cost(
    sweep: LoadedSweep, scored: Sequence[TrialRecord], cost: Callable[[TrialRecord], float | None], unit: str
) -> str:
    taken = [one for trial in scored if (one := cost(trial))]
    best = sweep.best
    if not taken or best is None or not cost(best):
        return "Trials that were stopped early are fainter."
    middle = text.amount(float(np.median(taken)))
    return f"The best took {text.amount(cost(best))} {unit}, the median trial {middle}. Stopped early: fainter."
