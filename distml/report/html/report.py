"""A sweep's report: what can be told of it now, section by section."""

import html
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from distml.errors import DistmlError
from distml.report.html.board import board
from distml.report.html.cost import cost
from distml.report.html.curves import learning_curves
from distml.report.html.failures import failures
from distml.report.html.hyperparameters import hyperparameters
from distml.report.html.overview import overview, provenance
from distml.report.html.scored import scored_sections
from distml.report.html.trials import all_trials
from distml.report.page import Section, charts_of, page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from distml.report.loaded import LoadedSweep

_NOTEBOOK_HEIGHT = 800  # pixels


class Report:
    """A page, and the figures on it; shows itself in a notebook."""

    def __init__(self, title: str, subtitle: str, sections: Sequence[Section]) -> None:
        self.title, self.subtitle, self.sections = title, subtitle, tuple(sections)

    @cached_property
    def figures(self) -> dict[str, "Figure"]:
        """Name -> plotly figure: 'roc', 'calibration', 'score-seconds', 'parallel-random-forest', ..."""
        return {name: chart.figure for name, chart in charts_of(self.sections).items()}

    @property
    def html(self) -> str:
        """The whole page, in one file that needs no network."""
        return page(self.title, self.subtitle, self.sections)

    def save(self, path: str | Path) -> Path:
        """Write the page, by temporary file and rename.

        Raises:
            DistmlError: it cannot be written there, with the reason.
        """
        path = Path(path)
        unfinished = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            unfinished.write_text(self.html, encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise DistmlError(f"cannot write {path}: {error.strerror}. Choose another place with --output") from None
        return path

    def _repr_html_(self) -> str:
        """In a frame of its own, whose scripts cannot reach the notebook."""
        style = f"width:100%;height:{_NOTEBOOK_HEIGHT}px;border:0"
        title, source = html.escape(self.title), html.escape(self.html)
        return f'<iframe title="{title}" sandbox="allow-scripts" style="{style}" srcdoc="{source}"></iframe>'

    def __repr__(self) -> str:
        return f"<report {self.title}: {len(self.figures)} figures>"


def make_report(sweep: "LoadedSweep", sensitive: str | None = None) -> Report:
    """A sweep's report as its journal and its scorer stand now.

    sensitive: a column of the sweep's table by whose groups fairness is told.

    Raises:
        DistmlError: there is no such column, or what it takes is not installed.
    """
    scored = scored_sections(sweep, sensitive)  # first, for it may find a mistake of the user's
    sections = [
        overview(sweep),
        board(sweep),
        all_trials(sweep),
        learning_curves(sweep),
        hyperparameters(sweep),
        *scored,
        failures(sweep),
        cost(sweep),
        provenance(sweep),
    ]
    spec = sweep.record.spec or {}
    target = (spec.get("data") or {}).get("target")
    told = " of ".join(filter(None, [spec.get("task"), target]))
    subtitle = ", ".join(
        filter(None, [f"sweep {sweep.state}", told, f"best by {sweep.metric}" if sweep.metric else ""])
    )
    return Report(sweep.name, subtitle, sections)
