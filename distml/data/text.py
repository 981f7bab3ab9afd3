"""Free text as numbers: TF-IDF of words or of runs of characters, brought down to few dimensions."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

_LARGEST = 20_000  # terms of a column: its commonest
_PASSES = 3  # of the randomised SVD over the matrix
_TERMS: dict[str, dict[str, Any]] = {
    "words": {},
    "bigrams": {"ngram_range": (1, 2)},
    "characters": {"analyzer": "char_wb", "ngram_range": (1, 4)},
}


class TextFeatures(TransformerMixin, BaseEstimator):
    """Each text column -> `dimensions` numbers: latent semantic analysis (Deerwester et al., 1990).

    A term's weight is (1 + log count) x inverse document frequency; the matrix of rows and terms is brought down by
    a truncated SVD, each row to length sqrt(dimensions), so that a feature is about 1 in any number of dimensions. A
    row without known terms is all zeros, and so are dimensions beyond the rank that rows and terms allow.

    terms: 'words', 'bigrams' (words and pairs of neighbours), or 'characters' (1 to 4 of them, within words)
    dimensions: features of each column
    random_state: seed of the SVD

    columns_: a fitted pipeline for each column; None for one without any term
    """

    def __init__(self, terms: str = "words", dimensions: int = 64, random_state: int = 0) -> None:
        self.terms = terms
        self.dimensions = dimensions
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """X: (rows, columns) texts or NaN."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> np.ndarray:
        """The same as fit and transform; texts are taken apart once."""
        fitted = [self._fit(_texts(X.iloc[:, place])) for place in range(X.shape[1])]
        self.columns_ = [pipeline for pipeline, _ in fitted]
        return self._side_by_side([found for _, found in fitted], len(X))

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """X: (rows, columns) texts or NaN -> (rows, columns * dimensions) float32."""
        check_is_fitted(self)
        found = [
            None if pipeline is None else pipeline.transform(_texts(X.iloc[:, place]))
            for place, pipeline in enumerate(self.columns_)
        ]
        return self._side_by_side(found, len(X))

    def _side_by_side(self, found: Sequence[np.ndarray | None], rows: int) -> np.ndarray:
        features = np.zeros((rows, len(found), self.dimensions), dtype=np.float32)
        for place, column in enumerate(found):
            if column is not None:
                features[:, place, : column.shape[1]] = normalize(column) * np.sqrt(self.dimensions)
        return features.reshape(rows, -1)

    def _fit(self, texts: list[str]) -> tuple[Pipeline | None, np.ndarray | None]:
        """(pipeline, its output for these texts)"""
        weights = self._weights(texts)
        if weights is None:
            return None, None
        vectoriser, matrix = weights
        svd = TruncatedSVD(min(self.dimensions, *matrix.shape), n_iter=_PASSES, random_state=self.random_state)
        with np.errstate(invalid="ignore"):  # shares of explained variance, where there is none at all
            svd.fit(matrix)
        return Pipeline([("weights", vectoriser), ("svd", svd)]), svd.transform(matrix)

    def _weights(self, texts: list[str]) -> tuple[TfidfVectorizer, Any] | None:
        """The terms of at least two rows or, where no term recurs, all of them."""
        for least in (2, 1):
            vectoriser = TfidfVectorizer(
                sublinear_tf=True, min_df=least, max_features=_LARGEST, dtype=np.float32, **_TERMS[self.terms]
            )
            try:
                matrix = vectoriser.fit_transform(texts)
            except ValueError:  # no term is left
                continue
            # Plain whole numbers: a scorer's file would hold each of numpy's as an array of its own.
            vectoriser.vocabulary_ = {term: int(place) for term, place in vectoriser.vocabulary_.items()}
            return vectoriser, matrix
        return None


def _texts(column: pd.Series) -> list[str]:
    return column.fillna("").tolist()
