"""`distml compare --output DIR`: a page with charts that needs no network, and the same chart as a PNG."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distml.bench.compare import Block, Comparison, Row
from distml.bench.record import Figure, Measured
from distml.errors import DistmlError
from distml.report import text, theme
from distml.report.benched import interval, rate, workload_words
from distml.report.compared import cell_text, notes, published_rows, ratio_text
from distml.report.page import Block as PageBlock
from distml.report.page import Chart, Paragraph, Section, Table, Tiles, page

PAGE, PICTURE = "comparison.html", "comparison.png"
_ROW_PIXELS = 22  # of one record's bar


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
    sections = [_summary(found), *(_block_section(block, found) for block in found.blocks), _machines(found)]
    if found.published:
        sections.append(_published(found))
    return page("Throughput records compared", " · ".join(found.labels), sections)


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
    thick = 0.8 / len(found.records)
    for place, label in enumerate(found.labels):
        rows = [(number, cell.figure) for number, row in enumerate(block.arms) if (cell := row.cells[place]).figure]
        figures = [figure for _, figure in rows if figure is not None]
        at = [number + (place - (len(found.labels) - 1) / 2) * thick for number, _ in rows]
        axes.barh(
            at, [one.median for one in figures], 0.9 * thick, label=label,
            color=theme.COLOURS[place % len(theme.COLOURS)], xerr=_errors(figures), ecolor="#444444", capsize=2,
        )  # fmt: skip
        for number, row in enumerate(block.arms):
            if row.cells[place].figure is None:
                where = (0.01, number + (place - (len(found.labels) - 1) / 2) * thick)
                axes.annotate(
                    f"{label}: {row.cells[place].said}", where, xycoords=axes.get_yaxis_transform(), va="center",
                    fontsize=7, color="#777777",
                )  # fmt: skip
    axes.set_yticks(range(len(block.arms)), [row.name for row in block.arms])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left=_least(block))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("trials an hour (logarithmic; whiskers: 95 % interval)")
    axes.set_title(block.title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _errors(figures: Sequence[Figure]) -> list[list[float]]:
    """Lengths below and above each median; nothing where there is no interval."""
    below = [one.median - (one.median if one.low is None else one.low) for one in figures]
    above = [(one.median if one.high is None else one.high) - one.median for one in figures]
    return [below, above]


def _least(block: Block) -> float:
    """Where the logarithmic axis begins: a power of ten below all."""
    known = [cell.figure.median for row in block.arms for cell in row.cells if cell.figure is not None]
    return float(10 ** math.floor(math.log10(min(known) * 0.9))) if known else 1.0


def _summary(found: Comparison) -> Section:
    tiles = []
    for place, (label, record) in enumerate(zip(found.labels, found.records, strict=True)):
        best = record.best("scoring-network")
        if best is not None and best.trials_per_hour is not None:
            note = best.name
            block = next((one for one in found.blocks if one.model == "scoring-network"), None)
            ratio = block.best[0].ratios[place] if block and block.best else None
            if ratio is not None:
                note += f"; {ratio_text(ratio)} of {found.labels[found.baseline]}"
            tiles.append((label, f"{rate(best.trials_per_hour.median)} trials/h", note))
    marks = [
        Paragraph(f"Mind: {label}: {mark}")
        for label, record in zip(found.labels, found.records, strict=True) for mark in record.marks
    ]  # fmt: skip
    lead = f"{workload_words(found.workload)}. The most that each machine does with the scoring network:"
    blocks: list[PageBlock] = [Tiles(tiles), *marks]
    return Section("summary", "In short", lead[0].upper() + lead[1:], blocks)


def _block_section(block: Block, found: Comparison) -> Section:
    title = block.title.capitalize()
    lead = "All slots were busy at once; the warm-up is left out; whiskers and brackets are 95 % bootstrap intervals."
    charts: list[PageBlock] = [_rates_chart(block, found)]
    if any(ratio is not None for row in block.arms for ratio in row.ratios):
        charts.append(_ratios_chart(block, found))
    if block.best:
        charts.append(_rows_table(f"The best way of each machine, {block.title}", block.best, found))
    said = notes(found)
    return Section(block.model, title, lead, [*charts, *(Paragraph(line) for line in said)])


def _rates_chart(block: Block, found: Comparison) -> Chart:
    from plotly.graph_objects import Bar, Layout
    from plotly.graph_objects import Figure as Drawing

    traces = []
    for place, label in enumerate(found.labels):
        rows = [row for row in block.arms if row.cells[place].figure is not None]
        figures = [figure for row in rows if (figure := row.cells[place].figure) is not None]
        below, above = _errors(figures)
        traces.append(
            Bar(
                y=[theme.shown(row.name) for row in rows], x=[one.median for one in figures], orientation="h",
                name=theme.shown(label), marker_color=theme.COLOURS[place % len(theme.COLOURS)],
                error_x={"type": "data", "array": above, "arrayminus": below, "color": theme.MUTED, "thickness": 1.5},
                text=[f"{rate(one.median)} {interval(one)}" for one in figures], textposition="none",
                hovertemplate="%{y}<br>%{text} trials an hour<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    names = [theme.shown(row.name) for row in block.arms]
    layout = Layout(
        height=140 + _ROW_PIXELS * len(block.arms) * max(2, len(found.labels)),
        barmode="group",
        yaxis={"categoryorder": "array", "categoryarray": names[::-1], "automargin": True},
        xaxis={"type": "log", "title": {"text": "trials an hour (logarithmic)"}, "dtick": 1},
        legend={"traceorder": "normal"},
    )
    return Chart(
        f"rates-{block.model}", f"Trials an hour, {block.title}", "A longer bar is better.", Drawing(traces, layout),
        _rows_table(f"Trials an hour, {block.title}", block.arms, found), wide=True, least=520,
    )  # fmt: skip


def _ratios_chart(block: Block, found: Comparison) -> Chart:
    from plotly.graph_objects import Figure as Drawing
    from plotly.graph_objects import Layout, Scatter

    base = found.labels[found.baseline]
    traces = []
    for place, label in enumerate(found.labels):
        rows = [(row.name, ratio) for row in block.arms if (ratio := row.ratios[place]) is not None]
        if not rows:
            continue
        below, above = _errors([ratio for _, ratio in rows])
        traces.append(
            Scatter(
                y=[theme.shown(name) for name, _ in rows], x=[ratio.median for _, ratio in rows], mode="markers",
                name=theme.shown(f"{label} / {base}"),
                marker={"size": 9, "color": theme.COLOURS[place % len(theme.COLOURS)]},
                error_x={"type": "data", "array": above, "arrayminus": below, "thickness": 2},
                text=[ratio_text(ratio) for _, ratio in rows],
                hovertemplate="%{y}<br>%{text}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    names = [theme.shown(row.name) for row in block.arms]
    layout = Layout(
        height=120 + _ROW_PIXELS * len(block.arms) * 2,
        yaxis={"categoryorder": "array", "categoryarray": names[::-1], "automargin": True},
        xaxis={"title": {"text": theme.shown(f"times {base}")}},
        shapes=[{
            "type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": theme.MUTED, "dash": "dot"},
        }],
        showlegend=True,
    )  # fmt: skip
    says = f"Right of the dotted line is quicker than {base}; a bar across it means no difference."
    return Chart(f"ratios-{block.model}", f"Ratios, {block.title}", says, Drawing(traces, layout), wide=True, least=520)


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
        table = Table(one.label, ["what", "value", "on", "note"], published_rows(one), right=["value"])
        blocks += [table, Paragraph(f"Source: {one.source}, {one.url}, read {one.read}.")]
    lead = "Others measured these, on other work: they are not comparable with the figures above, cell by cell."
    return Section("published", "Published elsewhere, not measured here", lead, blocks)
