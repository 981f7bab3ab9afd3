"""Which columns the scorer leans on: permutation importance on the holdout, over raw columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.graph_objects import Bar, Figure

from distml.report import text
from distml.report.html.drawing import drawn, named_axis
from distml.report.page import Chart, Section, Table
from distml.report.theme import BLUE, shown

if TYPE_CHECKING:
    import pandas

REPEATS = 5
MOST_ROWS = 2_000  # of the holdout: so that a table of hundreds of columns takes a minute, not an hour
_SHOWN = 20

Predict = Callable[["pandas.DataFrame"], np.ndarray]  # raw columns -> (rows,) scores, or (rows, classes)


@dataclass(frozen=True)
class ColumnImportance:
    """How much the measure falls when a column is shuffled: mean and standard deviation over repeats."""

    column: str
    mean: float
    sd: float


def importance(predict: Predict, table: "pandas.DataFrame", y: np.ndarray, classes: int) -> Section:
    """A bar a column. table: the holdout's raw columns. y: (rows,) codes or values; classes: 0 for regression."""
    found = permutation(predict, table, y, classes)
    first = found[0]
    measure = "R²" if classes == 0 else "ROC AUC"
    rows = min(len(table), MOST_ROWS)
    idle = sum(one.mean <= 0 for one in found)
    spare = f" {text.count(idle, 'column')} could go without a loss." if idle else ""
    lead = (
        f"How much {measure} falls on the holdout when a column's cells are shuffled ({REPEATS} times, {rows:,} rows; "
        "sklearn.inspection.permutation_importance). Columns that say the same share it, and may both seem to matter "
        f"little.{spare}"
    )
    chart = Chart(
        "columns",
        f"Fall of {measure}",
        f"Most: {first.column}, {first.mean:.4f} ± {first.sd:.4f}."
        + (f" The first {_SHOWN} of {len(found)} columns." if len(found) > _SHOWN else ""),
        bars(found[:_SHOWN], measure),
        Table(
            "All columns",
            ["column", "fall", "standard deviation"],
            [[one.column, f"{one.mean:.5f}", f"{one.sd:.5f}"] for one in found],
            {"fall", "standard deviation"},
        ),
        wide=True,
    )
    return Section("columns", "What the columns mattered", lead, [chart])


def permutation(predict: Predict, table: "pandas.DataFrame", y: np.ndarray, classes: int) -> list[ColumnImportance]:
    """Each column's importance, the largest first."""
    from sklearn.inspection import permutation_importance

    if len(table) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).permutation(len(table))[:MOST_ROWS])
        table, y = table.iloc[chosen].reset_index(drop=True), y[chosen]
    result = permutation_importance(
        _Estimator(), table, y, scoring=_Measure(predict, classes), n_repeats=REPEATS, random_state=0
    )
    found = [
        ColumnImportance(str(name), float(mean), float(sd))
        for name, mean, sd in zip(table.columns, result.importances_mean, result.importances_std, strict=True)
    ]
    return sorted(found, key=lambda one: -one.mean)


def bars(found: Sequence[ColumnImportance], measure: str) -> Figure:
    """A bar a column with its spread, the most important on top."""
    ordered = list(found)[::-1]
    bar = Bar(
        x=[one.mean for one in ordered],
        y=list(range(len(ordered))),
        text=[shown(one.column) for one in ordered],
        textposition="none",
        orientation="h",
        marker={"color": BLUE},
        error_x={"type": "data", "array": [one.sd for one in ordered], "thickness": 1.2, "width": 3},
        hovertemplate="%{text}   %{x:.4f}<extra></extra>",
    )
    names = named_axis([one.column for one in ordered])
    return drawn([bar], f"fall of {measure}", "", height=90 + 24 * len(ordered), yaxis=names)


class _Estimator:
    """What scikit-learn wants to see; the scorer is fitted already."""

    def fit(self) -> None:
        """Nothing to fit."""


class _Measure:
    """Scores the scorer on a table that has a column shuffled."""

    def __init__(self, predict: Predict, classes: int) -> None:
        self._predict, self._classes = predict, classes

    def __call__(self, estimator: Any, table: "pandas.DataFrame", y: np.ndarray) -> float:
        from sklearn.metrics import r2_score, roc_auc_score

        score = self._predict(table)
        if self._classes == 0:
            return float(r2_score(y, score))
        if self._classes == 2:
            return float(roc_auc_score(y, score))
        return float(roc_auc_score(y, score, multi_class="ovr", labels=np.arange(self._classes)))
