"""The validation predictions that a sweep kept of its best trials: what ensembles are chosen and calibrated on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from distml.data.dataset import Dataset
from distml.errors import DistmlError
from distml.sweep.records import TrialRecord
from distml.sweep.runs import RunFolder, predictions_file
from distml.training.validation import Validation

MOST = 24  # trials to choose from
_OF_A_FAMILY = 6  # the best of a family are much alike: others add more
_LEAST_SHARE = 0.9  # of the rows that the fullest prediction knows: one that knows fewer would cost the others theirs


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of the same rows by several trials, none of which had learnt from the row that it predicts.

    predictions: trial -> (rows,) probability of classes[1] or value, or (rows, classes); in the order they were asked
    y: (rows,) codes or values; of a ranking (rows, 2), grades and queries
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


def read_out_of_fold(folder: RunFolder, dataset: Dataset, trials: Sequence[TrialRecord]) -> OutOfFold | None:
    """What was kept of these trials, best first, on the rows that all of them predict; None where nothing was kept."""
    found: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}
    taken: Counter[str] = Counter()
    for trial in trials:
        if len(found) == MOST or taken[trial.family] == _OF_A_FAMILY:
            continue
        prediction = _read(folder, dataset, trial.trial)
        if prediction is None:
            continue
        taken[trial.family] += 1
        found[trial.trial] = prediction
        known[trial.trial] = np.isfinite(prediction if prediction.ndim == 1 else prediction.sum(axis=1))
    most = max((int(rows.sum()) for rows in known.values()), default=0)
    full = [trial for trial, rows in known.items() if rows.sum() >= max(1, _LEAST_SHARE * most)]
    if not full:
        return None
    shared = np.logical_and.reduce([known[trial] for trial in full])
    rows = dataset.train[shared]
    folds = (np.flatnonzero(np.isin(rows, valid)) for _, valid in dataset.folds)
    return OutOfFold(
        predictions={trial: found[trial][shared] for trial in full},
        y=dataset.truth[rows],
        rows=rows,
        folds=tuple(fold for fold in folds if len(fold)),
    )


def _read(folder: RunFolder, dataset: Dataset, trial: str) -> np.ndarray | None:
    """One trial's prediction of the training rows, NaN where it has none; None where nothing whole was kept."""
    path = predictions_file(folder.predictions, trial)
    if not path.is_file():
        return None
    try:
        return Validation.read(path).aligned(dataset.train)
    except DistmlError:  # half written, damaged: one candidate less
        return None
