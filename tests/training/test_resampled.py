"""Cohorts without a target: what is there is found, and a member's fault stays its own."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from distml.data.splits import resample_rows
from distml.data.task import FoldArrays, Outline
from distml.errors import DistmlError
from distml.models.custom import family_from_class
from distml.models.metrics import Evaluator
from distml.models.registry import find_family
from distml.training.cohort import Assignment
from distml.training.resampled import ResampledCohort, describe_whole
from distml.training.start import start_cohort
from tests.models.families import families_for
from tests.training.credit import member

X, TRUTH = make_blobs(240, n_features=6, centers=3, cluster_std=1.0, random_state=4)
X = X.astype(np.float32)
REPORT = {
    "clustering": ["silhouette", "davies_bouldin", "calinski_harabasz", "stability"],
    "projection": ["trustworthiness"],
}


def assignment(family, task):
    arrays = [
        FoldArrays(X[rows], np.zeros(len(rows)), X[rows], np.zeros(len(rows)), rows, rows)
        for rows, _ in resample_rows(len(X), resamples=3, left_out=0.3, seed=1).folds
    ]
    everything = np.arange(len(X))
    whole = FoldArrays(X, np.zeros(len(X)), X[:0], np.zeros(0), everything, everything[:0])
    metric, *report = REPORT[task]
    return Assignment(family, Outline(task, X.shape[1], (), 0), arrays, Evaluator(metric, report, task, 0), whole)


def result(given, **params):
    cohort = ResampledCohort(given)
    cohort.admit([member(**params)])
    return cohort.advance()[0]


def settings_for(name):
    return {"n_components" if name == "gaussian-mixture" else "n_clusters": 3}


@pytest.mark.parametrize("name", families_for("clustering"))
def test_each_clustering_finds_three_blobs(name):
    given = assignment(find_family(name), "clustering")
    found = result(given, **settings_for(name))
    assert found.state == "finished", found.failure
    assert found.scores["silhouette"] > 0.5 and found.scores["davies_bouldin"] < 0.8
    assert found.scores["stability"] == 1.0
    assert len(found.folds) == 3 and np.mean(found.folds) == pytest.approx(found.scores["silhouette"])
    assert adjusted_rand_score(TRUTH, describe_whole(given, member(**settings_for(name)))) == 1.0


@pytest.mark.parametrize("name", families_for("clustering"))
def test_more_clusters_than_there_are_are_less_stable(name):
    given = assignment(find_family(name), "clustering")
    key = next(iter(settings_for(name)))
    assert result(given, **{key: 8}).scores["stability"] < 0.9


@pytest.mark.parametrize(("name", "params"), [("pca", {}), ("t-sne", {"perplexity": 20.0, "max_iter": 300})])
def test_each_projection_keeps_neighbours(name, params):
    given = assignment(find_family(name), "projection")
    found = result(given, **params)
    assert found.state == "finished", found.failure
    assert 0.75 < found.scores["trustworthiness"] <= 1
    assert describe_whole(given, member(**params)).shape == (240, 2)
    assert found.scores == result(given, **params).scores


def test_a_users_own_clusterer_works_as_well():
    family = family_from_class("sklearn.cluster:DBSCAN", {})
    given = assignment(family, "clustering")
    cohort, reason = start_cohort(given, {})
    assert "each resample" in reason
    cohort.admit([member("good", eps=3.0), member("blind", eps=1e-6)])
    good, blind = cohort.advance()
    assert good.state == "finished" and good.scores["stability"] > 0.8
    assert (blind.state, blind.failure.kind) == ("failed", "data")
    assert "have no silhouette" in blind.failure.error


def test_it_predicts_no_rows_it_was_not_fitted_on():
    cohort = ResampledCohort(assignment(find_family("k-means"), "clustering"))
    cohort.admit([member(n_clusters=3)])
    cohort.advance()
    with pytest.raises(DistmlError, match="no others"):
        cohort.predict("t0001", X)
    with pytest.raises(DistmlError, match="nothing that could be validated"):
        cohort.validation("t0001")
