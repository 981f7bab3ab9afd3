"""A self-contained page: sections of text, tables and charts in one HTML file that needs no network.

All text is taken as text: whatever a column or a parameter is called, it is shown and never run.
"""

import html
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distml.report.theme import template

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 360  # pixels of a chart that does not say
_FACTS = 4  # columns; a table of no more, all texts, breaks its lines instead of scrolling sideways


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True)
class Tiles:
    """The figures to see first: (name, value, what else to know of it or '')."""

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of cells; `right`: headings of the columns that hold figures; `head`: the column that names the row."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Collection[str] = ()
    head: int = 0


@dataclass(frozen=True)
class Chart:
    """A plotly figure, and in words what it shows."""

    name: str  # unique on the page
    title: str
    says: str  # what someone who cannot see it should know
    figure: "Figure"
    table: Table | None = None  # its figures, folded away under it
    wide: bool = False  # the page's whole width
    least: int = 0  # pixels; on a narrower screen the chart scrolls in its own frame


@dataclass(frozen=True)
class Choice:
    """Charts of which the reader picks one."""

    label: str
    charts: Mapping[str, Chart]


Block = Paragraph | Tiles | Table | Chart | Choice


@dataclass(frozen=True)
class Section:
    """A heading, a sentence with what it comes to, and what shows it; without blocks the sentence says why."""

    id: str
    heading: str
    lead: str
    blocks: Sequence[Block] = ()


def charts_of(sections: Sequence[Section]) -> dict[str, Chart]:
    """All charts of a page by name, in their order."""
    return {chart.name: chart for section in sections for block in section.blocks for chart in _charts(block)}


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page as HTML."""
    from plotly.offline import get_plotlyjs

    here = Path(__file__).parent
    entries = "".join(f'<li><a href="#{_id(one.id)}">{_text(one.heading)}</a></li>' for one in sections)
    themes = _data("themes", json.dumps({name: template(name) for name in ("light", "dark")}))
    script = (here / "page.js").read_text(encoding="utf-8")
    plotly = f"<script>{get_plotlyjs()}</script>" if charts_of(sections) else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="distml">
<title>{_text(title)}</title>
<link rel="icon" href="data:,">
<style>{(here / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><h1>{_text(title)}</h1><p>{_text(subtitle)}</p></header>
<nav aria-label="Sections"><ul>{entries}</ul></nav>
<main id="content" tabindex="-1">
<noscript><p class="lead">Charts are drawn by JavaScript; the tables under them say the same.</p></noscript>
{"".join(_section(section) for section in sections)}</main>
<p id="told" class="unseen" aria-live="polite"></p>
{themes}
{plotly}
<script>{script}</script>
</body>
</html>
"""


# Nothing is ever fetched. 'unsafe-eval' is what plotly's WebGL charts compile their drawing with.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)


def _section(section: Section) -> str:
    name = _id(section.id)
    blocks = "".join(map(_block, section.blocks))
    return (
        f'<section id="{name}" aria-labelledby="{name}-heading"{"" if blocks else " class=absent"}>'
        f'<h2 id="{name}-heading">{_text(section.heading)}</h2>'
        + (f'<p class="lead">{_text(section.lead)}</p>' if section.lead else "")
        + (f'<div class="blocks">{blocks}</div>' if blocks else "")
        + "</section>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return f'<p class="wide">{_text(block.text)}</p>'
        case Tiles():
            return f'<dl class="tiles wide">{"".join(_tile(*one) for one in block.tiles)}</dl>'
        case Table():
            return f'<div class="wide">{_table(block)}</div>'
        case Chart():
            return _chart(block)
        case Choice():
            return _choice(block)


def _tile(name: str, value: str, note: str) -> str:
    more = f'<dd class="note">{_text(note)}</dd>' if note else ""
    return f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd>{more}</div>"


def _table(table: Table) -> str:
    figures = [heading in table.right for heading in table.headings]
    head = "".join(
        f'<th scope="col"{_right(right)}>{_text(heading)}</th>'
        for heading, right in zip(table.headings, figures, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{_right(right)}>{_text(cell)}</th>'
            if place == table.head
            else f"<td{_right(right)}>{_text(cell)}</td>"
            for place, (cell, right) in enumerate(zip(row, figures, strict=True))
        )
        + "</tr>"
        for row in table.rows
    )
    kind = "" if any(figures) or len(table.headings) > _FACTS else ' class="facts"'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(table.caption)}">'
        f"<table{kind}><caption>{_text(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div>"
    )


def _chart(chart: Chart, hidden: bool = False) -> str:
    name = _plot(chart)
    height = chart.figure.layout.height or HEIGHT
    least = f";min-width:{chart.least}px" if chart.least else ""
    table = (
        f"<details><summary>The same as a table</summary>{_table(chart.table)}</details>"
        if chart.table is not None
        else ""
    )
    return (
        f'<figure id="{name}-figure" class="chart{" wide" if chart.wide else ""}"{" hidden" if hidden else ""}>'
        f'<figcaption id="{name}-caption"><strong>{_text(chart.title)}</strong> {_text(chart.says)}</figcaption>'
        f'<div class="frame"><div class="plot" id="{name}" tabindex="0" role="application" aria-roledescription="chart"'
        f' aria-labelledby="{name}-caption" style="height:{height}px{least}"></div></div>'
        f"{table}{_data(f'{name}-data', _figure_json(chart.figure))}</figure>"
    )


def _choice(choice: Choice) -> str:
    names = list(choice.charts)
    group = _id("choice-" + choice.charts[names[0]].name)
    picks = "".join(
        f'<label><input type="radio" name="{group}" value="{_plot(choice.charts[name])}-figure"'
        f"{' checked' if name == names[0] else ''}>{_text(name)}</label>"
        for name in names
    )
    charts = "".join(_chart(chart, hidden=name != names[0]) for name, chart in choice.charts.items())
    if len(names) == 1:
        return charts
    return f'<div class="choice wide"><fieldset><legend>{_text(choice.label)}</legend>{picks}</fieldset>{charts}</div>'


def _figure_json(figure: "Figure") -> str:
    """The figure without its template: the page has one for light and one for dark."""
    from plotly.io.json import to_json_plotly

    plain = figure.to_dict()
    plain["layout"].pop("template", None)
    return str(to_json_plotly(plain, engine="json"))


def _data(name: str, text: str) -> str:
    """JSON in a script element that no text in it can end."""
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{name}">{safe}</script>'


def _charts(block: Block) -> Iterator[Chart]:
    if isinstance(block, Chart):
        yield block
    elif isinstance(block, Choice):
        yield from block.charts.values()


def _text(text: str) -> str:
    return html.escape(text)


def _id(name: str) -> str:
    """A name as an element's id: letters, digits and '-', others by their number."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign == "-") else f"_{ord(sign):x}" for sign in name)


def _plot(chart: Chart) -> str:
    """The id of a chart's place on the page; sections have theirs."""
    return f"plot-{_id(chart.name)}"


def _right(right: bool) -> str:
    return ' class="figure"' if right else ""
