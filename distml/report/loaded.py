"""A sweep's results from Python: `distml.load("credit-default").trials()`."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distml.errors import DistmlError, did_you_mean
from distml.report.leaderboard import flat_row, row
from distml.sweep.journal import read
from distml.sweep.records import SweepRecord, TrialRecord, best_trial, leaderboard, replay
from distml.sweep.runs import RunFolder, find_run

if TYPE_CHECKING:  # half a second to import, and the command line reads sweeps without it
    import pandas

    from distml.report.html.report import Report

# 'stopped': by `distml stop`; 'interrupted': by Ctrl-C or a crash
SweepState = Literal["running", "finished", "stopped", "interrupted"]


def load(name: str, runs: str | Path = "runs") -> "LoadedSweep":
    """Read a sweep as its journal stands now, running or not.

    Raises:
        DistmlError: there is no such sweep (with the nearest names), or its journal cannot be read.
    """
    return LoadedSweep(find_run(Path(runs), name))


class LoadedSweep:
    """What a sweep has found. Reads once; load again to see what a running sweep has added."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.record: SweepRecord = replay(read(folder.journal))
        self.state = _state(self.record, alive=folder.driver is not None)
        if self.state != "running":
            for name, trial in self.record.trials.items():
                if trial.state == "running":  # nobody trains it: it waits for the next driver
                    self.record.trials[name] = replace(trial, state="pending")

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def opening(self) -> Mapping[str, Any]:
        """What the last driver wrote when it started: the resolved sweep file, versions, git, data; may be empty."""
        return self.record.openings[-1] if self.record.openings else {}

    @property
    def metric(self) -> str:
        """What 'best' means in this sweep."""
        return str((self.record.spec or {}).get("metric") or "")

    @cached_property
    def leaderboard(self) -> list[TrialRecord]:
        """All trials, best first."""
        return leaderboard(self.record, self.metric, self.greater_is_better) if self.record.trials else []

    @property
    def best(self) -> TrialRecord | None:
        """The best trial so far, by the cross-validated score."""
        return best_trial(self.record, self.metric, self.greater_is_better) if self.record.trials else None

    @property
    def winner(self) -> TrialRecord | None:
        """The trial that was scored on the held-out rows; None until the sweep has ended."""
        return self.record.trials[self.record.winner] if self.record.winner else None

    @property
    def holdout(self) -> dict[str, float]:
        """Metric -> the winner's score on the held-out rows; empty until the sweep has ended."""
        return dict(self.record.holdout)

    def trial(self, name: str) -> TrialRecord:
        """One trial by name. Raises DistmlError where there is none, with the nearest names."""
        found = self.record.trials.get(name)
        if found is None:
            number = f"it has {len(self.record.trials):,}"
            raise DistmlError(f"{self.name} has no trial '{name}' ({number}).{did_you_mean(name, self.record.trials)}")
        return found

    def trials(self) -> "pandas.DataFrame":
        """One row a trial, best first: 'trial', 'family', 'state', 'score', 'score_sd', 'seconds' and the like.

        A parameter is a column 'params.lr', empty for families without it; each metric a column 'metrics.brier'.
        """
        import pandas

        rows = [
            flat_row(trial, self.metric)
            | {f"metrics.{name}": value for name, value in (trial.rungs[-1].scores if trial.rungs else {}).items()}
            for trial in self.leaderboard
        ]
        found = dict.fromkeys(name for values in rows for name in values if name not in _COLUMNS)
        return pandas.DataFrame(rows, columns=[*_COLUMNS, *sorted(found, key=lambda name: name.startswith("params."))])

    def report(self, sensitive: str | None = None) -> "Report":
        """All of it as one HTML page that shows itself in a notebook; `.figures` are plotly's, `.save(path)` writes it.

        sensitive: a column of the table by whose groups fairness is told. Raises DistmlError where there is none.
        """
        from distml.report.html.report import make_report

        return make_report(self, sensitive)

    def rows(self, trial: str | None = None) -> "pandas.DataFrame":
        """What the winner, or the trial named, makes of each row: see `distml.sweep.rows.described_rows`."""
        best = self.winner or self.best
        named = trial or (best.trial if best else None)
        if named is None:
            raise DistmlError(f"{self.name} has no trial with a score yet")
        from distml.sweep.rows import described_rows  # scikit-learn and Ray stand behind it

        return described_rows(self.folder, named)

    def __repr__(self) -> str:
        return f"<sweep {self.name}: {len(self.record.trials):,} trials, {self.metric}, {self.folder.path}>"

    @cached_property
    def greater_is_better(self) -> bool:
        """Which way the metric is better."""
        known = self.opening.get("greater_is_better")
        if known is None:
            from distml.models.metrics import find_metric  # takes a second, for scikit-learn comes with it

            known = find_metric(self.metric, (self.record.spec or {}).get("task") or "classification").greater_is_better
        return bool(known)


def _state(record: SweepRecord, alive: bool) -> SweepState:
    """A driver writes why it ends before it goes; without that, whether it still lives decides."""
    if record.closed is None:
        return "running" if alive else "interrupted"
    return _ENDINGS[record.closed]


_ENDINGS: dict[str, SweepState] = {
    "budget": "finished",
    "stopped": "stopped",
    "interrupted": "interrupted",
}
_COLUMNS = [key for key in row(TrialRecord("", 0, "", {}, 0), "") if key != "params"]
