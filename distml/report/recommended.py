"""`distml recommend`: what to do on a machine, how long it takes, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from distml.bench.recommend import Advice
from distml.bench.record import Measured
from distml.report import text
from distml.report.benched import interval, rate, workload_words
from distml.report.layout import Facts


def advice_lines(record: Measured, path: Path, advice: Sequence[Advice]) -> list[RenderableType]:
    """The advice as a person reads it."""
    lines: list[RenderableType] = [
        Text(f"{record.label}   record of {record.made.date[:10]}{', quick' if record.made.quick else ''}   {path}"),
        Text(workload_words(record.workload)),
        *(Text(f"mind: {mark}", style="yellow") for mark in record.marks),
    ]
    for one in advice:
        found = one.arm.trials_per_hour
        assert found is not None
        facts = [
            ("share it as", one.arm.name),
            ("throughput", f"{rate(found.median)} trials/h {interval(found)}"),
            (f"{one.trials:,} trials", _time(one)),
            ("cost", _cost(record, one)),
            ("because", "; ".join(one.reasons)),
            ("sweep file", one.sweep_file),
        ]
        lines += [
            Text(),
            Text(one.title, style="bold"),
            Facts([(f"  {name}", value) for name, value in facts if value]),
        ]
    return [*lines, Text(), Text("for a table and a space of your own: distml plan FILE scales this by their size")]


def advice_rows(advice: Sequence[Advice]) -> list[dict[str, Any]]:
    """The same as plain data, a row a model."""
    return [
        {
            "model": one.model,
            "arm": one.arm.name,
            "processes": one.arm.processes,
            "members": one.arm.members,
            "trials_per_hour": one.arm.trials_per_hour.median if one.arm.trials_per_hour else None,
            "trials": one.trials,
            "seconds": one.seconds.median,
            "seconds_low": one.seconds.low,
            "seconds_high": one.seconds.high,
            "cost": one.cost,
            "reasons": "; ".join(one.reasons),
            "sweep_file": one.sweep_file,
        }
        for one in advice
    ]


def _time(one: Advice) -> str:
    seconds = one.seconds
    between = ""
    if seconds.low is not None and seconds.high is not None:
        between = f" [{text.roughly(seconds.low)}, {text.roughly(seconds.high)}]"
    return f"about {text.roughly(seconds.median)}{between}"


def _cost(record: Measured, one: Advice) -> str:
    price = record.machine.price
    if price is None or one.cost is None:
        return ""
    return f"{one.cost:.2f} {price.currency} at {price.per_hour:g} an hour"
