"""The columns of a prepared matrix: the same in every fold, so that members of all folds share one structure."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from distml.data.options import Kind

_RARE = 10  # a category of fewer rows has no feature of its own ...
_RARE_SHARE = 0.0005  # ... unless the table is small: these are this share of its rows
_CATEGORIES = 100  # nor has one beyond the commonest so many


@dataclass(frozen=True)
class Layout:
    """What the prepared columns are named after; statistics of the rows (means, quantiles) are no part of it.

    kinds: column -> kind, in the table's order
    categories: categorical column -> its categories, without rare ones
    incomplete: columns that have missing cells
    """

    kinds: Mapping[str, Kind]
    categories: Mapping[str, tuple[str, ...]]
    incomplete: tuple[str, ...]

    def of(self, *kinds: Kind) -> list[str]:
        """The columns of these kinds."""
        return [name for name, kind in self.kinds.items() if kind in kinds]


def layout_of(frame: pd.DataFrame, kinds: Mapping[str, Kind]) -> Layout:
    """The layout of a table whose kinds are applied: of all training rows, and none that are held out."""
    categories = {}
    for name, kind in kinds.items():
        if kind == "categorical":
            counts = frame[name].value_counts()[:_CATEGORIES]
            least = min(_RARE, _RARE_SHARE * len(frame), counts.iloc[0])
            categories[name] = tuple(sorted(counts.index[counts >= least]))
    gaps = frame.isna().any()
    return Layout(dict(kinds), categories, tuple(name for name in kinds if gaps[name]))
