"""How the scorer treats groups: rates by group of a column that the user names, by fairlearn."""

from collections.abc import Sequence
from dataclasses import dataclass
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

    names = grouped(cells)
    groups = rates(held.y, held.calibrated, names, threshold)
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


def grouped(cells: "pandas.Series") -> np.ndarray:
    """(rows,) names of groups: quarters of a column of many numbers, else its values, the rarest together."""
    import pandas

    if pandas.api.types.is_numeric_dtype(cells.dtype) and cells.nunique() > MOST_GROUPS:
        bins = pandas.qcut(cells, 4, duplicates="drop")
        names = bins.map(lambda one: f"{one.left:g} to {one.right:g}").astype(object)
    else:
        names = cells.astype(object)
    names = names.where(cells.notna(), "missing").astype(str)
    frequent = names.value_counts().index[: MOST_GROUPS - 1]
    if names.nunique() > MOST_GROUPS:
        names = names.where(names.isin(frequent), "others")
    return names.to_numpy(dtype=object)


def rates(y: np.ndarray, score: np.ndarray, names: np.ndarray, threshold: float) -> list[Group]:
    """A group a row, the largest first; y: (rows,) of 0 and 1."""
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
    return sorted(groups, key=lambda group: -group.rows)


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
    return Table("Groups of the holdout, the largest first", headings, rows, set(headings[1:]))
