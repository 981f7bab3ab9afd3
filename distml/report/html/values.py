"""How near predicted values come to the true ones."""

import numpy as np
from plotly.graph_objects import Figure, Scatter, Scattergl

from distml.report import text
from distml.report.html.drawing import drawn, faint, interval
from distml.report.html.evaluation import Evaluation
from distml.report.html.resampling import bootstrap
from distml.report.page import Chart, Section, Table
from distml.report.theme import BLUE, MUTED, ORANGE

MOST_POINTS = 5_000
_BINS = 40
_STEPS = 20


def values(evaluation: Evaluation) -> Section:
    """Predicted against true, and the residuals, on the holdout."""
    held = evaluation.holdout
    names = ("RMSE", "MAE", "R²")
    found = errors(held.y, held.calibrated)
    low, high = bootstrap(errors, held.y, held.calibrated)
    lead = f"On the {len(held):,} rows of the holdout; in brackets 95 % bootstrap intervals: " + ", ".join(
        f"{name} {text.score(one)} {interval(lowest, highest)}"
        for name, one, lowest, highest in zip(names, found, low, high, strict=True)
    )
    rows = [
        [name, text.score(one), text.score(a), text.score(b)]
        for name, one, a, b in zip(names, found, low, high, strict=True)
    ]
    table = Table("Errors on the holdout", ["measure", "value", "from", "to"], rows, {"value", "from", "to"})
    residual = held.y - held.calibrated
    sample = f" A sample of {MOST_POINTS:,} rows is drawn." if len(held) > MOST_POINTS else ""
    charts = [
        Chart(
            "predicted-true",
            "Predicted and true",
            f"On the dotted line a prediction is right.{sample}",
            predicted_and_true(held.y, held.calibrated),
            table,
        ),
        Chart(
            "residuals",
            "Residuals by prediction",
            "True less predicted: the line is the median, the band holds nine in ten.",
            residuals(held.y, held.calibrated),
        ),
        Chart(
            "residual-distribution",
            "Distribution of residuals",
            f"Median {text.score(float(np.median(residual)))}, standard deviation {text.score(float(residual.std()))}.",
            residual_distribution(held.y, held.calibrated),
            wide=True,
        ),
    ]
    return Section("values", "Predicted and true values", f"{lead}.", charts)


def errors(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(root mean squared error, mean absolute error, R²)."""
    residual = y - predicted
    spread = float(np.mean((y - y.mean()) ** 2))
    squared = float(np.mean(residual**2))
    return np.array([squared**0.5, np.abs(residual).mean(), 1 - squared / spread if spread else np.nan])


def predicted_and_true(y: np.ndarray, predicted: np.ndarray) -> Figure:
    """A point a row."""
    chosen = _sample(len(y))
    points = Scattergl(
        x=predicted[chosen].astype(np.float32), y=y[chosen].astype(np.float32), mode="markers", name="rows",
        marker={"size": 4, "color": BLUE, "opacity": 0.35},
        hovertemplate="predicted %{x:.4~g}, true %{y:.4~g}<extra></extra>",
    )  # fmt: skip
    ends = [float(min(y.min(), predicted.min())), float(max(y.max(), predicted.max()))]
    line = {"color": MUTED, "dash": "dot", "width": 1.5}
    return drawn(
        [points, Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", name="right")], "predicted", "true"
    )


def residuals(y: np.ndarray, predicted: np.ndarray) -> Figure:
    """Residuals over predictions: points, and quantiles over twentieths of the rows."""
    residual = y - predicted
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _STEPS) if len(part)]
    middles = np.array([np.median(predicted[part]) for part in parts])
    low, middle, high = np.array([np.quantile(residual[part], (0.05, 0.5, 0.95)) for part in parts]).T
    chosen = _sample(len(y))
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    traces = [
        Scattergl(
            x=predicted[chosen].astype(np.float32), y=residual[chosen].astype(np.float32), mode="markers", name="rows",
            marker={"size": 4, "color": BLUE, "opacity": 0.25}, hoverinfo="skip",
        ),
        Scatter(x=middles, y=high, **band),
        Scatter(x=middles, y=low, fill="tonexty", fillcolor=faint(ORANGE, 0.25), **band),
        Scatter(
            x=middles, y=middle, mode="lines", name="median", line={"color": ORANGE, "width": 2.5},
            hovertemplate="predicted %{x:.4~g}, median residual %{y:.4~g}<extra></extra>",
        ),
    ]  # fmt: skip
    return drawn(traces, "predicted", "true less predicted")


def residual_distribution(y: np.ndarray, predicted: np.ndarray) -> Figure:
    """The share of rows in bins of equal width, the outermost percent left out."""
    residual = y - predicted
    low, high = np.quantile(residual, (0.005, 0.995))
    counts, edges = np.histogram(residual, np.linspace(low, high, _BINS + 1) if high > low else _BINS)
    steps = Scatter(
        x=edges, y=np.append(counts, 0) / len(residual), mode="lines", fill="tozeroy", fillcolor=faint(BLUE, 0.25),
        line={"shape": "hv", "color": BLUE, "width": 1.8}, hovertemplate="%{y:.1%} from %{x:.4~g}<extra></extra>",
    )  # fmt: skip
    return drawn([steps], "true less predicted", "share of rows", yaxis={"tickformat": ".0%", "rangemode": "tozero"})


def _sample(rows: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(rows)[:MOST_POINTS]
