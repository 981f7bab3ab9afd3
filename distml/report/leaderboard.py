"""The leaderboard in the forms it is asked for: JSON, CSV, a table."""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.text import Text

from distml.report import text
from distml.report.layout import Columns
from distml.sweep.records import TrialRecord
from distml.training.cohort import Failure


def row(trial: TrialRecord, metric: str) -> dict[str, Any]:
    """One trial with the keys that scripts rely on; what is unknown is None."""
    return {
        "trial": trial.trial,
        "family": trial.family,
        "state": trial.state,
        "score": trial.score(metric),
        "score_sd": trial.score_sd,
        "params": dict(trial.params),
        "seconds": trial.seconds,
        "gpu_seconds": trial.gpu_seconds,
        "energy_j": trial.energy_j,
        "energy_estimated": trial.energy_estimated,
        "utilisation": trial.utilisation,
        "peak_memory_mib": trial.peak_memory_mib,
        "device": trial.device,
        "cohort": trial.cohort,
        "failure": failure(trial.failure),
    }


def failure(found: Failure | None) -> dict[str, str] | None:
    """A failure as JSON, without the whole traceback."""
    if found is None:
        return None
    return {"class": found.kind, "error": found.error, "node": found.node, "log": found.log}


def flat_row(trial: TrialRecord, metric: str) -> dict[str, Any]:
    """`row` for tables: each parameter a column of its own ('params.lr'), a failure in one line."""
    flat = row(trial, metric)
    del flat["params"]
    flat["failure"] = _failure_line(trial.failure) if trial.failure else None
    return flat | {f"params.{name}": value for name, value in trial.params.items()}


def leaderboard_csv(trials: Sequence[TrialRecord], metric: str) -> str:
    """One line a trial; a parameter that its family does not have stays empty."""
    rows = [flat_row(trial, metric) for trial in trials]
    names = dict.fromkeys(name for flat in rows for name in flat)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in flat.items()} for flat in rows)
    return written.getvalue()


def leaderboard_table(trials: Sequence[TrialRecord], metric: str, varied: Mapping[str, Collection[str]]) -> Columns:
    """Ranked, as it stands on the screen.

    varied: family -> the parameters worth showing, from `varied_parameters` of all the sweep's trials.
    """
    with_state = any(trial.state != "finished" for trial in trials)
    headings = ["", "trial", "family", *(["state"] if with_state else []), metric, "seconds", "joules", "parameters"]
    rows: list[list[str | Text]] = []
    for rank, trial in enumerate(trials, start=1):
        joules = text.amount(trial.energy_j)
        rows.append(
            [
                f"{rank:,}",
                trial.trial,
                trial.family,
                *([trial.state] if with_state else []),
                Text(text.score(trial.score(metric), trial.score_sd), style="bold" if rank == 1 else ""),
                text.amount(trial.seconds),
                f"~{joules}" if trial.energy_estimated else joules,
                _last_column(trial, varied),
            ]
        )
    return Columns(headings, rows, right=("", "seconds", "joules"))


def varied_parameters(trials: Collection[TrialRecord]) -> dict[str, set[str]]:
    """Family -> the parameters in which its trials differ; all of them where there is but one trial."""
    families: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        families.setdefault(trial.family, []).append(trial)
    return {
        family: {
            name
            for trial in members
            for name, value in trial.params.items()
            if len(members) == 1 or value != members[0].params.get(name)
        }
        for family, members in families.items()
    }


def _last_column(trial: TrialRecord, varied: Mapping[str, Collection[str]]) -> str:
    if trial.state == "failed" and trial.failure:
        return _failure_line(trial.failure)
    return text.parameters(trial.params, varied[trial.family])


def _failure_line(found: Failure) -> str:
    return f"{found.kind}: {found.error}"


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value
