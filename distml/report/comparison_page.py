"""`distml compare --output DIR`: a page with charts that needs no network, and the same chart as a PNG."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distml.bench.compare import Block, Comparison, Row
from distml.bench.record import Figure, Measured
from distml.errors import DistmlError
from distml.report import text, theme
from distml.report.benched import interval, rate, workload_words
from distml.report.compared import cell_text, identities, notes, published_rows, ratio_text
from distml.report.page import Block as PageBlock
from distml.report.page import Chart, Paragraph, Section, Table, Tiles, page

PAGE, PICTURE = "comparison.html", "comparison.png"
_ROW_PIXELS = 22  # of one record's dot
_BAND = 0.6  # of the height of a row that its dots share


def write_files(found: Comparison, folder: Path) -> list[Path]:
    """Write the page and the picture; the files that were written.

    Raises:
        DistmlError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).write_text(comparison_page(found), encoding="utf-8")
        draw_png(found, folder / PICTURE)
    except OSError as error:
        raise DistmlError(f"cannot write to {folder}: {error.strerror}. Choose another with --output DIR") from None
    return [folder / PAGE, folder / PICTURE]


def comparison_page(found: Comparison) -> str:
    """The whole page as HTML."""
    sections = [_summary(found), *(_block_section(block, found) for block in found.blocks), _reading(found)]
    sections.append(_machines(found))
    if found.published:
        sections.append(_published(found))
    subtitle = " · ".join(f"{label}: {machine}, {day}" for label, machine, day in identities(found))
    return page("Throughput records compared", subtitle, sections)


def draw_png(found: Comparison, path: Path) -> None:
    """Trials an hour of every arm, a panel a model, on a logarithmic scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Picture

    counts = [len(block.arms) for block in found.blocks]
    bars = sum(counts) * len(found.records)
    picture = Picture(figsize=(10, 1.4 * len(counts) + 0.28 * bars + 0.8), layout="constrained")
    FigureCanvasAgg(picture)
    panels = picture.subplots(len(counts), 1, squeeze=False, height_ratios=counts)[:, 0]
    for axes, block in zip(panels, found.blocks, strict=True):
        _draw_panel(axes, block, found)
    panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(found.labels), frameon=False)
    picture.suptitle(workload_words(found.workload), fontsize=9, color="#555555")
    picture.savefig(path, dpi=144)


def _draw_panel(axes: Any, block: Block, found: Comparison) -> None:
    """A dot and its interval for each figure: on a logarithmic scale the length of a bar would say nothing."""
    for place, label in enumerate(found.labels):
        shift = _BAND * (place - (len(found.labels) - 1) / 2) / len(found.labels)
        known = [(number + shift, cell.figure) for number, row in enumerate(block.arms) if (cell := row.cells[place])]
        drawn = [(at, figure) for at, figure in known if figure is not None]
        axes.errorbar(
            [figure.median for _, figure in drawn], [at for at, _ in drawn], xerr=_errors([one for _, one in drawn]),
            fmt="o", markersize=5, capsize=3, label=label, color=theme.COLOURS[place % len(theme.COLOURS)],
        )  # fmt: skip
        for number, row in enumerate(block.arms):
            if row.cells[place].figure is None:
                axes.annotate(
                    f"{label}: {row.cells[place].said}", (0.01, number + shift), va="center",
                    xycoords=axes.get_yaxis_transform(), fontsize=7, color="#777777",
                )  # fmt: skip
    axes.set_yticks(range(len(block.arms)), [row.name for row in block.arms])
    axes.set_ylim(len(block.arms) - 0.5, -0.5)
    axes.set_xscale("log")
    low, high = _span(block)
    axes.set_xlim(low, high)
    axes.set_xticks(_ticks(low, high))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("trials an hour (logarithmic; whiskers: 95 % interval)")
    axes.set_title(block.title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)


def _errors(figures: Sequence[Figure]) -> list[list[float]]:
    """Lengths below and above each median; nothing where there is no interval."""
    below = [one.median - (one.median if one.low is None else one.low) for one in figures]
    above = [(one.median if one.high is None else one.high) - one.median for one in figures]
    return [below, above]


def _span(block: Block) -> tuple[float, float]:
    """Where the logarithmic axis begins and ends: a little beyond all intervals."""
    figures = [cell.figure for row in block.arms for cell in row.cells if cell.figure is not None]
    lows = [one.median if one.low is None else one.low for one in figures]
    highs = [one.median if one.high is None else one.high for one in figures]
    return min(lows, default=1.0) / 1.3, max(highs, default=10.0) * 1.3


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between two numbers.

    >>> _ticks(30.0, 600.0)
    [50.0, 100.0, 200.0, 500.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]


def _summary(found: Comparison) -> Section:
    tiles = []
    for place, (label, record) in enumerate(zip(found.labels, found.records, strict=True)):
        best = record.best("scoring-network")
        if best is not None and best.trials_per_hour is not None:
            note = f"trials, by {best.name}"
            block = next((one for one in found.blocks if one.model == "scoring-network"), None)
            ratio = block.best[0].ratios[place] if block and block.best else None
            if ratio is not None:
                note += f"; {ratio_text(ratio)} of {found.labels[found.baseline]}'s"
            tiles.append((label, f"{rate(best.trials_per_hour.median)} /h", note))
    marks = [
        Paragraph(f"Mind: {label}: {mark}")
        for label, record in zip(found.labels, found.records, strict=True) for mark in record.marks
    ]  # fmt: skip
    lead = f"{workload_words(found.workload)}. The most that each machine does with the scoring network:"
    blocks: list[PageBlock] = [Tiles(tiles), *marks]
    return Section("summary", "In short", lead[0].upper() + lead[1:], blocks)


def _block_section(block: Block, found: Comparison) -> Section:
    title = block.title.capitalize()
    lead = "Whiskers and brackets are 95 % bootstrap intervals."
    charts: list[PageBlock] = [_rates_chart(block, found)]
    if any(ratio is not None for row in block.arms for ratio in row.ratios):
        charts.append(_ratios_chart(block, found))
    if block.best:
        charts.append(_rows_table(f"The best way of each machine, {block.title}", block.best, found))
    return Section(block.model, title, lead, charts)


def _reading(found: Comparison) -> Section:
    lines = ["All slots were busy at once, and warming up is left out.", *notes(found)]
    return Section("reading", "How to read it", "", [Paragraph(line) for line in lines])


def _rates_chart(block: Block, found: Comparison) -> Chart:
    values = [[row.cells[place].figure for row in block.arms] for place in range(len(found.labels))]
    labels = [[f"{rate(one.median)} {interval(one)}" if one else "" for one in some] for some in values]
    low, high = _span(block)
    ticks = _ticks(low, high)
    axis = {
        "type": "log", "range": [math.log10(low), math.log10(high)], "tickvals": ticks,
        "ticktext": [f"{tick:,.0f}" for tick in ticks], "title": {"text": "trials an hour (logarithmic)"},
    }  # fmt: skip
    drawing = _dots(block, found.labels, values, labels, "trials an hour", axis)
    table = _rows_table(f"Trials an hour, {block.title}", block.arms, found)
    title = f"Trials an hour, {block.title}"
    return Chart(f"rates-{block.model}", title, "Further right is better.", drawing, table, wide=True, least=520)


def _ratios_chart(block: Block, found: Comparison) -> Chart:
    base = found.labels[found.baseline]
    others = [place for place in range(len(found.labels)) if place != found.baseline]
    values = [[row.ratios[place] for row in block.arms] for place in others]
    labels = [[ratio_text(ratio) for ratio in some] for some in values]
    names = [f"{found.labels[place]} / {base}" for place in others]
    drawing = _dots(block, names, values, labels, "", {"title": {"text": theme.shown(f"times {base}")}}, others)
    line = {"color": theme.MUTED, "dash": "dot"}
    drawing.add_shape(type="line", x0=1, x1=1, yref="paper", y0=0, y1=1, line=line)
    says = f"Right of the dotted line is quicker than {base}; whiskers across it: no difference could be told."
    title = f"Ratios, {block.title}"
    return Chart(f"ratios-{block.model}", title, says, drawing, wide=True, least=520)


def _dots(
    block: Block,
    names: Sequence[str],
    values: Sequence[Sequence[Figure | None]],
    labels: Sequence[Sequence[str]],
    unit: str,
    axis: Mapping[str, Any],
    colours: Sequence[int] | None = None,
) -> Any:
    """A plotly figure: a row an arm, a dot with whiskers for each name. values, labels: (names, arms)."""
    from plotly.graph_objects import Figure as Drawing
    from plotly.graph_objects import Scatter

    drawing = Drawing()
    shown = [theme.shown(row.name) for row in block.arms]
    for place, name in enumerate(names):
        shift = _BAND * (place - (len(names) - 1) / 2) / len(names)
        known = [(number, figure) for number, figure in enumerate(values[place]) if figure is not None]
        below, above = _errors([figure for _, figure in known])
        colour = theme.COLOURS[(colours[place] if colours else place) % len(theme.COLOURS)]
        drawing.add_trace(
            Scatter(
                y=[number + shift for number, _ in known], x=[figure.median for _, figure in known], mode="markers",
                name=theme.shown(name), marker={"size": 9, "color": colour},
                error_x={"type": "data", "array": above, "arrayminus": below, "thickness": 2},
                text=[f"{shown[number]}<br>{labels[place][number]} {unit}" for number, _ in known],
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    rows = range(len(block.arms))
    drawing.update_layout(
        height=150 + _ROW_PIXELS * len(rows) * max(1.5, len(names)),
        xaxis=dict(axis),
        yaxis={
            "tickvals": list(rows), "ticktext": [f"{name}  " for name in shown],
            "range": [len(rows) - 0.5, -0.5], "automargin": True,
        },
        showlegend=True,
    )  # fmt: skip
    return drawing


def _rows_table(caption: str, rows: Sequence[Row], found: Comparison) -> Table:
    others = [place for place in range(len(found.records)) if place != found.baseline]
    heads = [f"{found.labels[place]} / {found.labels[found.baseline]}" for place in others]
    headings = ["", *found.labels, *heads]
    body = [
        [row.name, *(_with_interval(row, place) for place in range(len(found.records))),
         *(ratio_text(row.ratios[place]) for place in others)]
        for row in rows
    ]  # fmt: skip
    return Table(caption, headings, body, right=headings[1:])


def _with_interval(row: Row, place: int) -> str:
    cell = row.cells[place]
    return cell_text(row, cell) + (f" {interval(cell.figure)}" if cell.figure is not None else "")


def _machines(found: Comparison) -> Section:
    facts = [_facts(record) for record in found.records]
    names = list(dict.fromkeys(name for one in facts for name in one))
    body = [[name, *(one.get(name, "-") for one in facts)] for name in names]
    table = Table("What the records say of their machines", ["", *found.labels], body)
    return Section("machines", "Machines", "As each record found its machine when it was measured.", [table])


def _facts(record: Measured) -> dict[str, str]:
    machine, device = record.machine, record.machine.device
    facts = {
        "measured": f"{record.made.date[:16].replace('T', ' ')} UTC, {text.duration(record.made.seconds)}",
        "command": record.made.command,
        "processor": f"{machine.processor}, {text.count(machine.cores, 'core')}, {machine.memory_mib / 1024:.1f} GiB",
        "device": device.name if device else machine.missing.get("device", "none"),
    }
    if device is not None:
        clocks = [f"{clock:,} MHz" for clock in (device.sm_clock_mhz, device.memory_clock_mhz) if clock]
        facts |= {
            "device memory": f"{device.memory_mib / 1024:.1f} GiB" if device.memory_mib else "not known",
            "multiprocessors": str(device.multiprocessors or "not known"),
            "highest clocks": " / ".join(clocks) or device.missing.get("sm_clock_mhz", "not known"),
            "power cap": f"{device.power_cap_w:.0f} W" if device.power_cap_w else "not known",
            "MIG": ", ".join(device.mig_layout) or device.mig_mode or "not on this card",
            "driver, CUDA": f"{machine.driver}, {machine.cuda or 'not known'}",
        }
    facts |= {f"limit: {one.what}": f"{rate(one.rate.median)} {one.unit}" for one in record.ceilings}
    if record.start_seconds is not None:
        facts["starting a process"] = f"{record.start_seconds.median:.1f} s"
    price = machine.price
    facts["price"] = f"{price.per_hour:g} {price.currency} an hour" if price else machine.missing.get("price", "-")
    facts["versions"] = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    facts["distml"] = f"{record.made.distml}, revision {record.made.git or 'not known'}"
    facts["marks"] = "; ".join(record.marks) or "none"
    return facts


def _published(found: Comparison) -> Section:
    blocks: list[PageBlock] = []
    for one in found.published:
        table = Table(one.label, ["what", "value", "on", "note"], published_rows(one))
        blocks += [table, Paragraph(f"Source: {one.source}, {one.url}, read {one.read}.")]
    lead = "Others measured these, on other work: they are not comparable with the figures above, cell by cell."
    return Section("published", "Published elsewhere, not measured here", lead, blocks)
