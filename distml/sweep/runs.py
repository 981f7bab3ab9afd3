"""Where a sweep keeps things: the one place that knows the names of files in a run's folder."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from distml.errors import DistmlError, did_you_mean
from distml.sweep.guard import Driver, Guard, driver_of
from distml.sweep.nodes import Scene, from_json, to_json

StopRequest = Literal["finish", "now"]  # let running trials finish, or not


@dataclass(frozen=True)
class RunFolder:
    """runs/NAME: one sweep's journal and all that belongs to it."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def sweep_file(self) -> Path:
        """The resolved sweep file: enough to run the sweep again from anywhere on this machine."""
        return self.path / "sweep.yaml"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def evaluation(self) -> Path:
        """The rows that the exported scorer was judged on, for reports (see export.evaluation)."""
        return self.path / "evaluation.parquet"

    @property
    def cohorts(self) -> Path:
        return self.path / "cohorts"

    @property
    def scorer(self) -> Path:
        """What `distml export` leaves to deploy."""
        return self.path / "scorer"

    @property
    def report(self) -> Path:
        """The page that `distml report` writes."""
        return self.path / "report.html"

    @property
    def predictions(self) -> Path:
        """Validation predictions of the best finished trials, a file each: see predictions_file."""
        return self.path / "predictions"

    def checkpoint(self, cohort: str) -> Path:
        """What a cohort needs to go on from its last rung."""
        return self.cohorts / cohort

    @property
    def driver(self) -> Driver | None:
        """Who runs this sweep now; None for nobody."""
        return driver_of(self.path)

    @contextlib.contextmanager
    def writer(self) -> Iterator[Callable[[], None]]:
        """The right to write here, for one driver at a time; makes the folder, forgets an earlier request to stop.

        Yields what is to be called before each write: it raises where the sweep has been taken over meanwhile.

        Raises:
            SweepHeldError: another driver runs this sweep.
            DistmlError: the folder cannot be written to, with the reason.
        """
        with contextlib.ExitStack() as held:
            try:
                for folder in (self.path, self.logs, self.cohorts, self.predictions):
                    folder.mkdir(parents=True, exist_ok=True)
                check_writable(self.path)
                guard = held.enter_context(Guard(self.path))
                self._stop_file.unlink(missing_ok=True)
                self._waiting_file.unlink(missing_ok=True)
            except OSError as error:
                raise DistmlError(_cannot_write(self.path, error)) from None
            yield guard.confirm

    def ask_to_stop(self, now: bool = False) -> None:
        """Ask the driver to end the sweep."""
        self._write(self._stop_file, json.dumps({"how": "now" if now else "finish"}))

    def stop_request(self) -> StopRequest | None:
        """What the user asked of the driver since it started."""
        try:
            how: StopRequest = json.loads(self._stop_file.read_text())["how"]
        except FileNotFoundError:
            return None
        return how

    def write_waiting(self, reasons: Mapping[str, str], behind: Mapping[str, Sequence[str]]) -> None:
        """Keep why families wait now, and behind which cohorts. No part of the journal, since it is over in a moment.

        Args:
            reasons: family -> reason.
            behind: family -> the cohorts that hold what it could use.
        """
        waiting = {family: {"why": why, "behind": list(behind.get(family, ()))} for family, why in reasons.items()}
        if waiting != self._waiting():
            self._write(self._waiting_file, json.dumps(waiting))

    def waiting(self) -> dict[str, str]:
        """Why families wait, as the driver last wrote it."""
        return {family: one["why"] for family, one in self._waiting().items()}

    def behind(self) -> dict[str, list[str]]:
        """Family that waits -> the cohorts that hold what it could use."""
        return {family: one["behind"] for family, one in self._waiting().items()}

    def _waiting(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._waiting_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found

    def write_sweep_file(self, resolved: dict[str, Any]) -> None:
        """Keep the sweep file beside its results."""
        self._write(self.sweep_file, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))

    def write_scene(self, scene: Scene) -> None:
        """Keep what `distml top` shows of this sweep."""
        self._write(self._scene_file, json.dumps(to_json(scene)))

    def scene(self) -> Scene | None:
        """The nodes and cohorts as this sweep's driver last saw them; None where no driver told."""
        try:
            return from_json(json.loads(self._scene_file.read_text()))
        except (OSError, ValueError, KeyError, TypeError):  # none, or of another version
            return None

    @property
    def _scene_file(self) -> Path:
        return self.path / "nodes.json"

    @property
    def _waiting_file(self) -> Path:
        return self.path / "waiting.json"

    @property
    def _stop_file(self) -> Path:
        return self.path / "stop.json"

    def _write(self, file: Path, text: str) -> None:
        """Write by temporary file and rename: a reader sees the old text or the new one."""
        try:
            with tempfile.NamedTemporaryFile("w", dir=self.path, prefix=".", delete=False, encoding="utf-8") as opened:
                opened.write(text)
            Path(opened.name).replace(file)
        except OSError as error:
            raise DistmlError(_cannot_write(self.path, error)) from None


def predictions_file(folder: Path, trial: str) -> Path:
    """A trial's validation predictions in a sweep's folder of them; not all trials have some."""
    return folder / f"{trial}.npz"


def list_runs(root: Path) -> list[RunFolder]:
    """All sweeps in a folder of runs, by name; empty where there is no such folder."""
    if not root.is_dir():
        return []
    runs = [RunFolder(root, path.name) for path in sorted(root.iterdir())]
    return [run for run in runs if run.journal.is_file()]


def find_run(root: Path, name: str) -> RunFolder:
    """A sweep by its name.

    Raises:
        DistmlError: there is none, with the nearest name and all of them.
    """
    known = {run.name: run for run in list_runs(root)}
    if name in known:
        return known[name]
    there = (
        f"There are: {', '.join(known)}"
        if known
        else "It holds none; another folder is named with --runs (in Python: runs=)"
    )
    raise DistmlError(f"no sweep {name!r} in {root}.{did_you_mean(name, known)} {there}")


def check_writable(folder: Path) -> None:
    """Raise OSError where a file cannot be made in this folder; permissions alone do not tell."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".writable-")
    os.close(descriptor)
    Path(name).unlink()


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or where its first missing parent would be made."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _cannot_write(folder: Path, error: OSError) -> str:
    return f"cannot write to {folder}: {error.strerror}. Choose another folder with --runs"
