"""Predictions for the rows that a tree's bootstrap sample left out: validation that costs no further fit."""

from typing import Any

import numpy as np

from distml.data.task import Outline


class OutOfBag:
    """Sums the votes of an ensemble's trees on their out-of-bag rows, tree by tree as it grows (Breiman, 1996).

    scikit-learn's own `oob_score` begins again with every call of fit, and refuses a bagging ensemble that grows.
    """

    def __init__(self, x: np.ndarray, outline: Outline) -> None:
        """x: (rows, features), the rows that the ensemble trains on."""
        self.x = x
        self.outline = outline
        self.trees = 0
        self.votes = np.zeros((len(x), outline.classes) if outline.task == "classification" else len(x))
        self.voters = np.zeros(len(x), dtype=np.int64)

    def add(self, ensemble: Any) -> None:
        """Let the trees vote that the ensemble has grown since the last call."""
        new = ensemble.estimators_[self.trees :]
        # Of a bagging ensemble that grew, the samples of the last fit's trees only; of a forest, all: the last are new.
        samples = ensemble.estimators_samples_[-len(new) :]
        features = getattr(ensemble, "estimators_features_", None)
        for place, (tree, sample) in enumerate(zip(new, samples, strict=True), start=self.trees):
            inside = np.zeros(len(self.x), dtype=bool)
            inside[sample] = True
            rows = np.flatnonzero(~inside)
            if not len(rows):
                continue
            x = self.x[rows] if features is None else self.x[np.ix_(rows, features[place])]
            self.votes[rows] += self._vote(ensemble, tree, x)
            self.voters[rows] += 1
        self.trees = len(ensemble.estimators_)

    def prediction(self) -> tuple[np.ndarray, np.ndarray]:
        """(prediction of each row, whether any tree had it out of bag); a row that none had predicts 0."""
        known = self.voters > 0
        share = np.maximum(self.voters, 1)
        return self.votes / (share[:, None] if self.votes.ndim == 2 else share), known

    def _vote(self, ensemble: Any, tree: Any, x: np.ndarray) -> np.ndarray:
        if self.outline.task == "regression":
            return np.asarray(tree.predict(x))
        # A tree knows its classes as places in the ensemble's, and those may lack some of the table's.
        columns = ensemble.classes_[tree.classes_.astype(int)]
        vote = np.zeros((len(x), self.outline.classes))
        vote[:, columns] = tree.predict_proba(x)
        return vote
