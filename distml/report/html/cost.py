"""What the sweep took: seconds, GPU seconds, utilisation and joules, by family."""

from collections.abc import Sequence

from plotly.graph_objects import Box, Figure

from distml.report import text
from distml.report.html.drawing import drawn, log_axis, percent
from distml.report.loaded import LoadedSweep
from distml.report.page import Block, Chart, Section, Table
from distml.report.theme import COLOURS, shown
from distml.sweep.records import TrialRecord

NOT_MEASURED = "not measured"
_POINTS = 2_000  # trials of a family whose seconds are sent; a box needs no more


def cost(sweep: LoadedSweep) -> Section:
    """A row a family, and the spread of seconds over its trials."""
    heading = "What it took"
    trained = [trial for trial in sweep.leaderboard if trial.rungs]
    if not trained:
        return Section("cost", heading, "No trial has trained yet.")
    families = {
        family: [trial for trial in trained if trial.family == family]
        for family in dict.fromkeys(trial.family for trial in trained)
    }
    rows = [_row(family, members) for family, members in families.items()]
    if len(families) > 1:
        rows.append(_row("all", trained))
    headings = ["family", "trials", "seconds", "GPU seconds", "utilisation", "joules"]
    table = Table("By family; utilisation is the mean over the GPU time held", headings, rows, set(headings[1:]))
    blocks: list[Block] = [table]
    reasons = {f"{name}: {why}" for trial in trained for name, why in trial.missing.items()}
    chart = Chart(
        "seconds",
        "Seconds of training by family",
        "Half of a family's trials lie in its box; the line in it is the median.",
        seconds_boxes(families),
        wide=True,
    )
    lead = f"{text.duration(sweep.record.seconds)} of a driver's time for {text.count(len(trained), 'trained trial')}."
    if all(trial.gpu_seconds is None for trial in trained):
        lead += " No GPU was used, and the energy of processors is not measured."
    elif reasons:
        lead += f" Not known everywhere: {'; '.join(sorted(reasons)[:3])}."
    return Section("cost", heading, lead, [*blocks, chart])


def seconds_boxes(families: dict[str, list[TrialRecord]]) -> Figure:
    """A box a family, on a logarithmic scale."""
    boxes = [
        Box(
            x=[max(trial.seconds, 1e-3) for trial in members[:: max(1, len(members) // _POINTS)]],
            name=shown(family),
            marker={"color": COLOURS[place % len(COLOURS)], "size": 3},
            boxpoints="outliers",
            hoverinfo="x",
        )
        for place, (family, members) in enumerate(families.items())
    ]
    seconds = [trial.seconds for members in families.values() for trial in members if trial.seconds > 0]
    return drawn(boxes, "seconds", "", height=120 + 44 * len(boxes), xaxis=log_axis(seconds), showlegend=False)


def _row(family: str, trials: Sequence[TrialRecord]) -> list[str]:
    on_gpu = [trial.gpu_seconds for trial in trials if trial.gpu_seconds is not None]
    watched = sum(trial.watched_seconds for trial in trials if trial.utilisation is not None)
    used = sum(trial.watched_seconds * (trial.utilisation or 0) for trial in trials)
    energy = [trial.energy_j for trial in trials if trial.energy_j is not None]
    estimated = "~" * any(trial.energy_estimated for trial in trials)
    return [
        family,
        f"{len(trials):,}",
        text.amount(sum(trial.seconds for trial in trials)),
        text.amount(sum(on_gpu)) if on_gpu else "none held",
        percent(used / watched, 0) if watched else NOT_MEASURED,
        f"{estimated}{text.amount(sum(energy))}" if energy else NOT_MEASURED,
    ]
