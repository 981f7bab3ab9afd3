"""Scores without a truth: those of scikit-learn, and a stability that knows chance from structure."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from distml.models.custom import family_from_class
from distml.models.metrics import Evaluator, find_metric, metric_names
from distml.models.unsupervised import stability

X, TRUTH = make_blobs(300, n_features=4, centers=3, random_state=2)
RANDOM = np.random.default_rng(8)


def test_clusterings_are_scored_as_scikit_learn_does():
    evaluator = Evaluator("silhouette", ["davies_bouldin", "calinski_harabasz", "stability"], "clustering", 0)
    clusters = (X[:, 0] > 0) * 1
    scores = evaluator(X, clusters)
    assert scores["silhouette"] == pytest.approx(silhouette_score(X, clusters))
    assert scores["davies_bouldin"] == pytest.approx(davies_bouldin_score(X, clusters))
    assert scores["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(X, clusters))
    assert np.isnan(scores["stability"])  # one clustering has none


def test_projections_are_scored_as_scikit_learn_does():
    flat = PCA(2).fit_transform(X)
    score = Evaluator("trustworthiness", [], "projection", 0)(X, flat)["trustworthiness"]
    assert score == pytest.approx(trustworthiness(X, flat, n_neighbors=5))
    assert score > Evaluator("trustworthiness", [], "projection", 0)(X, X[:, :1])["trustworthiness"]


def test_of_a_large_table_the_same_rows_are_looked_at_each_time():
    x = RANDOM.normal(size=(6_000, 2))
    evaluator = Evaluator("silhouette", [], "clustering", 0)
    clusters = (x[:, 0] > 0) * 1
    sampled = evaluator(x, clusters)["silhouette"]
    assert sampled == evaluator(x, clusters)["silhouette"]
    assert sampled == pytest.approx(silhouette_score(x, clusters), abs=0.02)


def test_directions_and_names():
    assert not find_metric("davies_bouldin", "clustering").greater_is_better
    assert find_metric("calinski_harabasz", "clustering").greater_is_better
    assert metric_names("projection") == ["trustworthiness"]
    with pytest.raises(ValueError, match=r"no metric 'roc_auc' for clustering.*There are: calinski_harabasz, .*stab"):
        find_metric("roc_auc", "clustering")


def test_of_a_large_table_no_cluster_is_missed_however_small():
    x = np.append(RANDOM.normal(size=(4_999, 2)), [[40.0, 40.0]], axis=0)
    clusters = np.append(np.zeros(4_999, int), 1)
    score = Evaluator("silhouette", [], "clustering", 0)(x, clusters)["silhouette"]
    assert score == pytest.approx(silhouette_score(x, clusters), abs=0.01)


def test_one_cluster_for_all_rows_has_no_silhouette():
    with pytest.raises(ValueError, match="1 clusters of 300 samples have no silhouette"):
        Evaluator("silhouette", [], "clustering", 0)(X, np.zeros(300, dtype=int))


def test_stability_is_1_where_names_alone_differ_and_0_by_chance():
    rows = [np.sort(RANDOM.permutation(300)[:200]) for _ in range(4)]
    renamed = [np.roll([0, 1, 2], turn)[TRUTH[some]] for turn, some in enumerate(rows)]
    assert stability(rows, renamed) == [1.0] * 4
    by_chance = [RANDOM.integers(0, 3, 200) for _ in rows]
    assert np.mean(stability(rows, by_chance)) == pytest.approx(0, abs=0.05)


def test_one_resample_that_disagrees_lowers_its_own_stability_most():
    rows = [np.sort(RANDOM.permutation(300)[:200]) for _ in range(4)]
    clusters = [TRUTH[some] for some in rows[:3]] + [(X[rows[3], 1] > 0) * 1]
    found = stability(rows, clusters)
    assert found[3] < min(found[:3]) < 1


def test_one_cluster_for_all_rows_is_not_stable_but_empty():
    rows = [np.arange(10), np.arange(5, 15)]
    assert stability(rows, [np.zeros(10, int), np.zeros(10, int)]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("path", "task"),
    [
        ("sklearn.cluster:DBSCAN", "clustering"),
        ("sklearn.cluster:Birch", "clustering"),
        ("sklearn.mixture:BayesianGaussianMixture", "clustering"),  # has predict_proba, too
        ("sklearn.manifold:Isomap", "projection"),
        ("sklearn.decomposition:NMF", "projection"),
        ("sklearn.discriminant_analysis:LinearDiscriminantAnalysis", "classification"),  # has fit_transform, too
    ],
)
def test_a_users_own_class_is_known_by_what_it_does(path, task):
    assert family_from_class(path, {}).tasks == {task}
