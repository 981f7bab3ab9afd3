"""How well the scorer tells two classes apart: ROC, precision and recall, Kolmogorov-Smirnov, gain and lift."""

from dataclasses import dataclass

import numpy as np
from plotly.graph_objects import Figure, Scatter
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from distml.report.html.drawing import drawn, faint, interval, percent, thinned
from distml.report.html.evaluation import Evaluation, Part
from distml.report.html.resampling import bootstrap
from distml.report.page import Chart, Section, Table
from distml.report.theme import BLUE, MUTED, ORANGE

_GRID = np.linspace(0, 1, 101)
_DIAGONAL = {"color": MUTED, "dash": "dot", "width": 1}


def discrimination(evaluation: Evaluation) -> Section:
    """Five charts of the holdout, with the out-of-fold predictions beside them."""
    held, folds = evaluation.holdout, evaluation.out_of_fold
    found = separation(held.y, held.raw)
    low, high = bootstrap(lambda y, score: np.array([roc_auc_score(y, score)]), held.y, held.raw)
    table = deciles(held.y, held.raw)
    top = table[0]
    lead = (
        f"ROC AUC {found.auc:.4f} {interval(low[0], high[0])}, Gini {2 * found.auc - 1:.4f}, Kolmogorov-Smirnov "
        f"{found.ks:.4f} on the {len(held):,} rows of the holdout; in brackets the 95 % bootstrap interval. "
        "Rows are ranked by their scores before calibration."
    )
    rate = float(held.y.mean())
    charts = [
        Chart("roc", "ROC", f"Area {found.auc:.4f}; the band is the 95 % bootstrap interval.", roc(held, folds)),
        Chart(
            "precision-recall",
            "Precision and recall",
            f"Average precision {average_precision_score(held.y, held.raw):.4f}; "
            f"guessing has {rate:.4f}, the share of positives.",
            precision_recall(held, folds),
        ),
        Chart(
            "ks",
            "Kolmogorov-Smirnov",
            f"The classes' distributions are furthest apart, {found.ks:.4f}, at a score of {found.at:.4f}.",
            kolmogorov_smirnov(held, found),
        ),
        Chart(
            "gain",
            "Gain",
            f"The tenth of rows with the highest scores holds {percent(top.captured)} of the positives.",
            gain(held, folds),
            _decile_table(table),
        ),
        Chart(
            "lift",
            "Lift",
            f"{top.lift:.2f} times as many positives in that tenth as in all rows.",
            lift(held, folds),
            wide=True,
        ),
    ]
    return Section("discrimination", "Telling the classes apart", lead, charts)


@dataclass(frozen=True)
class Separation:
    """auc; ks: the largest distance between the classes' distribution functions, and the score it lies `at`."""

    auc: float
    ks: float
    at: float


def separation(y: np.ndarray, score: np.ndarray) -> Separation:
    """y: (rows,) of 0 and 1. score: (rows,).

    >>> separation(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.9]))
    Separation(auc=0.875, ks=0.5, at=0.9)
    """
    false, true, thresholds = roc_curve(y, score, drop_intermediate=False)
    place = int(np.argmax(true - false))
    return Separation(float(roc_auc_score(y, score)), float(true[place] - false[place]), float(thresholds[place]))


@dataclass(frozen=True)
class Decile:
    """A tenth of the rows, by falling score; `captured` and `lift` are of this tenth and those before it."""

    rows: int
    positives: int
    lowest: float  # score
    captured: float  # share of all positives
    lift: float


def deciles(y: np.ndarray, score: np.ndarray) -> list[Decile]:
    """Tenths of the rows from the highest score to the lowest.

    >>> [(one.positives, one.captured, one.lift) for one in deciles(np.array([0, 1] * 10), np.arange(20.0))][:2]
    [(1, 0.1, 1.0), (1, 0.2, 1.0)]
    """
    order = np.argsort(-score, kind="stable")
    found, seen, positives, rate = [], 0, 0, y.mean()
    for part in np.array_split(order, 10):
        if len(part):
            seen += len(part)
            positives += int(y[part].sum())
            captured = positives / y.sum()
            found.append(
                Decile(
                    len(part),
                    int(y[part].sum()),
                    float(score[part].min()),
                    float(captured),
                    float(positives / seen / rate),
                )
            )
    return found


def roc(held: Part, folds: Part) -> Figure:
    """True against false positive rates, with a bootstrap band."""
    low, high = bootstrap(_true_rates, held.y, held.raw)
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    traces = [
        Scatter(x=_GRID, y=high, **band),
        Scatter(x=_GRID, y=low, fill="tonexty", fillcolor=faint(BLUE), **band),
        Scatter(x=[0, 1], y=[0, 1], mode="lines", line=_DIAGONAL, hoverinfo="skip", name="guessing"),
        *(_line(*thinned(*roc_curve(part.y, part.raw)[:2]), name) for part, name in _both(held, folds)),
    ]
    return drawn(traces, "false positive rate", "true positive rate", xaxis=_UNIT, yaxis=_UNIT)


def _true_rates(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    false, true, _ = roc_curve(y, score)
    return np.interp(_GRID, false, true)


def precision_recall(held: Part, folds: Part) -> Figure:
    """Precision at each recall."""
    traces = []
    for part, name in _both(held, folds):
        precision, recall, _ = precision_recall_curve(part.y, part.raw, drop_intermediate=True)
        enough = recall * part.y.sum() >= 5  # of fewer positives a precision says nothing
        traces.append(_line(*thinned(recall[enough], precision[enough]), name))
    rate = float(held.y.mean())
    traces.append(Scatter(x=[0, 1], y=[rate, rate], mode="lines", line=_DIAGONAL, hoverinfo="skip", name="guessing"))
    return drawn(traces, "recall", "precision", xaxis=_UNIT, yaxis=_UNIT)


def kolmogorov_smirnov(held: Part, found: Separation) -> Figure:
    """The distribution function of each class over the score, and where they are furthest apart."""
    traces = []
    at = []
    for code, name, colour in ((1, "positive", ORANGE), (0, "negative", BLUE)):
        scores = np.sort(held.raw[held.y == code])
        share = np.arange(1, len(scores) + 1) / len(scores)
        x, y = thinned(scores, share)
        traces.append(_line(x, y, name, colour))
        at.append(float(np.searchsorted(scores, found.at, side="left")) / len(scores))
    traces.append(
        Scatter(
            x=[found.at, found.at], y=at, mode="lines+markers", name=f"distance {found.ks:.3f}",
            line={"color": MUTED, "dash": "dot"}, marker={"size": 7},
        )
    )  # fmt: skip
    return drawn(traces, "score", "share of the class below", xaxis={"rangemode": "tozero"}, yaxis=_UNIT)


def gain(held: Part, folds: Part) -> Figure:
    """The share of positives among the rows with the highest scores."""
    traces = [_line(*thinned(*_captured(part)), name) for part, name in _both(held, folds)]
    traces.append(Scatter(x=[0, 1], y=[0, 1], mode="lines", line=_DIAGONAL, hoverinfo="skip", name="guessing"))
    return drawn(traces, "share of rows, by falling score", "share of positives", xaxis=_UNIT, yaxis=_UNIT)


def lift(held: Part, folds: Part) -> Figure:
    """How many times as many positives as in all rows."""
    traces = []
    for part, name in _both(held, folds):
        share, captured = _captured(part)
        enough = share * len(part) >= 30  # of fewer rows a rate says nothing
        traces.append(_line(*thinned(share[enough], captured[enough] / share[enough]), name))
    traces.append(Scatter(x=[0, 1], y=[1, 1], mode="lines", line=_DIAGONAL, hoverinfo="skip", name="guessing"))
    return drawn(traces, "share of rows, by falling score", "lift", xaxis=_UNIT, yaxis={"rangemode": "tozero"})


_UNIT = {"range": [-0.01, 1.01], "tickformat": ".1f"}


def _captured(part: Part) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-part.raw, kind="stable")
    captured = np.concatenate([[0.0], np.cumsum(part.y[order]) / part.y.sum()])
    return np.linspace(0, 1, len(captured)), captured


def _both(held: Part, folds: Part) -> list[tuple[Part, str]]:
    """The out-of-fold predictions first, so that the holdout lies over them."""
    return [(part, name) for part, name in ((folds, "out-of-fold"), (held, "holdout")) if len(part)]


def _line(x: np.ndarray, y: np.ndarray, name: str, colour: str = "") -> Scatter:
    style = {"color": MUTED, "width": 1.5} if name == "out-of-fold" else {"color": colour or BLUE, "width": 2.5}
    place = "%{x:.3f}, %{y:.3f}"
    return Scatter(
        x=x.astype(np.float32), y=y.astype(np.float32), mode="lines", name=name, line=style,
        hovertemplate=f"{name}   {place}<extra></extra>",
    )  # fmt: skip


def _decile_table(found: list[Decile]) -> Table:
    rows = [
        [
            f"{place}",
            f"{one.rows:,}",
            f"{one.lowest:.4f}",
            f"{one.positives:,}",
            percent(one.positives / one.rows),
            percent(one.captured),
            f"{one.lift:.2f}",
        ]
        for place, one in enumerate(found, start=1)
    ]
    headings = ["tenth", "rows", "score from", "positives", "rate", "captured so far", "lift so far"]
    return Table("Tenths of the holdout, highest scores first", headings, rows, set(headings))
