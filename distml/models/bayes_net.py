"""A Bayesian network as a classifier, where pyAgrum is installed."""

from sklearn.base import BaseEstimator

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Fixed, Float, Int
from distml.models.tree_augmented import TreeAugmentedNaiveBayes


def _bayes_net(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """Columns of category codes are states as they stand; all others are binned."""
    return assemble(TreeAugmentedNaiveBayes(cardinalities=outline.cardinalities), params, seed)


BAYES_NET = Family(
    name="bayes-net",
    engine="estimator",
    build=_bayes_net,
    space={
        "n_bins": Int(2, 10),
        "strategy": Choice(("quantile", "uniform", "kmeans")),
        "smoothing": Float(0.03, 30.0, log=True),
        "tree": Fixed(True),
    },
    tasks=frozenset({"classification"}),
)
