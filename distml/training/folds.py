"""From the folds' scores to a trial's."""

import math
from collections.abc import Mapping, Sequence


def fold_means(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the folds on which it is defined; nan where that is none.

    >>> fold_means([{"roc_auc": 0.5}, {"roc_auc": 1.0}, {"roc_auc": float("nan")}])
    {'roc_auc': 0.75}
    """
    means = {}
    for name in folds[0]:
        defined = [fold[name] for fold in folds if not math.isnan(fold[name])]
        means[name] = math.fsum(defined) / len(defined) if defined else math.nan
    return means
