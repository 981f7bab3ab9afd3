"""What a fitted estimator predicts, in the one form that scores and scorers take."""

from typing import Any

import numpy as np

from distml.data.task import Outline


def predicted(model: Any, x: np.ndarray, outline: Outline) -> np.ndarray:
    """(rows, classes) probabilities, with a column for a class that the training rows lacked too; or (rows,) values."""
    if outline.task != "classification":
        return np.asarray(model.predict(x))
    probabilities = np.zeros((len(x), outline.classes))
    probabilities[:, np.asarray(model.classes_, dtype=np.int64)] = model.predict_proba(x)
    return probabilities
