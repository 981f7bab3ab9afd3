"""What a scorer is made of: which trials, at which shares, calibrated how, deciding where."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distml.errors import DistmlError, did_you_mean
from distml.scorer.calibration import calibrated, choose_calibration
from distml.scorer.files import Calibration, Threshold
from distml.scorer.selection import as_evaluated, mean_over_folds, select
from distml.scorer.thresholds import best_threshold, share_threshold
from distml.sweep.out_of_fold import OutOfFold, read_out_of_fold
from distml.sweep.preflight import Checked
from distml.sweep.records import SweepRecord, best_trial, leaderboard
from distml.sweep.runs import RunFolder
from distml.training.scores import fold_means

_PARTS = 5  # to cross-fit the calibration on, where the sweep has one validation part


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A scorer before its members are trained.

    weights: trial -> share, the largest first
    raw: (rows,) or (rows, classes) its out-of-fold prediction before calibration; None where none was kept
    scores: metric -> mean over the folds, calibrated; alone: of its best trial, the sweep's metric, as it was
    """

    weights: Mapping[str, float]
    calibration: Calibration
    threshold: Threshold | None
    kept: OutOfFold | None
    raw: np.ndarray | None
    scores: Mapping[str, float]
    alone: float | None
    notes: tuple[str, ...] = ()


def choose_ensemble(
    folder: RunFolder, checked: Checked, record: SweepRecord, trial: str | None = None, single: bool = False
) -> Ensemble:
    """An ensemble of the best trials, or with `trial` that one alone, or with `single` the best one alone.

    Raises:
        DistmlError: no such trial, or none that has a score.
    """
    metric = checked.metric
    if trial is not None and trial not in record.trials:
        raise DistmlError(f"no trial {trial!r} in {folder.name}.{did_you_mean(trial, record.trials)}")
    best = record.trials[trial] if trial else best_trial(record, metric.name, metric.greater_is_better)
    if best is None or best.score(metric.name) is None:
        raise DistmlError(f"{trial or folder.name} has no score: there is nothing to export")
    alone = [best] if trial or single else None
    finished = [one for one in leaderboard(record, metric.name, metric.greater_is_better) if one.state == "finished"]
    kept = read_out_of_fold(folder, checked.dataset, alone or finished)
    if kept is None:
        return _blind(checked, best.trial)
    score = mean_over_folds(checked.evaluator, kept.y, kept.folds)
    chosen = select(kept.predictions, score)
    weights = dict(sorted(chosen.items(), key=lambda item: -item[1]))
    raw, sign = kept.mean(weights), 1.0 if metric.greater_is_better else -1.0
    calibration = _calibration(checked, kept, raw)
    told = calibrated(calibration, raw)
    full = as_evaluated(told, len(checked.dataset.classes))
    return Ensemble(
        weights=weights,
        calibration=calibration,
        threshold=best_threshold(told, kept.y) if len(checked.dataset.classes) == 2 else None,
        kept=kept,
        raw=raw,
        scores=fold_means([checked.evaluator(kept.y[rows], full[rows]) for rows in kept.folds]),
        alone=sign * max(score(prediction) for prediction in kept.predictions.values()),
    )


def _blind(checked: Checked, trial: str) -> Ensemble:
    """Where the sweep kept no predictions: nothing to choose by, to calibrate on, or to set a threshold by."""
    note = f"the sweep kept no validation predictions of {trial}: it stands alone, and is not calibrated"
    return Ensemble(
        weights={trial: 1.0},
        calibration=Calibration(method="none", reason=note),
        threshold=share_threshold(checked.dataset.y[checked.dataset.train])
        if len(checked.dataset.classes) == 2 else None,
        kept=None, raw=None, scores={}, alone=None, notes=(note,),
    )  # fmt: skip


def _calibration(checked: Checked, kept: OutOfFold, raw: np.ndarray) -> Calibration:
    if checked.dataset.task != "classification":
        what = "scores of a ranking" if checked.dataset.task == "ranking" else "values"
        return Calibration(method="none", reason=f"{what} need no calibration")
    folds = kept.folds
    if len(folds) == 1:
        order = np.random.default_rng(checked.spec.seed).permutation(len(raw))
        folds = tuple(np.array_split(order, _PARTS))
    return choose_calibration(raw, kept.y, folds, len(checked.dataset.classes))
