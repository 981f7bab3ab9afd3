"""From a sweep's folder to a scorer: members chosen, trained on all training rows, calibrated, scored once."""

import importlib.metadata
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distml.data.dataset import Dataset
from distml.data.table import file_sha256
from distml.errors import DistmlError
from distml.hardware.processors import usable_cores
from distml.scorer.calibration import calibrated
from distml.scorer.files import Calibration, Data, Manifest, Member, Points, Threshold, columns_of
from distml.scorer.onnx import check_installed
from distml.scorer.opening import open_scorer
from distml.scorer.reasons import background_of
from distml.scorer.selection import as_evaluated
from distml.scorer.streaming import PIECE
from distml.scorer.writing import new_folder, write_manifest
from distml.sweep.ensemble import Ensemble, choose_ensemble
from distml.sweep.journal import Journal
from distml.sweep.preflight import Checked, preflight
from distml.sweep.provenance import versions
from distml.sweep.records import SweepRecord, replay
from distml.sweep.refit import Refit
from distml.sweep.runs import RunFolder
from distml.sweep.spec import SweepSpec

_BACKGROUND = "background.parquet"


@dataclass(frozen=True)
class Exported:
    """A scorer that was made.

    metric: what the sweep means by best
    weights: trial -> its share of the ensemble, the largest first; families: trial -> its family
    scores: metric -> mean over the folds, calibrated; alone: the best single trial's score there, uncalibrated
    holdout: metric -> value on the held-out rows
    seconds: step -> how long it took
    notes: sentences for the user
    """

    folder: Path
    metric: str
    weights: Mapping[str, float]
    families: Mapping[str, str]
    calibration: Calibration
    threshold: Threshold | None
    scores: Mapping[str, float]
    alone: float | None
    holdout: Mapping[str, float]
    holdout_rows: int
    seconds: Mapping[str, float]
    notes: tuple[str, ...]


def export_scorer(
    folder: RunFolder,
    output: Path | None = None,
    trial: str | None = None,
    *,
    single: bool = False,
    background: bool = True,
    onnx: bool = False,
    checked: Checked | None = None,
    threads: int | None = None,
) -> Exported:
    """Make a scorer of a sweep that has ended, in this process and without Ray.

    The holdout is scored by the folder as it will be deployed; that decides nothing any more, and is journalled.

    output: the scorer's folder; by default runs/NAME/scorer
    trial: this one alone, instead of an ensemble; single: the sweep's best one alone
    background: whether made-up rows are stored, against which reasons are told
    onnx: whether models are written as ONNX, too, where they convert and say the same
    checked: the sweep, where it was just checked
    threads: members trained at a time; by default as many as this process may use cores

    Raises:
        SweepHeldError: the sweep is running.
        DistmlError: no trial has a score, the table has changed since, a member fails on all rows, ...
    """
    if onnx:
        check_installed()
    seconds: dict[str, float] = {}
    threads = threads or usable_cores()
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        record = replay(journal.events)
        with _timed(seconds, "reading"):
            checked = checked or preflight(SweepSpec.from_mapping(record.spec or {}, folder.name))
        if checked.dataset.target is None:
            raise DistmlError(
                f"{folder.name} has no target, so there is nothing to score by; see: distml rows {folder.name}"
            )
        if checked.dataset.sha256 != record.openings[-1]["data_sha256"]:
            raise DistmlError(f"{checked.spec.data.source} has changed since {folder.name} was trained on it")
        with _timed(seconds, "choosing"):
            ensemble = choose_ensemble(folder, checked, record, trial, single)
        target = output or folder.path / "scorer"
        with new_folder(target) as made:
            refit = Refit(checked, made, onnx)
            with _timed(seconds, "training"):
                members = refit.write_all(record.trials, ensemble.weights, threads)
            manifest = _write(checked, record, ensemble, members, refit.notes, made, background)
            with _timed(seconds, "holdout"):
                held = _raw_holdout(manifest, made, checked, threads)
            holdout = _evaluated(checked, calibrated(ensemble.calibration, held))
            metrics = {"out-of-fold": _finite(ensemble.scores), "holdout": _finite(holdout)}
            manifest = manifest.model_copy(update={"metrics": metrics})
            write_manifest(manifest, made)
        with _timed(seconds, "evaluation"):
            evaluation(checked.dataset, ensemble, held).to_parquet(folder.evaluation, index=False)
        told = {"event": "scorer", "members": dict(ensemble.weights), "holdout": dict(holdout)}
        if (record.scorer_members, record.scorer) != (told["members"], told["holdout"]) or not record.scorer_is_current:
            journal.append({**told, "seconds": sum(seconds.values())})
    return Exported(
        folder=target,
        metric=checked.metric.name,
        weights=ensemble.weights,
        families={name: record.trials[name].family for name in ensemble.weights},
        calibration=ensemble.calibration,
        threshold=ensemble.threshold,
        scores=ensemble.scores,
        alone=ensemble.alone,
        holdout=holdout,
        holdout_rows=len(checked.dataset.holdout),
        seconds=seconds,
        notes=(*ensemble.notes, *manifest.notes),
    )


def evaluation(dataset: Dataset, ensemble: Ensemble, held: np.ndarray) -> pd.DataFrame:
    """Every row that the scorer was judged on, for reports.

    'row': its number in the dataset; 'part': out-of-fold or holdout; 'y': code or value; 'raw': the ensemble's score
    before calibration, 'calibrated': after it. Of more than two classes 'raw_0', ... and 'calibrated_0', ...
    held: (holdout rows,) or (holdout rows, classes), raw.
    """
    parts = [_part(dataset, "holdout", dataset.holdout, held, ensemble.calibration)]
    if ensemble.kept is not None and ensemble.raw is not None:
        parts.insert(0, _part(dataset, "out-of-fold", ensemble.kept.rows, ensemble.raw, ensemble.calibration))
    return pd.concat(parts, ignore_index=True)


def _part(dataset: Dataset, name: str, rows: np.ndarray, raw: np.ndarray, calibration: Calibration) -> pd.DataFrame:
    columns: dict[str, Any] = {"row": rows, "part": name, "y": dataset.y[rows]}
    for kind, values in (("raw", raw), ("calibrated", calibrated(calibration, raw))):
        if values.ndim == 1:
            columns[kind] = values
        else:
            columns |= {f"{kind}_{place}": values[:, place] for place in range(values.shape[1])}
    return pd.DataFrame(columns)


def _write(
    checked: Checked,
    record: SweepRecord,
    ensemble: Ensemble,
    members: Sequence[Member],
    notes: Sequence[str],
    made: Path,
    background: bool,
) -> Manifest:
    """Write the folder's description, beside the members' files; all but the metrics."""
    dataset = checked.dataset
    assert dataset.target is not None
    if background:
        background_of(dataset.frame.iloc[dataset.train], dataset.kinds, seed=checked.spec.seed).to_parquet(
            made / _BACKGROUND, index=False
        )
    manifest = Manifest(
        distml=versions()["distml"],
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        task=dataset.task,
        target=dataset.target,
        classes=dataset.classes,
        columns=columns_of(dataset.layout),
        data=_data(checked),
        members=tuple(members),
        calibration=ensemble.calibration,
        threshold=ensemble.threshold,
        points=Points() if len(dataset.classes) == 2 else None,
        background=_BACKGROUND if background else None,
        metrics={},
        sweep=_provenance(checked, record),
        versions=_versions(),
        notes=tuple(dict.fromkeys(notes)),
        sha256={path.name: file_sha256(path) for path in sorted(made.iterdir())},
    )
    write_manifest(manifest, made)
    return manifest


def _raw_holdout(manifest: Manifest, made: Path, checked: Checked, threads: int) -> np.ndarray:
    """(holdout rows,) or (holdout rows, classes), by the scorer as it was written."""
    own = {member.own_class.partition(":")[0] for member in manifest.members if member.own_class}
    scorer = open_scorer(made, trust=own)
    frame = checked.dataset.frame.iloc[checked.dataset.holdout]
    pieces = [frame.iloc[start : start + PIECE] for start in range(0, len(frame), PIECE)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(scorer.raw, pieces)))


def _evaluated(checked: Checked, prediction: np.ndarray) -> dict[str, float]:
    dataset = checked.dataset
    return checked.evaluator(dataset.truth[dataset.holdout], as_evaluated(prediction, len(dataset.classes)))


def _data(checked: Checked) -> Data:
    dataset, said = checked.dataset, checked.spec.data
    apart = [*filter(None, [dataset.target]), *said.further_targets, *said.drop, *filter(None, [said.group, said.time])]
    return Data(
        source=said.source.name,
        sha256=dataset.sha256,
        train_rows=len(dataset.train),
        holdout_rows=len(dataset.holdout),
        left_out=tuple(dict.fromkeys(apart)),
    )


def _provenance(checked: Checked, record: SweepRecord) -> dict[str, Any]:
    """Where the scorer comes from; of the table's place its file's name alone."""
    spec = checked.resolved
    spec = {**spec, "data": {**spec["data"], "source": checked.spec.data.source.name}}
    opening = record.openings[-1]
    return {
        "name": checked.spec.name,
        "file": spec,
        "git": opening.get("git"),
        "versions": opening.get("versions"),
        "counts": record.counts,
        "seconds": round(record.seconds, 1),
        "winner": record.winner,
    }


def _versions() -> dict[str, str]:
    found = {name: number for name, number in versions().items() if number != "missing"}
    for package in ("skops", "safetensors", "xgboost", "xgboost-cpu"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in scores.items()}


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - start
