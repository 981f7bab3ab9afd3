"""More dimensions: distances from each row to landmark rows, by which classes may become linearly separable."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data


class LandmarkDistances(TransformerMixin, BaseEstimator):
    """Appends to each row its Euclidean distances to landmark rows of the training set.

    The landmarks are rows drawn evenly without replacement, as sklearn's Nystroem draws its own. Distances are
    divided by their mean over the training rows: about 1 in any number of dimensions.

    n_landmarks: number of landmarks; all rows where there are fewer
    random_state: seed of the draw

    landmarks_: (landmarks, features) the rows drawn
    scale_: mean distance of a training row to a landmark; 1 where all rows are alike
    """

    def __init__(self, n_landmarks: int = 32, *, random_state: int | np.random.RandomState | None = None) -> None:
        self.n_landmarks = n_landmarks
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """X: (rows, features)."""
        rows = validate_data(self, X, dtype=[np.float64, np.float32])
        if self.n_landmarks < 1:
            raise ValueError(f"n_landmarks {self.n_landmarks!r} is not above 0")
        order = check_random_state(self.random_state).permutation(len(rows))
        self.landmarks_ = rows[order[: self.n_landmarks]]
        self.scale_ = float(euclidean_distances(rows, self.landmarks_).mean()) or 1.0
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """X: (rows, features) -> (rows, features + landmarks)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return np.hstack([rows, euclidean_distances(rows, self.landmarks_) / self.scale_])
