"""`distml bench`: how far it has come, and in the end the machine, its arms and what to know of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from distml.bench.compare import MODELS
from distml.bench.record import ArmRecord, Ceiling, Figure, Measured, Workload
from distml.report import text
from distml.report.console import show
from distml.report.layout import Columns, Phrases, wrapped

_QUIET_SECONDS = 15.0  # between two lines where there is no terminal
_MOST = 100  # cells of a sentence's line


class BenchScreen:
    """A bar with the time left on a terminal; elsewhere a line now and then."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._what, self._done, self._left, self._at = "", 0.0, 0.0, time.monotonic()
        self._said = time.monotonic()
        self._live = Live(get_renderable=self._render, console=out, refresh_per_second=4, transient=True)

    def __enter__(self) -> "BenchScreen":
        if self._out.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live.is_started:
            self._live.stop()

    def progress(self, what: str, done: float, left_seconds: float) -> None:
        self._what, self._done, self._left, self._at = what, done, left_seconds, time.monotonic()
        if not self._out.is_terminal and self._at - self._said >= _QUIET_SECONDS:
            self._said = self._at
            show(self._out, f"{what}   {self._clock()}")

    def noted(self, line: str) -> None:
        self._out.print(Text(line))

    def _clock(self) -> str:
        left = max(0.0, self._left - (time.monotonic() - self._at))
        return f"{self._done:.0%}, about {text.duration(left)} left".replace("%", " %")

    def _render(self) -> RenderableType:
        grid = Table.grid(padding=(0, 3, 0, 0), expand=True)
        grid.add_column(no_wrap=True, ratio=1)
        grid.add_column(width=30)
        grid.add_column(no_wrap=True)
        grid.add_row(Text(self._what), ProgressBar(total=1.0, completed=self._done), self._clock())
        return grid


def record_lines(record: Measured, path: Path) -> list[RenderableType]:
    """A record as a person reads it."""
    machine = record.machine
    lines: list[RenderableType] = []
    head = [machine.label, machine.driver and f"driver {machine.driver}", machine.cuda and f"CUDA {machine.cuda}"]
    versions = [f"torch {machine.versions['torch']}", record.made.date[:16].replace("T", " ") + " UTC"]
    lines.append(Phrases([part for part in (*head, *versions) if part]))
    lines.append(Phrases([workload_words(record.workload)]))
    lines += [Text(f"mind: {mark}", style="yellow") for mark in record.marks]
    for model, title in MODELS:
        arms = [arm for arm in record.arms if arm.model == model]
        if arms:
            lines += [Text(), *_arms_table(title, arms)]
    lines += [Text(), *_limits(record.ceilings, record.start_seconds)]
    lines += _unknown(record.arms)
    again = f"distml recommend {path} --trials 5000   distml compare {path} OTHER.json"
    return [*lines, Text(), Text(f"{path}   next: {again}")]


def workload_words(workload: Workload) -> str:
    """One line on what was trained."""
    widths = "-".join(map(str, workload.hidden))
    tf32 = "on" if workload.tf32 else "off"
    return (
        f"a trial: {workload.rows:,} made-up rows x {workload.features}; network {widths}, "
        f"{text.count(workload.epochs, 'epoch')}, batch {workload.batch_size:,}, {workload.precision} (TF32 {tf32}); "
        f"forest of {workload.trees} trees"
    )


def rate(value: float) -> str:
    """Trials an hour, in three digits that mean something.

    >>> rate(61234.0), rate(31.26)
    ('61,200', '31.3')
    """
    return f"{value:,.0f}" if value < 1000 and value >= 100 else f"{float(f'{value:.3g}'):,.{1 if value < 100 else 0}f}"


def interval(found: Figure) -> str:
    """'[59,800, 62,000]'; empty where there were too few repeats."""
    return "" if found.low is None or found.high is None else f"[{rate(found.low)}, {rate(found.high)}]"


def _arms_table(title: str, arms: Sequence[ArmRecord]) -> list[RenderableType]:
    slowest = next((arm for arm in arms if arm.way == "alone" and arm.state == "measured"), None)
    base = slowest.trials_per_hour.median if slowest and slowest.trials_per_hour else None
    joules = any(arm.joules_per_trial for arm in arms)
    limit = any(arm.of_matrix_rate for arm in arms)
    headings = [
        title,
        "trials/h",
        "95 % interval",
        "times one",
        "samples/s",
        "J/trial",
        "memory",
        "util",
        "of the limit",
    ]
    rows = []
    for arm in arms:
        if arm.state != "measured" or arm.trials_per_hour is None or arm.samples_per_second is None:
            rows.append([arm.name, arm.state, *[""] * 7])
            continue
        found = arm.trials_per_hour
        rows.append([
            arm.name, rate(found.median), interval(found), f"{found.median / base:.1f}x" if base else "",
            rate(arm.samples_per_second.median),
            text.amount(arm.joules_per_trial.median) if arm.joules_per_trial else text.UNKNOWN,
            text.UNKNOWN if arm.peak_memory_mib is None else f"{arm.peak_memory_mib / 1024:.1f} GiB",
            _percent(arm.utilisation.median if arm.utilisation else None), _percent(arm.of_matrix_rate),
        ])  # fmt: skip
    empty = {"J/trial": not joules, "of the limit": not limit}
    shown = [place for place, heading in enumerate(headings) if not empty.get(heading)]
    cut = [[row[place] for place in shown] for row in rows]
    notes = [f"{arm.name}: {note}" for arm in arms for note in (*arm.notes, arm.reason) if note]
    return [Columns([headings[place] for place in shown], cut, right=headings[1:]), *map(Text, notes)]


def _limits(ceilings: Sequence[Ceiling], start: Figure | None) -> list[RenderableType]:
    rows = [[one.what, f"{rate(one.rate.median)} {one.unit}", interval(one.rate), one.how] for one in ceilings]
    if start is not None:
        between = "" if start.low is None or start.high is None else f"[{start.low:.1f}, {start.high:.1f}]"
        rows.append(["starting a process", f"{start.median:.1f} s", between, "until it could train; in no arm"])
    headings = ["the machine's own limits", "", "95 % interval", "how"]
    return [Columns(headings, rows, right=headings[1:3])] if rows else []


def _unknown(arms: Sequence[ArmRecord]) -> list[RenderableType]:
    """What is not known, each reason once."""
    words = {"joules_per_trial": "joules"}
    found = {
        f"{words.get(name, name.replace('_', ' '))}: not known, {reason}"
        for arm in arms for name, reason in arm.missing.items()
    }  # fmt: skip
    return [Text(wrapped(line, _MOST), style="dim") for line in sorted(found)]


def _percent(share: float | None) -> str:
    return text.UNKNOWN if share is None else f"{100 * share:.0f} %"
