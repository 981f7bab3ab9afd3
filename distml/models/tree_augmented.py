"""Tree-augmented naive Bayes: each feature depends on the class and on at most one other feature."""

import warnings
from collections.abc import Sequence
from itertools import combinations
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import KBinsDiscretizer
from sklearn.utils._param_validation import Interval, StrOptions

with warnings.catch_warnings():
    # Types made by SWIG bring this on; where warnings are errors, their import would end the process.
    warnings.filterwarnings("ignore", message="builtin type .* has no __module__", category=DeprecationWarning)
    import pyagrum

_CLASS = "class"


class TreeAugmentedNaiveBayes(ClassifierMixin, BaseEstimator):
    """Friedman, Geiger and Goldszmidt (1997): Bayesian Network Classifiers. Machine Learning 29, 131-163.

    The features' tree is the maximum spanning tree by mutual information given the class. That information and the
    tables of the network are pyAgrum's. Its own BNClassifier leaves out edges below half the mean information, scoring
    row by row; here all features of a row are known, so that a class's probability is a product of tables.

    n_bins: at most so many bins of a column of numbers; one of no more different values has a bin for each
    strategy: scikit-learn's way to cut the others into bins, 'quantile', 'uniform' or 'kmeans'
    smoothing: rows added to each cell of a table, above 0
    tree: false leaves the tree out, which is naive Bayes on the same bins
    cardinalities: the last columns hold integer codes below these

    Fitted: classes_, (classes,); edges_, each numeric column's inner edges; parents_, (features,) what each hangs on,
    -1 for none; as logarithms prior_, (classes,), and tables_, each feature's (classes, parent's states, own states).
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "strategy": [StrOptions({"quantile", "uniform", "kmeans"})],
        "smoothing": [Interval(Real, 0, None, closed="neither")],
        "tree": ["boolean"],
    }

    def __init__(
        self,
        n_bins: int = 5,
        strategy: str = "quantile",
        smoothing: float = 1.0,
        tree: bool = True,
        cardinalities: Sequence[int] = (),
    ) -> None:
        self.n_bins = n_bins
        self.strategy = strategy
        self.smoothing = smoothing
        self.tree = tree
        self.cardinalities = cardinalities

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """X: (rows, features) without missing values; y: (rows,) classes."""
        self.classes_, classes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        numeric = X.shape[1] - len(self.cardinalities)
        self.edges_ = [_inner_edges(X[:, [place]], self.n_bins, self.strategy) for place in range(numeric)]
        sizes = [*(len(edges) + 1 for edges in self.edges_), *self.cardinalities]
        names = [f"x{place}" for place in range(len(sizes))]
        network = pyagrum.BayesNet()
        for name, size in zip([*names, _CLASS], [*sizes, len(self.classes_)], strict=True):
            network.add(pyagrum.RangeVariable(name, name, 0, size - 1))
        table = pd.DataFrame(np.column_stack([self.states(X), classes]), columns=[*names, _CLASS])
        learner = pyagrum.BNLearner(table, network)
        learner.setNumberOfThreads(1)
        self.parents_ = np.full(len(names), -1)
        if self.tree:
            self.parents_ = spanning_tree(_information(learner, names, [_CLASS]))
        for name, parent in zip(names, self.parents_, strict=True):
            network.addArc(_CLASS, name)
            if parent >= 0:
                network.addArc(names[parent], name)
        learner.useSmoothingPrior(self.smoothing)
        learnt = learner.learnParameters(network.dag())
        self.prior_ = np.log(learnt.cpt(_CLASS).toarray())
        self.tables_ = [
            np.log(_table(learnt.cpt(name), [_CLASS, *([names[parent]] if parent >= 0 else []), name]))
            for name, parent in zip(names, self.parents_, strict=True)
        ]
        return self

    def states(self, X: np.ndarray) -> np.ndarray:
        """The bin or code of each cell: (rows, features) -> the same, int64."""
        binned = [np.searchsorted(edges, X[:, place], side="right") for place, edges in enumerate(self.edges_)]
        codes = [X[:, len(self.edges_) + place].astype(np.int64) for place in range(len(self.cardinalities))]
        return np.column_stack([*binned, *codes])

    def predict_log_joint(self, X: np.ndarray) -> np.ndarray:
        """(rows, features) -> (rows, classes) logarithms of P(class, row)."""
        states = self.states(X)
        joint = np.tile(self.prior_, (len(X), 1))
        for place, parent in enumerate(self.parents_):
            given = states[:, parent] if parent >= 0 else np.zeros(len(X), dtype=np.int64)
            joint += self.tables_[place][:, given, states[:, place]].T
        return joint

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(rows, features) -> (rows, classes)."""
        joint = self.predict_log_joint(X)
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(rows, features) -> (rows,) classes."""
        return self.classes_[self.predict_log_joint(X).argmax(axis=1)]


def spanning_tree(information: np.ndarray) -> np.ndarray:
    """The maximum spanning tree, its edges away from the first feature; (features,) each one's parent, the first's -1.

    information: (features, features), symmetric. Which feature the edges lead away from does not change the likelihood.

    >>> spanning_tree(np.array([[0.0, 0.1, 0.3], [0.1, 0.0, 0.2], [0.3, 0.2, 0.0]])).tolist()
    [-1, 2, 0]
    """
    costs = 1 + information.max() - information  # above 0 throughout: scipy takes a cost of 0 for no edge
    _, parents = breadth_first_order(minimum_spanning_tree(costs), 0, directed=False)
    return np.where(parents < 0, -1, parents)


def _information(learner: "pyagrum.BNLearner", names: Sequence[str], given: list[str]) -> np.ndarray:
    """(features, features) mutual information in bits, given the class."""
    learner.useNoPrior()
    found = np.zeros((len(names), len(names)))
    for first, second in combinations(range(len(names)), 2):
        found[first, second] = found[second, first] = learner.mutualInformation(names[first], names[second], given)
    return found


def _table(cpt: "pyagrum.Tensor", axes: list[str]) -> np.ndarray:
    """A conditional table as an array (classes, parent's states, own states); 1 state of a parent that is not there."""
    held = list(reversed(cpt.names))
    array = cpt.toarray().transpose([held.index(name) for name in axes])
    return array if len(axes) == 3 else array[:, None, :]


def _inner_edges(column: np.ndarray, n_bins: int, strategy: str) -> np.ndarray:
    """Where the bins of a column (rows, 1) meet, ascending; a value on an edge is in the upper bin."""
    values = np.unique(column)
    if len(values) <= n_bins:  # quantiles of so few values fall together, and bins would be lost
        return (values[:-1] + values[1:]) / 2
    with warnings.catch_warnings():
        # Where most rows have one value, quantiles fall together; the column has fewer bins then.
        warnings.filterwarnings("ignore", message="Bins whose width are too small", category=UserWarning)
        # scikit-learn 1.7 and 1.8 announce another way to take quantiles.
        warnings.filterwarnings("ignore", message="The current default behavior, quant", category=FutureWarning)
        binned = KBinsDiscretizer(n_bins, encode="ordinal", strategy=strategy, subsample=None).fit(column)
    return np.asarray(binned.bin_edges_[0][1:-1])
