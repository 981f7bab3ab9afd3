"""Tree-augmented naive Bayes beside what its definition gives by hand, and pyAgrum's own inference."""

from fractions import Fraction
from importlib.util import find_spec
from itertools import combinations, product
from math import log2

import numpy as np
import pytest

if find_spec("pyagrum") is None:
    pytest.skip("pyAgrum is not installed: pip install 'distml[bayes-net]'", allow_module_level=True)

from distml.models.tree_augmented import TreeAugmentedNaiveBayes, pyagrum, spanning_tree


def made_up(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Four columns of codes: b follows a, c follows b in one class, d is noise; and the classes."""
    random = np.random.default_rng(5)
    y = random.integers(0, 2, rows)
    a = random.integers(0, 3, rows)
    b = np.where(random.random(rows) < 0.7, a, random.integers(0, 3, rows))
    c = np.where((random.random(rows) < 0.8) & (y == 1), b % 2, random.integers(0, 2, rows))
    return np.column_stack([a, b, c, random.integers(0, 2, rows)]).astype(np.float32), y


CARDINALITIES = (3, 3, 2, 2)


def information(x: np.ndarray, y: np.ndarray, first: int, second: int) -> float:
    """I(first; second | class) in bits by definition: the sum of p(a, b, c) log p(a, b | c) / (p(a | c) p(b | c))."""
    total = 0.0
    for a, b, c in product(np.unique(x[:, first]), np.unique(x[:, second]), np.unique(y)):
        of_class = y == c
        both = np.mean(of_class & (x[:, first] == a) & (x[:, second] == b))
        if both > 0:
            p = np.mean(of_class)
            apart = np.mean(of_class & (x[:, first] == a)) * np.mean(of_class & (x[:, second] == b))
            total += both * log2(both * p / apart)
    return total


def spanning_trees(features: int) -> list[frozenset[tuple[int, int]]]:
    """All of them, by trying every choice of edges."""
    found = []
    for edges in combinations(combinations(range(features), 2), features - 1):
        reached = {0}
        for _ in range(features):
            reached |= {node for edge in edges if reached & set(edge) for node in edge}
        if len(reached) == features:
            found.append(frozenset(edges))
    return found


def edges_of(parents: np.ndarray) -> frozenset[tuple[int, int]]:
    return frozenset((min(pair), max(pair)) for pair in enumerate(parents.tolist()) if pair[1] >= 0)


def test_the_tree_is_the_best_of_all_spanning_trees_by_information_worked_out_by_hand() -> None:
    x, y = made_up()
    weights = {pair: information(x, y, *pair) for pair in combinations(range(4), 2)}
    trees = spanning_trees(4)
    assert len(trees) == 16  # Cayley: n ** (n - 2)
    best = max(trees, key=lambda edges: sum(weights[edge] for edge in edges))
    model = TreeAugmentedNaiveBayes(cardinalities=CARDINALITIES).fit(x, y)
    assert edges_of(model.parents_) == best
    assert {(0, 1), (1, 2)} < best
    assert model.parents_.tolist().count(-1) == 1


def test_a_column_that_tells_nothing_joins_the_tree_too() -> None:
    parents = spanning_tree(np.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]))
    assert parents[0] == -1 and parents[2] == 0 and parents[1] in (0, 2)
    assert spanning_tree(np.zeros((1, 1))).tolist() == [-1]


def test_probabilities_are_products_of_smoothed_shares() -> None:
    x, y = made_up(40)
    smoothing = Fraction(3, 2)
    model = TreeAugmentedNaiveBayes(smoothing=float(smoothing), cardinalities=CARDINALITIES).fit(x, y)
    assert model.prior_.shape == (2,) and [table.shape[0] for table in model.tables_] == [2] * 4
    row = x[7]

    def share(wanted: np.ndarray, among: np.ndarray, cells: int) -> Fraction:
        return (int(wanted[among].sum()) + smoothing) / (int(among.sum()) + smoothing * cells)

    joint = []
    for label in (0, 1):
        whole = share(y == label, np.ones(40, dtype=bool), 2)
        for place, parent in enumerate(model.parents_):
            among = (y == label) & ((x[:, parent] == row[parent]) if parent >= 0 else True)
            whole *= share(x[:, place] == row[place], among, CARDINALITIES[place])
        joint.append(whole)
    expected = [float(one / sum(joint)) for one in joint]
    np.testing.assert_allclose(model.predict_proba(x)[7], expected, rtol=1e-12)


def test_probabilities_are_those_of_inference_in_the_network() -> None:
    x, y = made_up(60)
    model = TreeAugmentedNaiveBayes(cardinalities=CARDINALITIES).fit(x, y)
    network = pyagrum.BayesNet()
    for name, size in zip(["x0", "x1", "x2", "x3", "class"], [*CARDINALITIES, 2], strict=True):
        network.add(pyagrum.RangeVariable(name, name, 0, size - 1))
    network.cpt("class").fillWith(np.exp(model.prior_).tolist())
    for place, parent in enumerate(model.parents_):
        network.addArc("class", f"x{place}")
        if parent >= 0:
            network.addArc(f"x{parent}", f"x{place}")
        for label in (0, 1):
            for state, table in enumerate(np.exp(model.tables_[place][label])):
                given = {"class": label, **({f"x{parent}": state} if parent >= 0 else {})}
                network.cpt(f"x{place}")[given] = table.tolist()
    inference = pyagrum.LazyPropagation(network)
    for row, expected in zip(x[:10], model.predict_proba(x[:10]), strict=True):
        inference.setEvidence({f"x{place}": int(state) for place, state in enumerate(row)})
        np.testing.assert_allclose(inference.posterior("class").toarray(), expected, rtol=1e-9)


def test_numbers_are_binned_and_few_values_keep_a_bin_each() -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([random.normal(size=500), np.tile([0, 0, 0, 0, 1], 100), np.ones(500)]).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0.5).astype(int)
    model = TreeAugmentedNaiveBayes(n_bins=4).fit(x, y)
    np.testing.assert_allclose(model.edges_[0], np.quantile(x[:, 0], [0.25, 0.5, 0.75]), atol=0.02)
    assert model.edges_[1].tolist() == [0.5]  # quantiles alone would put all five rows into one bin
    assert model.edges_[2].tolist() == []
    outside = np.array([[99.0, 7.0, 1.0], [-99.0, -7.0, 3.0]], dtype=np.float32)
    assert model.states(outside).tolist() == [[3, 1, 0], [0, 0, 0]]
    assert np.mean(model.predict(x) == y) > 0.8


@pytest.mark.parametrize("strategy", ["quantile", "uniform", "kmeans"])
def test_a_column_of_mostly_one_value_is_no_failure(strategy: str) -> None:
    x = np.where(np.arange(200) % 20 == 0, np.arange(200), 0)[:, None].astype(np.float32)
    model = TreeAugmentedNaiveBayes(strategy=strategy).fit(x, np.arange(200) % 2)
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)


def test_where_one_feature_decides_by_another_the_tree_finds_what_naive_bayes_cannot() -> None:
    """Exclusive or: each feature alone tells nothing."""
    x = np.tile(list(product([0, 1], repeat=3)), (10, 1)).astype(np.float32)
    y = (x[:, 0] != x[:, 2]).astype(int)
    model = TreeAugmentedNaiveBayes(cardinalities=(2, 2, 2)).fit(x, y)
    assert (0, 2) in edges_of(model.parents_)
    assert np.mean(model.predict(x) == y) == 1
    plain = TreeAugmentedNaiveBayes(tree=False, cardinalities=(2, 2, 2)).fit(x, y)
    assert set(plain.parents_) == {-1}
    np.testing.assert_allclose(plain.predict_proba(x), 0.5)
