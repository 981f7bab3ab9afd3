"""The validation predictions that a sweep kept of its best trials: what ensembles are chosen and calibrated on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distml.data.dataset import Dataset
from distml.sweep.records import TrialRecord
from distml.sweep.runs import RunFolder

_LEAST_SHARE = 0.9  # of the rows that the fullest prediction knows: one that knows fewer would cost the others theirs


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of the same rows by several trials, none of which had learnt from the row that it predicts.

    predictions: trial -> (rows,) probability of classes[1] or value, or (rows, classes); in the order they were asked
    y: (rows,) codes or values
    rows: (rows,) row numbers in the dataset
    folds: places among the rows, an array for each fold
    """

    predictions: Mapping[str, np.ndarray]
    y: np.ndarray
    rows: np.ndarray
    folds: tuple[np.ndarray, ...]

    def mean(self, weights: Mapping[str, float]) -> np.ndarray:
        """The ensemble's prediction: trial -> share."""
        total = sum(share * self.predictions[trial].astype(np.float64) for trial, share in weights.items())
        return np.asarray(total)


def read_out_of_fold(folder: RunFolder, dataset: Dataset, trials: list[TrialRecord]) -> OutOfFold | None:
    """What was kept of these trials, on the rows that all of them predict; None where nothing was kept."""
    found: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}
    for trial in trials:
        path = folder.predictions(trial.trial)
        if not path.is_file():
            continue
        prediction = np.load(path, allow_pickle=False)
        if len(prediction) == len(dataset.train):
            found[trial.trial] = prediction
            known[trial.trial] = np.isfinite(prediction if prediction.ndim == 1 else prediction.sum(axis=1))
    most = max((int(rows.sum()) for rows in known.values()), default=0)
    full = [trial for trial, rows in known.items() if rows.sum() >= max(1, _LEAST_SHARE * most)]
    if not full:
        return None
    shared = np.logical_and.reduce([known[trial] for trial in full])
    rows = dataset.train[shared]
    place = {int(row): place for place, row in enumerate(rows)}
    folds = [np.array([place[row] for row in valid.tolist() if row in place], np.int64) for _, valid in dataset.folds]
    return OutOfFold(
        predictions={trial: found[trial][shared] for trial in full},
        y=dataset.y[rows],
        rows=rows,
        folds=tuple(fold for fold in folds if len(fold)),
    )
