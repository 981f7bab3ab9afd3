"""What is seen while a sweep runs: one quiet live screen, or now and then a line where there is no terminal."""

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from distml.report import text
from distml.report.console import show
from distml.report.layout import GAP, phrases
from distml.sweep.progress import FamilyProgress, Opening, Progress, Watcher
from distml.sweep.records import TrialState

_Clock = Callable[[], float]
_NARROW = 100  # cells: below this the bars matter more than the notes
_PLAIN_WIDTH = 110  # cells: how long lines in a log may get


def watcher(out: Console) -> Watcher:
    """The watcher that suits where `out` leads."""
    if not out.is_terminal:
        return PlainLines(out)
    screen = LiveScreen(out)
    screen.start()
    return screen


def head(opening: Opening, width: int) -> list[str]:
    """The lines that say what is about to happen."""
    data = [
        opening.name,
        f"{opening.rows:,} rows x {text.count(opening.columns, 'column')}{_texts(opening)}",
        "" if opening.positive_share is None else f"{opening.positive_share:.1%} positive".replace("%", " %"),
        *text.splitting(opening.metric, opening.folds, opening.holdout_rows),
    ]
    minutes = "" if opening.minutes is None else f"at most {opening.minutes:g} min"
    trials = "" if opening.trials is None else text.count(opening.trials, "trial")
    search = [
        ", ".join(filter(None, (trials, minutes))),
        opening.search,
        opening.place,
        f"dashboard {opening.dashboard}" if opening.dashboard else "",
    ]
    resumed = [f"going on: {text.count(opening.resumed, 'trial')} found in the journal"] if opening.resumed else []
    return [
        *phrases(data, width),
        *phrases(search, width),
        *resumed,
        *(f"warning: {warning}" for warning in opening.warnings),
    ]


def _texts(opening: Opening) -> str:
    return f" ({opening.texts:,} of text)" if opening.texts else ""


def states(counts: Mapping[TrialState, int], failures: Mapping[str, int]) -> list[str]:
    """How many trials are in which state, as phrases.

    >>> states({"finished": 47, "stopped": 96, "running": 2, "failed": 3}, {"memory": 2, "code": 1})
    ['143 done (96 stopped early)', '2 running', '0 diverged', '3 failed (2 memory, 1 code)']
    """
    stopped, failed = counts.get("stopped", 0), counts.get("failed", 0)
    done = counts.get("finished", 0) + stopped
    classes = ", ".join(f"{number} {kind}" for kind, number in failures.items() if number)
    return [
        f"{done:,} done" + (f" ({stopped:,} stopped early)" if stopped else ""),
        f"{counts.get('running', 0):,} running",
        f"{counts.get('diverged', 0):,} diverged",
        f"{failed:,} failed" + (f" ({classes})" if classes else ""),
    ]


def clock(elapsed: float, remaining: float | None) -> str:
    """'2:41 elapsed, about 1:10 left'."""
    left = "" if remaining is None else f", about {text.duration(remaining)} left"
    return f"{text.duration(elapsed)} elapsed{left}"


class LiveScreen:
    """Redraws itself in place on a terminal; what it leaves standing is the head and how far each family came."""

    def __init__(self, out: Console, clock: _Clock = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._progress: Progress | None = None
        self._received = 0.0
        self._closing = False
        self._live = Live(get_renderable=self.render, console=out, refresh_per_second=2, auto_refresh=True)

    def start(self) -> None:
        """Show that something happens: imports and Ray take some seconds."""
        self._live.start()

    def opened(self, opening: Opening) -> None:
        self._live.start()
        show(self._out, *head(opening, self._out.width))

    def progress(self, progress: Progress) -> None:
        self._progress, self._received = progress, self._clock()

    def notice(self, line: str) -> None:
        self._out.print(Text(line))

    def closed(self) -> None:
        self._closing = True
        if self._live.is_started:
            self._live.transient = self._progress is None
            self._live.refresh()
            self._live.stop()

    def render(self) -> RenderableType:
        """The screen at this moment; the clock goes on between two reports."""
        progress = self._progress
        if progress is None:
            return Text("checking the sweep, starting Ray", style="dim")
        bars = _bars(progress.families, self._out.width)
        if self._closing:
            return Group(Text(), bars)
        since = self._clock() - self._received
        left = None if progress.remaining_seconds is None else max(0.0, progress.remaining_seconds - since)
        tail = phrases(
            [*states(progress.counts, progress.failures), clock(progress.elapsed_seconds + since, left)],
            self._out.width,
        )
        lines = [Text(), *_best(progress), *(Text(line) for line in tail)]
        if progress.message:
            lines.append(Text(progress.message, style="yellow"))
        return Group(Text(), bars, *lines)


class PlainLines:
    """A line for a new best, and one now and then to show that the sweep is alive."""

    SOONEST = 2.0  # seconds between two lines, however fast the best improves

    def __init__(self, out: Console, clock: _Clock = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._last = clock()
        self._best: str | None = None

    def opened(self, opening: Opening) -> None:
        show(self._out, *head(opening, _PLAIN_WIDTH))

    def progress(self, progress: Progress) -> None:
        best = progress.best.trial if progress.best else None
        since = self._clock() - self._last
        # A long run needs a sign of life less often: every 15 s at first, in the end every 5 minutes.
        quiet = min(300.0, max(15.0, progress.elapsed_seconds / 20))
        if since >= quiet or (best != self._best and since >= self.SOONEST):
            self._last, self._best = self._clock(), best
            show(self._out, _plain(progress))

    def notice(self, line: str) -> None:
        show(self._out, line)

    def closed(self) -> None:
        self._out.file.flush()


def _bars(families: Sequence[FamilyProgress], width: int) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0), expand=True)
    notes = width >= _NARROW and any(family.note for family in families)
    grid.add_column(no_wrap=True)
    if notes:
        grid.add_column(no_wrap=True, style="dim")
    grid.add_column(ratio=1, min_width=8)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    digits = max((len(f"{family.total:,}") for family in families if family.total is not None), default=0)
    for family in families:
        of = "" if family.total is None else f" / {family.total:>{digits},}"
        bar = "" if family.total is None else ProgressBar(total=max(family.total, 1), completed=family.done)
        best = "" if family.best is None else f"best {text.score(family.best)}"
        note = [family.note] if notes else []
        grid.add_row(family.family, *note, bar, f"{family.done:,}{of}", best)
    return grid


def _best(progress: Progress) -> list[Text]:
    if progress.best is None:
        return []
    found = f"{progress.best.trial}  {progress.best.family}  "
    return [Text.assemble("best so far  ", found, (text.score(progress.best_score, progress.best_sd), "bold"))]


def _plain(progress: Progress) -> str:
    best = progress.best
    found = (
        "" if best is None else f"best {best.trial} {best.family} {text.score(progress.best_score, progress.best_sd)}"
    )
    time_left = clock(progress.elapsed_seconds, progress.remaining_seconds)
    shown = [phrase for phrase in states(progress.counts, progress.failures) if not phrase.startswith("0 ")]
    return GAP.join(filter(None, [time_left, *shown, found, progress.message]))
