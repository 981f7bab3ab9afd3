"""The Bayesian network from folds to the scorer."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import prepare_whole
from distml.data.variant import Variant
from distml.scorer.opening import open_scorer
from distml.sweep.export import export_scorer
from tests.sweep.trained import checked_german, write_trained


@pytest.mark.skipif(find_spec("pyagrum") is None, reason="pyAgrum is not installed: pip install 'distml[bayes-net]'")
def test_a_scorer_of_a_network_says_what_the_network_says(tmp_path: Path) -> None:
    params = {"n_bins": 4, "smoothing": 2.0}
    choices = {"preprocessing.categorical": "ordinal", "preprocessing.missing": "none"}
    checked = checked_german(families=["bayes-net"])
    made = export_scorer(write_trained(tmp_path, checked, [("bayes-net", {**params, **choices})]), single=True)
    assert made.holdout["roc_auc"] > 0.7
    dataset = checked.dataset
    whole = prepare_whole(dataset, Variant(categorical="ordinal"), checked.spec.seed)
    from distml.models.tree_augmented import TreeAugmentedNaiveBayes

    model = TreeAugmentedNaiveBayes(**params, cardinalities=whole.cardinalities).fit(whole.x_train, whole.y_train)  # type: ignore[arg-type]
    scorer = open_scorer(made.folder)
    said = scorer.raw(dataset.frame.iloc[dataset.holdout])
    np.testing.assert_allclose(said, model.predict_proba(whole.x_valid)[:, 1], rtol=1e-6)
    table = pd.read_csv(checked.spec.data.source)
    assert scorer.score(table)["probability"].astype(float).between(0, 1).all()
