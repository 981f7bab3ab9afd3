"""Whether scores and columns are spread alike where the scorer learnt and where it is used: PSI."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Bar, Figure

from distml.report.html.drawing import drawn, named_axis, percent
from distml.report.html.evaluation import Evaluation
from distml.report.html.rows import SweepRows
from distml.report.page import Block, Chart, Section, Table
from distml.report.theme import BLUE, GOLD, MUTED, RED, shown

if TYPE_CHECKING:
    import pandas

BINS = 10
WATCH, SHIFTED = 0.1, 0.25  # the industry's rule of thumb
_PERIODS = 12
_COLUMNS = 15


def stability(evaluation: Evaluation, rows: SweepRows | None) -> Section:
    """PSI of the scores between the out-of-fold predictions and the holdout, by time, and of the columns."""
    heading = "Stability"
    before, after = evaluation.out_of_fold, evaluation.holdout
    if not len(before):
        return Section("stability", heading, "There are no out-of-fold predictions to compare the holdout with.")
    if before.calibrated.ndim > 1:
        return Section("stability", heading, "For two classes and for values; this sweep has more classes.")
    index = psi(*shares(before.calibrated, after.calibrated))
    lead = (
        f"The score's population stability index between out-of-fold predictions and holdout is {index:.4f}: "
        f"{verdict(index)}. Below {WATCH} counts as stable, above {SHIFTED} as shifted."
    )
    names, expected, found = score_bins(before.calibrated, after.calibrated)
    table = Table(
        "Score bins: tenths of the out-of-fold predictions",
        ["score", "out-of-fold", "holdout"],
        [[n, percent(e), percent(f)] for n, e, f in zip(names, expected, found, strict=True)],
        {"out-of-fold", "holdout"},
    )
    blocks: list[Block] = [
        Chart("psi-score", "Scores", f"PSI {index:.4f}.", paired_bars(names, expected, found), table, wide=rows is None)
    ]
    if rows is not None:
        by_column = sorted(
            ((name, column_psi(rows.frame[name], before.rows, after.rows)) for name in rows.features),
            key=lambda one: -one[1],
        )
        most = by_column[0] if by_column else None
        if most is not None:
            blocks.append(
                Chart(
                    "psi-columns",
                    "Columns",
                    f"Most shifted: {most[0]}, {most[1]:.4f}, {verdict(most[1])}."
                    + (f" The {_COLUMNS} most of {len(by_column)}." if len(by_column) > _COLUMNS else ""),
                    index_bars(by_column[:_COLUMNS]),
                    Table("PSI by column", ["column", "PSI"], [[n, f"{v:.4f}"] for n, v in by_column], {"PSI"}),
                )
            )
        if rows.times is not None:
            blocks.append(_by_time(evaluation, rows.times))
    return Section("stability", heading, lead, blocks)


def psi(expected: np.ndarray, found: np.ndarray) -> float:
    """The population stability index of two sets of shares: the sum of (found - expected) * ln(found / expected).

    >>> round(psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])), 4)
    0.0405
    """
    return float(np.sum((found - expected) * np.log(found / expected)))


def shares(before: np.ndarray, after: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """The shares of both samples in bins that hold equally many of the first; half a row is added to each bin, so
    that an empty one has a logarithm. Values that are missing are a bin of their own."""
    edges = _edges(before, bins)
    return _smoothed(_places(before, edges), len(edges) + 2), _smoothed(_places(after, edges), len(edges) + 2)


def score_bins(before: np.ndarray, after: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(what each bin is, shares of the first, shares of the second); no bin for missing scores."""
    edges = _edges(before, BINS)
    names = [
        f"{low:.3f} to {high:.3f}"
        for low, high in zip([before.min(), *edges], [*edges, before.max()], strict=True)
    ]  # fmt: skip
    counts = [np.bincount(_places(one, edges), minlength=len(names))[: len(names)] for one in (before, after)]
    return names, counts[0] / len(before), counts[1] / len(after)


def column_psi(column: "pandas.Series", before: np.ndarray, after: np.ndarray) -> float:
    """The index of one column between two sets of rows: bins of numbers, or the most frequent texts and the rest."""
    import pandas

    if pandas.api.types.is_numeric_dtype(column.dtype) and not pandas.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return psi(*shares(values[before], values[after]))
    codes, _ = pandas.factorize(column.astype(str).iloc[before])
    frequent = column.astype(str).iloc[before].value_counts().index[: 2 * BINS]
    places = {name: place for place, name in enumerate(frequent)}
    codes = column.astype(str).map(lambda cell: places.get(cell, len(places))).to_numpy()
    return psi(*(_smoothed(codes[rows], len(places) + 1) for rows in (before, after)))


def by_period(times: np.ndarray, most: int = _PERIODS) -> list[tuple[str, np.ndarray]]:
    """Periods of equally many rows, in order: (when it begins, the rows' places in `times`)."""
    order = np.argsort(times, kind="stable")
    return [(_when(times[part[0]]), part) for part in np.array_split(order, min(most, len(order))) if len(part)]


def paired_bars(names: Sequence[str], expected: np.ndarray, found: np.ndarray) -> Figure:
    """The shares of both samples beside each other."""
    bars = [
        Bar(x=list(names), y=expected, name="out-of-fold", marker={"color": MUTED}, hovertemplate="%{x}   %{y:.1%}"),
        Bar(x=list(names), y=found, name="holdout", marker={"color": BLUE}, hovertemplate="%{x}   %{y:.1%}"),
    ]
    return drawn(bars, "score", "share of rows", yaxis={"tickformat": ".0%"}, barmode="group", bargap=0.25)


def index_bars(found: Sequence[tuple[str, float]]) -> Figure:
    """A bar a column, the most shifted on top, with the rule of thumb's lines."""
    ordered = list(found)[::-1]
    bar = Bar(
        x=[index for _, index in ordered],
        y=list(range(len(ordered))),
        text=[shown(name) for name, _ in ordered],
        textposition="none",
        orientation="h",
        marker={"color": [_colour(index) for _, index in ordered]},
        hovertemplate="%{text}   %{x:.4f}<extra></extra>",
    )
    top = max(index for _, index in ordered) * 1.1
    lines = [_rule(bound) for bound in (WATCH, SHIFTED) if bound < top]
    axis = {"range": [0, top], "rangemode": "tozero"}
    names = named_axis([name for name, _ in ordered])
    return drawn([bar], "PSI", "", height=max(360, 90 + 22 * len(ordered)), xaxis=axis, yaxis=names, shapes=lines)


def verdict(index: float) -> str:
    """The rule of thumb in a word."""
    return "stable" if index < WATCH else "to be watched" if index < SHIFTED else "shifted"


def _by_time(evaluation: Evaluation, times: np.ndarray) -> Chart:
    before = evaluation.out_of_fold
    rows = np.concatenate([before.rows, evaluation.holdout.rows])
    scores = np.concatenate([before.calibrated, evaluation.holdout.calibrated])
    found = [
        (when, psi(*shares(before.calibrated, scores[places])), float(scores[places].mean()), len(places))
        for when, places in by_period(times[rows])
    ]
    bar = Bar(
        x=[when for when, *_ in found],
        y=[index for _, index, *_ in found],
        marker={"color": [_colour(index) for _, index, *_ in found]},
        hovertemplate="from %{x}   %{y:.4f}<extra></extra>",
    )
    figure = drawn([bar], "from", "PSI", xaxis={"type": "category"}, yaxis={"rangemode": "tozero"})
    worst = max(found, key=lambda one: one[1])
    table = Table(
        "Periods of equally many rows",
        ["from", "PSI", "mean score", "rows"],
        [[when, f"{index:.4f}", f"{mean:.4f}", f"{count:,}"] for when, index, mean, count in found],
        {"PSI", "mean score", "rows"},
    )
    says = f"Each period against all out-of-fold predictions; furthest: from {worst[0]}, {worst[1]:.4f}."
    return Chart("psi-time", "By time", says, figure, table, wide=True)


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    there = values[~np.isnan(values)]
    if not len(there):
        return np.empty(0)
    return np.unique(np.quantile(there, np.linspace(0, 1, bins + 1)[1:-1]))


def _places(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    places = np.searchsorted(edges, values, side="left")
    return np.where(np.isnan(values), len(edges) + 1, places)


def _smoothed(places: np.ndarray, bins: int) -> np.ndarray:
    counts = np.bincount(places, minlength=bins) + 0.5
    return np.asarray(counts / counts.sum())


def _colour(index: float) -> str:
    return BLUE if index < WATCH else GOLD if index < SHIFTED else RED


def _rule(bound: float) -> dict[str, Any]:
    line = {"color": MUTED, "dash": "dot", "width": 1}
    return {"type": "line", "x0": bound, "x1": bound, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _when(moment: Any) -> str:
    return str(moment.astype("datetime64[D]")) if isinstance(moment, np.datetime64) else f"{moment:g}"
