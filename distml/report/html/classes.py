"""More than two classes: which are taken for which, and each against the rest."""

from collections.abc import Sequence

import numpy as np
from plotly.graph_objects import Figure, Heatmap, Scatter
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score, roc_curve

from distml.report.html.drawing import drawn, percent, thinned
from distml.report.html.evaluation import Evaluation, Part
from distml.report.page import Chart, Section, Table
from distml.report.theme import COLOURS, MUTED, shown

_CURVES = 8  # classes whose curves are drawn
_CELLS = 15  # classes up to which cells carry their figures


def several_classes(evaluation: Evaluation, names: Sequence[str]) -> Section:
    """The confusion matrix of the holdout, and a ROC curve a class."""
    held = evaluation.holdout
    found = held.raw.argmax(axis=1)
    right = float(np.mean(found == held.y))
    commonest = float(np.bincount(held.y.astype(int)).max() / len(held))
    lead = (
        f"{percent(right)} of the {len(held):,} rows of the holdout get their class; "
        f"always the commonest class would get {percent(commonest)}."
    )
    areas = {code: area for code in range(evaluation.classes) if (area := _area(held, code)) == area}
    order = sorted(areas, key=lambda code: -int((held.y == code).sum()))[:_CURVES]
    which = f" The {len(order)} commonest classes." if len(order) < evaluation.classes else ""
    worst = min(areas, key=lambda code: areas[code])
    charts = [
        Chart(
            "confusion",
            "True and predicted classes",
            "Shares of each true class.",
            confusion(held.y, found, names),
            _table(held, found, names, areas),
            wide=True,
        ),
        Chart(
            "roc-classes",
            "ROC, each class against the rest",
            f"Hardest: {names[worst]}, area {areas[worst]:.4f}.{which}",
            one_against_rest(held, order, names, areas),
            wide=True,
        ),
    ]
    return Section("classes", "Telling the classes apart", lead, charts)


def confusion(y: np.ndarray, found: np.ndarray, names: Sequence[str]) -> Figure:
    """A cell is the share of a true class (a row) that got a class (a column)."""
    matrix = confusion_matrix(y, found, labels=np.arange(len(names)), normalize="true")
    labels = [shown(name) for name in names]
    cells = {"texttemplate": "%{z:.0%}"} if len(names) <= _CELLS else {}
    heat = Heatmap(
        z=matrix[::-1], x=labels, y=labels[::-1], zmin=0, zmax=1, showscale=False,
        colorscale=[[0, "rgba(53,119,212,0.04)"], [1, "rgba(53,119,212,1)"]],
        hovertemplate="%{y} taken for %{x}   %{z:.1%}<extra></extra>", **cells,
    )  # fmt: skip
    category = {"type": "category", "showgrid": False}
    return drawn([heat], "predicted", "true", height=max(360, 120 + 28 * len(names)), xaxis=category, yaxis=category)


def one_against_rest(held: Part, codes: Sequence[int], names: Sequence[str], areas: dict[int, float]) -> Figure:
    """A curve a class."""
    traces = [
        Scatter(
            x=x.astype(np.float32), y=y.astype(np.float32), mode="lines",
            name=f"{shown(names[code])} {areas[code]:.3f}",
            line={"color": COLOURS[place % len(COLOURS)], "width": 2},
        )
        for place, code in enumerate(codes)
        for x, y in [_curve(held, code)]
    ]  # fmt: skip
    line = {"color": MUTED, "dash": "dot", "width": 1}
    traces.append(Scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip", name="guessing"))
    return drawn(traces, "false positive rate", "true positive rate", height=420)


def _curve(held: Part, code: int) -> tuple[np.ndarray, np.ndarray]:
    false, true, _ = roc_curve(held.y == code, held.raw[:, code])
    return thinned(false, true, most=200)


def _area(held: Part, code: int) -> float:
    of_class = held.y == code
    return float(roc_auc_score(of_class, held.raw[:, code])) if of_class.any() and not of_class.all() else float("nan")


def _table(held: Part, found: np.ndarray, names: Sequence[str], areas: dict[int, float]) -> Table:
    codes = range(len(names))
    precision, recall, _, support = precision_recall_fscore_support(
        held.y, found, labels=list(codes), zero_division=np.nan
    )
    rows = [
        [
            names[code],
            f"{support[code]:,}",
            percent(recall[code]),
            percent(precision[code]),
            f"{areas[code]:.4f}" if code in areas else "-",
        ]
        for code in codes
    ]
    headings = ["class", "rows", "found", "of those so predicted, right", "ROC AUC"]
    return Table("Classes of the holdout", headings, rows, set(headings[1:]))
