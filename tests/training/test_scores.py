"""A trial's scores are means over the folds that define them."""

import math

from distml.training.scores import fold_means


def test_a_metric_defined_nowhere_is_nan():
    means = fold_means([{"roc_auc": math.nan, "brier": 0.1}, {"roc_auc": math.nan, "brier": 0.3}])
    assert math.isnan(means["roc_auc"])
    assert means["brier"] == 0.2
