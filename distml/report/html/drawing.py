"""What all figures share: how they are made, and how points become few enough to send."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from distml.report.theme import shown, template

_NAME = 24  # characters of a name on an axis
AREA = 0.16  # opacity of a band around a line


def drawn(traces: Sequence[Any], x: str, y: str, height: int = 360, **layout: Any) -> Figure:
    """A figure with titled axes, dressed for a light page until a page dresses it itself.

    layout: plotly's, over the titles; `xaxis` and `yaxis` are merged with them.
    """
    axes = {
        "xaxis": {"title": {"text": shown(x)}, **layout.pop("xaxis", {})},
        "yaxis": {"title": {"text": shown(y)}, **layout.pop("yaxis", {})},
    }
    return Figure(data=list(traces), layout={"template": template("light"), "height": height, **axes, **layout})


def faint(colour: str, opacity: float = AREA) -> str:
    """A '#rrggbb' as CSS has it with an opacity.

    >>> faint("#ff8000", 0.2)
    'rgba(255,128,0,0.2)'
    """
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def thinned(x: np.ndarray, y: np.ndarray, most: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points of a curve, evenly over its length; both ends stay.

    x, y: (points,), each running one way. The length is measured with both axes scaled to 1.
    """
    if len(x) <= most:
        return x, y
    run = np.abs(np.diff(x)) / (np.ptp(x) or 1) + np.abs(np.diff(y)) / (np.ptp(y) or 1)
    length = np.concatenate([[0.0], np.cumsum(run)])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], most)).clip(0, len(x) - 1))
    return x[kept], y[kept]


def named_axis(names: Sequence[str]) -> dict[str, Any]:
    """An axis whose places 0, 1, ... carry names; long ones are cut, so that they leave room for what they name."""
    cut = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in names]
    return {"tickvals": list(range(len(names))), "ticktext": [shown(name) for name in cut]}


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis: labelled at powers of ten, and within two of them at 2 and 5 as well."""
    near = bool(len(values)) and max(values) < 100 * min(values)
    return {"type": "log", "dtick": "D2" if near else 1, "tickformat": "~g"}


def percent(share: float, decimals: int = 1) -> str:
    """'22.1 %'.

    >>> percent(0.22123), percent(float("nan"))
    ('22.1 %', '-')
    """
    return "-" if share != share else f"{share * 100:.{decimals}f} %"


def interval(low: float, high: float, decimals: int = 3) -> str:
    """'[0.612, 0.655]'."""
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"
