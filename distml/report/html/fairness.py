"""How the scorer treats groups: rates by group of a column that the user names, by fairlearn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Bar, Figure

from distml.errors import DistmlError, did_you_mean
from distml.report.html.drawing import drawn, percent
from distml.report.html.evaluation import Part
from distml.report.html.resampling import wilson
from distml.report.page import Chart, Section, Table
from distml.report.theme import BLUE, GREEN, ORANGE, shown

if TYPE_CHECKING:
    import pandas

MOST_GROUPS = 10
FEW = 30  # rows of a group of which a rate says little
FOUR_FIFTHS = 0.8


@dataclass(frozen=True)
class Group:
    """One group's figures on the holdout; a rate that has no rows to count is nan."""

    name: str
    rows: int
    positives: int
    flagged: float  # share at or above the threshold
    caught: float  # of its positives, flagged
    wrongly: float  # of its negatives, flagged
    observed: float  # share of positives
    predicted: float  # mean score


def check_sensitive(column: str, columns: Sequence[str]) -> None:
    """Raise DistmlError where there is no such column, or fairlearn is not installed."""
    if column not in columns:
        shown_ones = ", ".join(list(columns)[:10])
        raise DistmlError(
            f"--sensitive: {column!r} is not a column of the table.{did_you_mean(column, columns)} "
            f"({len(columns)} columns: {shown_ones}{', ...' if len(columns) > 10 else ''})"
        )
    try:
        import fairlearn.metrics  # noqa: F401
    except ImportError:
        raise DistmlError("--sensitive needs fairlearn: pip install 'distml[fairness]'") from None


def fairness(held: Part, cells: "pandas.Series", threshold: float, reason: str) -> Section:
    """Shares flagged, caught and wrongly flagged, by group. cells: the sensitive column of the holdout's rows."""
    from fairlearn.metrics import demographic_parity_ratio, equalized_odds_difference

    names, order = grouped(cells)
    groups = rates(held.y, held.calibrated, names, order, threshold)
    decided = held.calibrated >= threshold
    ratio = demographic_parity_ratio(held.y, decided, sensitive_features=names)
    odds = equalized_odds_difference(held.y, decided, sensitive_features=names)
    lead = (
        f"By {cells.name}, on the holdout, flagged from a score of {threshold:.4f} on ({reason}). Lowest over highest "
        f"share flagged: {ratio:.2f} ({'below' if ratio < FOUR_FIFTHS else 'within'} the four-fifths rule); "
        f"equalised odds differ by {odds:.3f} (fairlearn). Groups differ in risk, too: compare predicted with observed."
    )
    small = [group.name for group in groups if group.rows < FEW]
    says = f"Fewer than {FEW} rows: {', '.join(small)}." if small else "Bars carry Wilson's 95 % interval."
    chart = Chart("fairness", "Rates by group", says, rate_bars(groups, str(cells.name)), _table(groups), wide=True)
    return Section("fairness", "Fairness by group", lead, [chart])


def grouped(cells: "pandas.Series") -> tuple[np.ndarray, list[str]]:
    """((rows,) names of groups, the names in order): quarters of a column of many numbers, from low to high; else its
    values, the most frequent first and the rarest together."""
    import pandas

    if pandas.api.types.is_numeric_dtype(cells.dtype) and cells.nunique() > MOST_GROUPS:
        numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        edges = np.unique(np.nanquantile(numbers, [0, 0.25, 0.5, 0.75, 1])).tolist()
        order = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
        names = pandas.Series(pandas.cut(cells, edges, labels=order, include_lowest=True), dtype=object)
        if cells.isna().any():
            order.append("missing")
        return names.where(cells.notna(), "missing").to_numpy(dtype=object), order
    names = cells.astype(object).where(cells.notna(), "missing").astype(str)
    order = list(names.value_counts().index)
    if len(order) > MOST_GROUPS:
        order = order[: MOST_GROUPS - 1]
        names = names.where(names.isin(order), "others")
        order.append("others")
    return names.to_numpy(dtype=object), order


def rates(y: np.ndarray, score: np.ndarray, names: np.ndarray, order: Sequence[str], threshold: float) -> list[Group]:
    """A group a row, in order; y: (rows,) of 0 and 1."""
    from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate

    decided = (score >= threshold).astype(int)
    measures = {"rows": count, "flagged": selection_rate, "caught": true_positive_rate, "wrongly": false_positive_rate}
    found = MetricFrame(metrics=measures, y_true=y, y_pred=decided, sensitive_features=names).by_group
    groups = []
    for name, row in found.iterrows():
        inside = names == name
        positives = int(y[inside].sum())
        groups.append(
            Group(
                str(name), int(row["rows"]), positives, float(row["flagged"]),
                float(row["caught"]) if positives else float("nan"),
                float(row["wrongly"]) if positives < inside.sum() else float("nan"),
                float(y[inside].mean()), float(score[inside].mean()),
            )
        )  # fmt: skip
    return sorted(groups, key=lambda group: order.index(group.name))


def rate_bars(groups: Sequence[Group], column: str) -> Figure:
    """Three bars a group."""
    names = [shown(group.name) for group in groups]
    kinds: list[tuple[str, str, list[tuple[float, int]]]] = [
        ("flagged", BLUE, [(group.flagged, group.rows) for group in groups]),
        ("positives caught", GREEN, [(group.caught, group.positives) for group in groups]),
        ("negatives flagged", ORANGE, [(group.wrongly, group.rows - group.positives) for group in groups]),
    ]
    traces: list[Any] = []
    for label, colour, shares in kinds:
        bounds = [wilson(round(share * rows), rows) if rows else (share, share) for share, rows in shares]
        traces.append(
            Bar(
                x=names,
                y=[share for share, _ in shares],
                name=label,
                marker={"color": colour},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
                    "array": [high - share for (share, _), (_, high) in zip(shares, bounds, strict=True)],
                    "arrayminus": [share - low for (share, _), (low, _) in zip(shares, bounds, strict=True)],
                },
                hovertemplate=f"%{{x}}   {label} %{{y:.1%}}<extra></extra>",
            )
        )  # fmt: skip
    axis = {"tickformat": ".0%", "rangemode": "tozero"}
    return drawn(traces, column, "share", xaxis={"type": "category"}, yaxis=axis, barmode="group", bargap=0.45)


def _table(groups: Sequence[Group]) -> Table:
    headings = ["group", "rows", "flagged", "positives caught", "negatives flagged", "observed", "predicted"]
    rows = [
        [group.name, f"{group.rows:,}", *map(percent, (group.flagged, group.caught, group.wrongly, group.observed,
                                                      group.predicted))]
        for group in groups
    ]  # fmt: skip
    return Table("Groups of the holdout", headings, rows, set(headings[1:]))
