"""Whether a probability of 10 % means one in ten: before and after calibration, on the holdout."""

from dataclasses import dataclass

import numpy as np
from plotly.graph_objects import Figure, Scatter

from distml.report.html.drawing import drawn, faint, percent
from distml.report.html.evaluation import Evaluation
from distml.report.html.resampling import DRAWS, LEVEL, wilson
from distml.report.page import Block, Chart, Paragraph, Section, Table
from distml.report.theme import BLUE, MUTED, ORANGE

BINS = 10


def calibration(evaluation: Evaluation) -> Section:
    """Predicted against observed shares with intervals, and the errors before and after."""
    held = evaluation.holdout
    after, before = expected_error(held.y, held.calibrated), expected_error(held.y, held.raw)
    calibrated = not np.array_equal(held.raw, held.calibrated)
    chance = error_by_chance(held.calibrated)
    lead = (
        f"Expected calibration error {after:.4f}"
        + (f", {before:.4f} before" if calibrated else "; nothing was calibrated")
        + f": the mean distance between predicted and observed shares over {BINS} bins of equally many rows. "
        f"Scores that are exactly right show up to {chance:.4f} on so many rows (95 % of the time). "
        "Bars are Wilson's 95 % intervals."
    )
    bins = reliability(held.y, held.calibrated)
    worst = max(bins, key=lambda one: abs(one.predicted - one.observed))
    chart = Chart(
        "calibration",
        "Predicted and observed",
        f"Furthest off: {percent(worst.predicted)} predicted, {percent(worst.observed)} observed "
        f"[{percent(worst.low)}, {percent(worst.high)}].",
        reliability_curve(held.y, held.raw if calibrated else None, held.calibrated),
        _table(bins),
        wide=True,
    )
    errors = Paragraph(
        f"Brier score {brier(held.y, held.calibrated):.4f}"
        + (f", {brier(held.y, held.raw):.4f} before." if calibrated else ".")
    )
    blocks: list[Block] = [chart, errors]
    return Section("calibration", "Calibration", lead, blocks)


@dataclass(frozen=True)
class Bin:
    """Rows with like predictions; low and high bound the observed share."""

    rows: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(y: np.ndarray, probability: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Bins of equally many rows, by rising probability; rows of one probability stay together.

    y: (rows,) of 0 and 1. probability: (rows,).
    """
    return [
        Bin(int(inside.sum()), float(probability[inside].mean()), float(y[inside].mean()), *_bounds(y[inside]))
        for inside in _members(probability, bins)
    ]


def expected_error(y: np.ndarray, probability: np.ndarray, bins: int = BINS) -> float:
    """The mean distance between predicted and observed shares, weighted by rows.

    >>> expected_error(np.array([0, 1, 1, 1]), np.array([0.25, 0.25, 1.0, 1.0]), bins=2)
    0.125
    """
    distances = [
        inside.sum() * abs(float(probability[inside].mean()) - float(y[inside].mean()))
        for inside in _members(probability, bins)
    ]
    return float(sum(distances) / len(y))


def error_by_chance(probability: np.ndarray, draws: int = DRAWS) -> float:
    """The expected calibration error that 95 % of outcomes drawn from these very probabilities stay below: a bootstrap
    of the error itself would only add to it (Bröcker and Smith, 2007, draw consistency bars so)."""
    random = np.random.default_rng(0)
    errors = [expected_error(random.random(len(probability)) < probability, probability) for _ in range(draws)]
    return float(np.quantile(errors, LEVEL))


def brier(y: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared distance between probability and outcome."""
    return float(np.mean((probability - y) ** 2))


def reliability_curve(y: np.ndarray, raw: np.ndarray | None, calibrated: np.ndarray) -> Figure:
    """Observed against predicted shares; `raw` None: nothing was calibrated."""
    traces = []
    top = 0.0
    pairs = [
        (raw, "before calibration", ORANGE),
        (calibrated, "after calibration" if raw is not None else "scores", BLUE),
    ]
    for probability, name, colour in pairs:
        if probability is None:
            continue
        bins = reliability(y, probability)
        top = max(top, *(max(one.predicted, one.high) for one in bins))
        traces.append(
            Scatter(
                x=[one.predicted for one in bins],
                y=[one.observed for one in bins],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [one.high - one.observed for one in bins],
                    "arrayminus": [one.observed - one.low for one in bins],
                    "thickness": 1.4,
                    "width": 4,
                    "color": faint(colour, 0.7),
                },
                mode="lines+markers",
                name=name,
                line={"color": colour, "width": 2},
                marker={"size": 7},
                hovertemplate=f"{name}<br>predicted %{{x:.3f}}, observed %{{y:.3f}}<extra></extra>",
            )
        )
    ideal = {"color": MUTED, "dash": "dot", "width": 1}
    traces.insert(0, Scatter(x=[0, top], y=[0, top], mode="lines", line=ideal, hoverinfo="skip", name="ideal"))
    axis = {"range": [-0.02 * top, top * 1.04], "tickformat": ".0%"}
    return drawn(traces, "predicted", "observed", height=420, xaxis=axis, yaxis=axis)


def _members(probability: np.ndarray, bins: int) -> list[np.ndarray]:
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, probability, side="left")
    return [place == one for one in np.unique(place)]


def _bounds(y: np.ndarray) -> tuple[float, float]:
    return wilson(int(y.sum()), len(y))


def _table(bins: list[Bin]) -> Table:
    headings = ["predicted", "observed", "from", "to", "rows"]
    rows = [
        [
            percent(one.predicted, 2),
            percent(one.observed, 2),
            percent(one.low, 2),
            percent(one.high, 2),
            f"{one.rows:,}",
        ]
        for one in bins
    ]
    return Table("Bins of the holdout after calibration, with Wilson's 95 % interval", headings, rows, set(headings))
