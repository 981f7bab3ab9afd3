"""Colours and type of charts, on a light page and on a dark one, and text that a chart shows as it is."""

import html
from typing import Any

BLUE, ORANGE, GREEN, PURPLE, RED, GOLD, TEAL, PINK = (
    "#3577d4", "#d9701e", "#2b9a66", "#8c63cf", "#d6484a", "#a8861a", "#1f96a8", "#c4548f",
)  # fmt: skip
MUTED = "#868e9b"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GOLD, TEAL, PINK)  # each at least 3:1 on both pages
SCALE = [[0.0, "#5a4fb0"], [0.35, "#3577d4"], [0.65, "#2b9a66"], [1.0, "#e0a51b"]]  # poor to good
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_PAGES = {
    "light": {"text": "#3d4654", "grid": "#e7eaee", "axis": "#c3c9d2", "surface": "#ffffff"},
    "dark": {"text": "#b9c1cd", "grid": "#272d38", "axis": "#3f4754", "surface": "#181c24"},
}


def template(page: str) -> dict[str, Any]:
    """A plotly template for the 'light' or the 'dark' page, as plain data."""
    tone = _PAGES[page]
    axis = {
        "gridcolor": tone["grid"], "linecolor": tone["axis"], "zerolinecolor": tone["axis"], "tickcolor": tone["axis"],
        "zeroline": False, "automargin": True, "title": {"standoff": 10},
    }  # fmt: skip
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": tone["text"]},
            "colorway": list(COLOURS),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": tone["surface"], "bordercolor": tone["axis"], "align": "left",
                "font": {"family": FONT, "size": 13, "color": tone["text"]},
            },
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "colorscale": {"sequential": SCALE},
            "hovermode": "closest",
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": tone["text"]},
        }
    }  # fmt: skip


def shown(text: object) -> str:
    """A user's text for a chart, which else reads a part of HTML in it.

    >>> shown("<b>age</b> & income")
    '&lt;b&gt;age&lt;/b&gt; &amp; income'
    """
    return html.escape(str(text), quote=False)
