"""From a raw table to probabilities, points and decisions: every row in its place, none dropped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from distml.scorer.calibration import calibrated
from distml.scorer.files import Manifest, Points, Threshold
from distml.scorer.points import points_of
from distml.scorer.reading import Notes, check_columns, read_rows
from distml.scorer.thresholds import DIGITS

_NOT_FINITE = "the score is not a finite number"


@dataclass(frozen=True)
class Part:
    """A member of the ensemble, opened.

    prepare: frame with kinds applied -> float32 (rows, features)
    predict: that -> (rows, classes) probabilities or (rows,) values
    """

    weight: float
    prepare: Callable[[pd.DataFrame], np.ndarray]
    predict: Callable[[np.ndarray], np.ndarray]


class Scorer:
    """An opened scorer.

    >>> scorer = open_scorer("runs/credit/scorer")  # doctest: +SKIP
    >>> scorer.score(pandas.read_csv("applications.csv"))  # doctest: +SKIP
    """

    def __init__(self, manifest: Manifest, parts: Sequence[Part], folder: Path) -> None:
        self.manifest = manifest
        self.parts = tuple(parts)
        self.folder = folder

    def raw(self, frame: pd.DataFrame) -> np.ndarray:
        """frame: rows with their kinds applied -> the ensemble's mean before calibration.

        (rows,) probability of classes[1] for two classes, (rows, classes) for more, (rows,) values for regression.
        """
        prepared: dict[int, np.ndarray] = {}
        total: np.ndarray | None = None
        for part in self.parts:
            key = id(getattr(part.prepare, "__self__", part.prepare))  # members of one variant share a preprocessor
            if key not in prepared:
                prepared[key] = part.prepare(frame)
            prediction = part.predict(prepared[key])
            if self.manifest.is_binary:
                prediction = prediction[:, 1]
            share = part.weight * prediction.astype(np.float64, copy=False)
            total = share if total is None else total + share
        assert total is not None
        return total

    def probability(self, frame: pd.DataFrame) -> np.ndarray:
        """frame: rows with their kinds applied -> the calibrated scores, shaped as `raw` gives them."""
        return calibrated(self.manifest.calibration, self.raw(frame))

    def score(
        self,
        table: pd.DataFrame,
        *,
        threshold: Threshold | None = None,
        points: Points | None = None,
    ) -> pd.DataFrame:
        """Score a table as it was read from a file; one row comes out for each that goes in, in their order.

        Two classes: 'probability' of the positive one, 'points', 'decision'; more: 'probability_<class>', 'decision';
        regression: 'prediction'; ranking: 'score', the higher the further up in its query. A row that cannot be scored
        has none of them, and says why in 'problem'.

        threshold, points: instead of the scorer's own.

        Raises:
            ScorerError: columns are missing, all of them named.
        """
        check_columns(self.manifest, list(table.columns))
        return self.scored(*self.read(table), threshold, points)

    def read(
        self, table: pd.DataFrame, notes: Notes | None = None, broken: Mapping[int, str] | None = None
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """(a raw table's rows with their kinds applied, (rows,) why each cannot be scored or '').

        notes: takes up what there is to say about cells. broken: place of a row that could not be read -> why.
        """
        return read_rows(self.manifest, table, notes if notes is not None else Notes(), broken or {})

    def scored(
        self, frame: pd.DataFrame, problems: np.ndarray, threshold: Threshold | None, points: Points | None
    ) -> pd.DataFrame:
        """The columns of `score`, for rows with their kinds applied. problems: (rows,) texts, '' for none."""
        good = problems == ""
        width = len(self.manifest.classes)
        scores = np.full((len(frame), width) if width > 2 else len(frame), np.nan)
        if good.any():
            found = self.probability(frame if good.all() else frame[good])
            scores[good] = np.round(found, DIGITS) if width else found
        lost = good & ~np.isfinite(scores if scores.ndim == 1 else scores.sum(axis=1))
        problems = np.where(lost, _NOT_FINITE, problems)
        known = problems == ""
        columns = self._columns(scores, known, threshold or self.manifest.threshold, points or self.manifest.points)
        return pd.DataFrame({**columns, "problem": problems})

    def _columns(
        self, scores: np.ndarray, known: np.ndarray, threshold: Threshold | None, points: Points | None
    ) -> dict[str, np.ndarray]:
        classes = self.manifest.classes
        if not classes:
            name = "score" if self.manifest.task == "ranking" else "prediction"
            return {name: _texts(scores, known, "%.6g")}
        names = np.array([str(label) for label in classes], dtype=object)
        if len(classes) > 2:
            decided = names[np.argmax(np.where(known[:, None], scores, 0), axis=1)]
            shares = {f"probability_{name}": _texts(scores[:, i], known, "%.6f") for i, name in enumerate(names)}
            return {**shares, "decision": np.where(known, decided, "")}
        columns = {"probability": _texts(scores, known, "%.6f")}
        inside = np.where(known, scores, 0.5)
        if points is not None:
            columns["points"] = _texts(points_of(inside, points), known, "%d")
        if threshold is not None:
            columns["decision"] = np.where(known, names[(inside >= threshold.value).astype(int)], "")
        return columns


def _texts(values: np.ndarray, known: np.ndarray, form: str) -> np.ndarray:
    """(rows,) texts of a fixed number of digits, so that they read the same wherever they are made; '' if unknown."""
    pairs = zip(values.tolist(), known.tolist(), strict=True)
    return np.array([form % value if there else "" for value, there in pairs], dtype=object)
