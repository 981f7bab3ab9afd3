"""Predictions for the rows that a trial did not train on: what ensembles are chosen and calibrated by."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from distml.errors import DistmlError


@dataclass(frozen=True, eq=False)
class Validation:
    """Each row's prediction by the model that did not see it, fold after fold.

    rows: (rows,) int64, places in the table
    prediction: float32; (rows,) the positive class's probability of two, or values; else (rows, classes)
    """

    rows: np.ndarray
    prediction: np.ndarray

    @classmethod
    def of_folds(cls, folds: Iterable[tuple[np.ndarray, np.ndarray]]) -> "Validation":
        """Join the folds' (rows, prediction): (rows,) places and (rows, classes) probabilities or (rows,) values."""
        rows, predictions = zip(*folds, strict=True)
        prediction = np.concatenate(predictions).astype(np.float32)
        if prediction.ndim == 2 and prediction.shape[1] == 2:
            prediction = prediction[:, 1]
        return cls(np.concatenate(rows), prediction)

    def write(self, path: Path) -> None:
        """Write by temporary file and rename. Raises OSError."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with partial.open("wb") as file:
                np.savez(file, rows=self.rows, prediction=self.prediction)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> "Validation":
        """Raises DistmlError where there is no such file or it is damaged."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return cls(held["rows"], held["prediction"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DistmlError(f"{path} cannot be read as predictions ({type(error).__name__})") from None

    def aligned(self, rows: np.ndarray) -> np.ndarray:
        """The predictions for these rows of the table, in their order; NaN for one that has none."""
        order = np.argsort(self.rows)
        place = np.searchsorted(self.rows, rows, sorter=order).clip(max=len(order) - 1)
        found = order[place]
        aligned = self.prediction[found].copy()
        aligned[self.rows[found] != rows] = np.nan
        return aligned
