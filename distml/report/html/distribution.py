"""How the scores of each class are spread."""

import numpy as np
from plotly.graph_objects import Figure, Scatter

from distml.report.html.drawing import drawn, faint, percent
from distml.report.html.evaluation import Evaluation
from distml.report.page import Chart, Section
from distml.report.theme import BLUE, ORANGE

_BINS = 40


def distribution(evaluation: Evaluation) -> Section:
    """The calibrated scores of the holdout by class."""
    held = evaluation.holdout
    middles = {code: float(np.median(held.calibrated[held.y == code])) for code in (0, 1)}
    lead = (
        f"Half of the positives score above {percent(middles[1])}, half of the negatives below {percent(middles[0])}."
    )
    says = (
        f"{int((held.y == 1).sum()):,} positives, {int((held.y == 0).sum()):,} negatives; each class adds up to 100 %."
    )
    chart = Chart("distribution", "Scores by class", says, by_class(held.y, held.calibrated), wide=True)
    return Section("distribution", "Distribution of scores", lead, [chart])


def by_class(y: np.ndarray, score: np.ndarray, bins: int = _BINS) -> Figure:
    """The share of each class's rows in bins of equal width, as steps."""
    edges = np.linspace(min(0.0, float(score.min())), float(score.max()), bins + 1)
    traces = []
    for code, name, colour in ((0, "negative", BLUE), (1, "positive", ORANGE)):
        counts, _ = np.histogram(score[y == code], edges)
        share = counts / max(1, counts.sum())
        traces.append(
            Scatter(
                x=edges.astype(np.float32),
                y=np.append(share, 0).astype(np.float32),
                mode="lines",
                line={"shape": "hv", "color": colour, "width": 1.8},
                fill="tozeroy",
                fillcolor=faint(colour, 0.25),
                name=name,
                hovertemplate=f"{name}   %{{y:.1%}} of them from %{{x:.3f}}<extra></extra>",
            )
        )
    return drawn(
        traces,
        "score",
        "share of the class",
        xaxis={"tickformat": ".0%"},
        yaxis={"tickformat": ".0%", "rangemode": "tozero"},
    )
