"""Transformers for what scikit-learn has none for: dates, and categories as codes from 0."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class DateFeatures(TransformerMixin, BaseEstimator):
    """Each date column -> days since 1970 (with the time of day as a fraction), day of the year, day of the week."""

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """X: (rows, columns) datetime64 -> (rows, 3 * columns) float64, NaN where a date is missing."""
        features = []
        for name in X.columns:
            dates = X[name]
            days = (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)
            features += [days, dates.dt.day_of_year, dates.dt.day_of_week]
        return np.column_stack([np.asarray(feature, dtype=np.float64) for feature in features])

    def __sklearn_is_fitted__(self) -> bool:
        return True


class CategoryCodes(TransformerMixin, BaseEstimator):
    """Each categorical column -> 1 + its category's place in `categories`; 0 for missing and all other cells.

    cardinalities: one more than the number of categories, column by column.
    """

    def __init__(self, categories: Sequence[Sequence[str]]) -> None:
        self.categories = categories

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return tuple(1 + len(names) for names in self.categories)

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """X: (rows, columns) texts or NaN -> (rows, columns) float32 codes."""
        codes = [
            1 + pd.Index(list(names), dtype=object).get_indexer(pd.Index(X.iloc[:, place]))
            for place, names in enumerate(self.categories)
        ]
        return np.column_stack(codes).astype(np.float32)

    def __sklearn_is_fitted__(self) -> bool:
        return True
