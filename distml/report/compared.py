"""`distml compare`: records beside each other as a table, as plain data, as a chart and as a page."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from distml.bench.compare import Block, Cell, Comparison, Row
from distml.bench.record import Figure, Measured, Published
from distml.bench.statistics import differs
from distml.report.benched import rate, workload_words
from distml.report.layout import Columns

SAME = "="  # after a ratio: no difference that could be told


def comparison_lines(found: Comparison) -> list[RenderableType]:
    """The comparison as a person reads it."""
    lines: list[RenderableType] = [Text(workload_words(found.workload))]
    lines.append(Columns(["", "", ""], [[f"  {label}", *about] for label, *about in identities(found)]))
    for label, record in zip(found.labels, found.records, strict=True):
        lines += [Text(f"mind: {label}: {mark}", style="yellow") for mark in record.marks]
    for block in found.blocks:
        lines += [Text(), Columns(*_table(block, found))]
    lines += [Text(), *map(Text, notes(found))]
    return [*lines, *published_lines(found.published)]


def _table(block: Block, found: Comparison) -> tuple[list[str], list[list[str]], list[str]]:
    others = [place for place in range(len(found.records)) if place != found.baseline]
    heads = [f"{found.labels[place]} / {found.labels[found.baseline]}" for place in others]
    headings = [block.title, *found.labels, *heads]
    best = [f"the best way of each: {row.name}" if not number else row.name for number, row in enumerate(block.best)]
    rows = [
        [name, *(cell_text(row, cell) for cell in row.cells), *(ratio_text(row.ratios[place]) for place in others)]
        for name, row in zip([*(row.name for row in block.arms), *best], [*block.arms, *block.best], strict=True)
    ]
    return headings, rows, list(headings[1:])


def cell_text(row: Row, cell: Cell) -> str:
    """'61,200 /h', or why there is nothing."""
    if cell.figure is None:
        return cell.said or "-"
    unit = {"trials/h": "/h"}.get(row.unit, row.unit.removeprefix("trials"))
    return f"{rate(cell.figure.median)} {unit}"


def ratio_text(ratio: Figure | None) -> str:
    """'1.7x [1.5, 1.8]', with SAME after it where the interval holds 1.

    >>> ratio_text(Figure(median=1.68, low=1.51, high=1.83)), ratio_text(Figure(median=0.99, low=0.97, high=1.02))
    ('1.68x [1.51, 1.83]', '0.99x [0.97, 1.02] =')
    """
    if ratio is None:
        return "-"
    interval = "" if ratio.low is None else f" [{_times(ratio.low)}, {_times(ratio.high or 0.0)}]"
    return f"{_times(ratio.median)}x{interval}" + (f" {SAME}" if differs(ratio) is False else "")


def identities(found: Comparison) -> list[list[str]]:
    """(name, machine, when it was measured and whether ratios refer to it) of each record."""
    return [
        [label, record.label, f"{record.made.date[:10]}{', the baseline' if place == found.baseline else ''}"]
        for place, (label, record) in enumerate(zip(found.labels, found.records, strict=True))
    ]


def notes(found: Comparison) -> list[str]:
    """What stands under the table."""
    said = _of_one_machine(found)
    busy = [label for label, record in zip(found.labels, found.records, strict=True) if _was_busy(record)]
    if busy:
        said.append(f"{', '.join(busy)}: others worked beside the bench, so that ratios are of what they left over")
    ratios = [ratio for block in found.blocks for row in (*block.arms, *block.best) for ratio in row.ratios if ratio]
    if ratios:
        said.append("[ ]: 95 % bootstrap interval of the ratio of medians")
    if any(differs(ratio) is False for ratio in ratios):
        said.append(f"{SAME}   no difference that could be told: the interval holds 1; without it there is one")
    if any(ratio.low is None for ratio in ratios):
        said.append("no interval: a record was interrupted before its fifth repeat")
    for block in found.blocks:
        said += [f"{block.title}, {row.name}: {_each(row, found)}" for row in block.arms if _each(row, found)]
        if block.best:
            said.append(f"{block.title}, the best way: {_each(block.best[0], found)}")
    unknown: dict[str, list[str]] = {}
    for label, record in zip(found.labels, found.records, strict=True):
        reasons = {arm.missing["joules_per_trial"] for arm in record.arms if "joules_per_trial" in arm.missing}
        price = record.machine.missing.get("price")
        for line in [f"no joules: {reason}" for reason in sorted(reasons)] + [f"no price: {price}"] * (
            price is not None
        ):
            unknown.setdefault(line, []).append(label)
    return [*said, *(f"{line} ({', '.join(labels)})" for line, labels in unknown.items())]


def _of_one_machine(found: Comparison) -> list[str]:
    identities = [record.machine.identity for record in found.records]
    alike = [label for label, one in zip(found.labels, identities, strict=True) if identities.count(one) > 1]
    if not alike:
        return []
    return [f"{', '.join(alike)}: one machine at several times; what differs is not its hardware"]


def _was_busy(record: Measured) -> bool:
    return any(mark.startswith("busy") for mark in record.marks)


def _each(row: Row, found: Comparison) -> str:
    """What each record's figure is of, where that is not the row's name."""
    pairs = zip(found.labels, row.cells, strict=True)
    return "; ".join(f"{label} {cell.said}" for label, cell in pairs if cell.figure is not None and cell.said)


def published_lines(published: Sequence[Published]) -> list[RenderableType]:
    """What others published: each under its own heading and with its source."""
    lines: list[RenderableType] = []
    for one in published:
        lines += [
            Text(),
            Text(f"PUBLISHED, not measured here: {one.label}"),
            Text(f"  {one.source}   {one.url}   read {one.read}", style="dim"),
            Columns(
                ["  what", "value", "on", "note"], [[f"  {row[0]}", *row[1:]] for row in published_rows(one)], ["value"]
            ),
        ]
    return lines


def published_rows(one: Published) -> list[list[str]]:
    """(what, value with its unit and range, hardware, note) of each figure."""
    rows = []
    for figure in one.figures:
        between = "" if figure.low is None or figure.high is None else f" [{figure.low:g}, {figure.high:g}]"
        unit = "x" if figure.unit == "times" else f" {figure.unit}"
        rows.append([figure.what, f"{figure.value:g}{unit}{between}", figure.hardware, figure.note])
    return rows


def comparison_rows(found: Comparison) -> list[dict[str, Any]]:
    """One row a quantity and record: plain data."""
    rows = []
    for block in found.blocks:
        for of, row in [*(("arm", row) for row in block.arms), *(("best", row) for row in block.best)]:
            for label, cell, ratio in zip(found.labels, row.cells, row.ratios, strict=True):
                figure = cell.figure
                rows.append({
                    "model": block.model, "of": of, "name": row.name, "record": label, "unit": row.unit,
                    "value": figure and figure.median, "low": figure and figure.low, "high": figure and figure.high,
                    "ratio": ratio and ratio.median, "ratio_low": ratio and ratio.low,
                    "ratio_high": ratio and ratio.high,
                    "differs": None if ratio is None else differs(ratio), "said": cell.said,
                })  # fmt: skip
    return rows


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The comparison as plain data; published figures stand apart from measured ones."""
    return {
        "baseline": found.labels[found.baseline],
        "workload": found.workload.model_dump(mode="json"),
        "records": [
            {"label": label, "kind": "measured", "date": record.made.date, "marks": list(record.marks)}
            for label, record in zip(found.labels, found.records, strict=True)
        ],
        "rows": comparison_rows(found),
        "published": [one.model_dump(mode="json") for one in found.published],
    }


def _times(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
