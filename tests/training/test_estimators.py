"""Cohorts of estimators: they grow as if trained in one go, and a member's fault stays its own."""

import dataclasses
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier

from distml.data.task import Outline
from distml.errors import DistmlError
from distml.models.family import Family
from distml.models.metrics import Evaluator
from distml.training.estimators import EstimatorCohort, build, refit
from tests.models.families import families_for
from tests.training.credit import assignment, member

GROWING = [
    ("bagging", {"max_features": 0.5, "min_samples_leaf": 4}),
    ("random-forest", {"max_features": 0.4, "min_samples_leaf": 4, "class_weight": "balanced_subsample"}),
    ("extra-trees", {"max_features": 0.4, "min_samples_leaf": 4}),
    ("adaboost", {"learning_rate": 0.5, "max_depth": 2}),
    ("gradient-boosting", {"subsample": 0.6, "max_features": 0.5}),
    ("hist-gradient-boosting", {"max_features": 0.5, "min_samples_leaf": 10}),
    ("xgboost", {"subsample": 0.6, "colsample_bytree": 0.5}),
]


def run(cohort):
    """All results of a cohort, rung by rung, until no member has a rung left."""
    rounds = []
    while results := cohort.advance():
        rounds.append(results)
    return rounds


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize(("name", "params"), GROWING)
def test_growing_from_rung_to_rung_ends_where_training_in_one_go_does(name, params, regression):
    given = assignment(name, regression=regression, folds=2, rows=300)
    params = {key: value for key, value in params.items() if not (regression and key == "class_weight")}
    step, whole = EstimatorCohort(given), EstimatorCohort(given)
    step.admit([member(rungs=(4, 8, 20), **params)])
    whole.admit([member(rungs=(20,), **params)])
    stepwise, at_once = run(step), run(whole)
    assert [results[0].resource for results in stepwise] == [4, 8, 20]
    assert [results[0].state for results in stepwise] == ["running", "running", "finished"]
    assert stepwise[-1][0].folds == pytest.approx(at_once[-1][0].folds, rel=1e-9)
    x = given.folds[0].x_valid
    np.testing.assert_allclose(step.predict("t0001", x), whole.predict("t0001", x), rtol=1e-9)


@pytest.mark.parametrize("name", ["bagging", "random-forest", "extra-trees"])
@pytest.mark.parametrize("regression", [False, True])
def test_out_of_bag_scores_do_not_depend_on_the_rungs(name, regression):
    given = assignment(name, whole=True, regression=regression)
    step, whole = EstimatorCohort(given), EstimatorCohort(given)
    step.admit([member(rungs=(2, 5, 20), max_features=0.5)])
    whole.admit([member(rungs=(20,), max_features=0.5)])
    stepwise, at_once = run(step), run(whole)
    assert stepwise[-1][0].folds == pytest.approx(at_once[-1][0].folds, rel=1e-9)
    assert len(stepwise[0][0].folds) == 3  # rows that no tree left out at 2 trees are not scored


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("random-forest", RandomForestClassifier(oob_score=True, min_samples_leaf=5)),
        ("bagging", BaggingClassifier(oob_score=True, max_features=0.5)),
    ],
)
def test_out_of_bag_scores_are_those_of_scikit_learn(name, peer):
    given = assignment(name, whole=True)
    params = {key: peer.get_params()[key] for key in ("min_samples_leaf", "max_features") if key in peer.get_params()}
    cohort = EstimatorCohort(given)
    cohort.admit([member(rungs=(10, 60), **params)])
    last = run(cohort)[-1][0]
    peer.set_params(n_estimators=60, random_state=3).fit(given.whole.x_train, given.whole.y_train)
    expected = [
        given.evaluator(fold.y_valid, peer.oob_decision_function_[fold.valid_rows])["roc_auc"] for fold in given.folds
    ]
    assert last.folds == pytest.approx(expected, rel=1e-9)
    assert last.scores["roc_auc"] == pytest.approx(np.mean(expected))
    assert cohort.predict("t0001", given.folds[0].x_valid).shape == (1, 200, 2)


def test_without_bootstrap_samples_a_forest_validates_on_folds():
    given = assignment("random-forest", whole=True)
    cohort = EstimatorCohort(given)
    cohort.admit([member(rungs=(5,), bootstrap=False)])
    assert run(cohort)[0][0].state == "finished"
    assert cohort.predict("t0001", given.folds[0].x_valid).shape == (3, 200, 2)


@pytest.mark.parametrize("name", families_for("classification"))
def test_each_family_learns_something(name):
    given = assignment(name, folds=2)
    growth = given.family.growth
    cohort = EstimatorCohort(given)
    cohort.admit([member(rungs=(10,) if growth else (1,))])
    result = run(cohort)[0][0]
    assert result.state == "finished", result.failure
    assert result.scores["roc_auc"] > 0.58
    assert 0 < result.scores["brier"] < 0.5
    assert result.seconds > 0
    prediction = cohort.predict("t0001", given.folds[0].x_valid)
    assert prediction.shape == (2, 300, 2)
    np.testing.assert_allclose(prediction.sum(axis=2), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", families_for("regression"))
def test_each_regressor_beats_the_mean(name):
    given = assignment(name, regression=True, folds=2)
    cohort = EstimatorCohort(given)
    pruned = {"max_depth": 4} if name == "decision-tree" else {}
    cohort.admit([member(rungs=(40,) if given.family.growth else (1,), **pruned)])
    result = run(cohort)[0][0]
    assert result.state == "finished", result.failure
    assert result.scores["r2"] > 0.1
    assert cohort.predict("t0001", given.folds[0].x_valid).shape == (2, 300)


def test_members_have_rungs_of_their_own_and_newcomers_start_at_their_first():
    cohort = EstimatorCohort(assignment("extra-trees", folds=2, rows=200))
    cohort.admit([member("t0001", rungs=(2, 4)), member("t0002", rungs=(3,))])
    assert [(r.trial, r.resource, r.state) for r in cohort.advance()] == [
        ("t0001", 2, "running"),
        ("t0002", 3, "finished"),
    ]
    cohort.admit([member("t0003", rungs=(5, 9))])
    assert [(r.trial, r.resource) for r in cohort.advance()] == [("t0001", 4), ("t0003", 5)]
    assert [(r.trial, r.resource) for r in cohort.advance()] == [("t0003", 9)]
    assert cohort.advance() == []


def test_a_released_member_trains_no_more_and_frees_its_models():
    cohort = EstimatorCohort(assignment("extra-trees", folds=2, rows=200))
    cohort.admit([member("t0001", rungs=(2, 4)), member("t0002", rungs=(2, 4))])
    cohort.advance()
    model = weakref.ref(cohort._members["t0001"].models[0])
    cohort.release(["t0001"])
    gc.collect()
    assert model() is None
    assert [result.trial for result in cohort.advance()] == ["t0002"]


def test_a_seed_decides_the_score_and_the_company_does_not():
    given = assignment("random-forest", whole=True, rows=300)
    alone, together = EstimatorCohort(given), EstimatorCohort(given)
    alone.admit([member("t0002", rungs=(4, 8), seed=5)])
    together.admit([member("t0001", rungs=(4, 8), seed=4), member("t0002", rungs=(4, 8), seed=5)])
    expected = run(alone)[-1][0].folds
    others = {result.trial: result.folds for result in run(together)[-1]}
    assert others["t0002"] == expected
    assert others["t0001"] != expected


def test_a_members_fault_is_its_own_result():
    cohort = EstimatorCohort(assignment("decision-tree", folds=2, rows=200))
    cohort.admit([member("t0001", max_depth=-4), member("t0002", max_depth=4)])
    failed, finished = cohort.advance()
    assert (failed.trial, failed.state) == ("t0001", "failed")
    assert "max_depth" in failed.failure.error
    assert "Traceback" in failed.failure.traceback
    assert finished.state == "finished"
    assert cohort.advance() == []


class _Faulty(ClassifierMixin, BaseEstimator):
    """An estimator that does what a test asks of it."""

    def __init__(self, fault="", random_state=None):
        self.fault = fault
        self.random_state = random_state

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        if self.fault == "memory":
            raise MemoryError("Unable to allocate 3.1 GiB")
        if self.fault == "data":
            raise ValueError("Input X contains NaN.")
        if self.fault == "code":
            raise TypeError("fit() got an unexpected keyword")
        return self

    def predict_proba(self, x):
        value = float("nan") if self.fault == "diverged" else 0.5
        return np.full((len(x), len(self.classes_)), value)


@pytest.fixture
def faulty():
    family = Family("faulty", "estimator", lambda params, outline, seed: _Faulty(**params), {})
    return dataclasses.replace(assignment("decision-tree", folds=2, rows=200), family=family)


@pytest.mark.parametrize("kind", ["memory", "data", "code"])
def test_failures_have_classes(faulty, kind):
    cohort = EstimatorCohort(faulty)
    cohort.admit([member(fault=kind)])
    result = cohort.advance()[0]
    assert (result.state, result.failure.kind) == ("failed", kind)


def test_a_prediction_that_is_not_finite_is_a_divergence(faulty):
    cohort = EstimatorCohort(faulty)
    cohort.admit([member(rungs=(1, 2), fault="diverged")])
    result = cohort.advance()[0]
    assert (result.state, result.failure) == ("diverged", None)
    assert cohort.advance() == []


def test_a_metric_that_no_fold_defines_fails_as_data(faulty):
    folds = [dataclasses.replace(fold, y_valid=np.zeros_like(fold.y_valid)) for fold in faulty.folds]
    cohort = EstimatorCohort(dataclasses.replace(faulty, folds=folds))
    cohort.admit([member()])
    result = cohort.advance()[0]
    assert (result.state, result.failure.kind) == ("failed", "data")
    assert "roc_auc is not defined on any fold" in result.failure.error


def test_a_fold_without_positives_counts_for_nothing():
    given = assignment("naive-bayes", folds=2)
    first, second = given.folds
    empty = dataclasses.replace(first, y_valid=np.zeros_like(first.y_valid))
    cohort = EstimatorCohort(dataclasses.replace(given, folds=[empty, second]))
    cohort.admit([member()])
    result = cohort.advance()[0]
    assert np.isnan(result.folds[0])
    assert result.scores["roc_auc"] == result.folds[1]


def test_a_class_that_no_training_row_has_gets_a_column_of_zeros():
    given = assignment("naive-bayes", folds=2)
    three = Outline("classification", 20, (10,), classes=3)
    evaluator = Evaluator("log_loss", [], "classification", 3)
    cohort = EstimatorCohort(dataclasses.replace(given, outline=three, evaluator=evaluator))
    cohort.admit([member()])
    cohort.advance()
    prediction = cohort.predict("t0001", given.folds[0].x_valid)
    assert prediction.shape == (2, 300, 3)
    assert (prediction[:, :, 2] == 0).all()


def test_refit_trains_on_all_rows_to_full_size():
    given = assignment("random-forest", whole=True)
    model = refit(given, member(rungs=(5, 12), min_samples_leaf=3))
    peer = RandomForestClassifier(12, min_samples_leaf=3, random_state=3).fit(given.whole.x_train, given.whole.y_train)
    x = given.folds[0].x_valid
    np.testing.assert_array_equal(model.predict_proba(x), peer.predict_proba(x))


def test_threads_change_nothing_but_the_time():
    given = assignment("logistic-regression", folds=2)
    one, two = EstimatorCohort(given), EstimatorCohort(dataclasses.replace(given, threads=2))
    one.admit([member()])
    two.admit([member()])
    assert two.advance()[0].folds == pytest.approx(one.advance()[0].folds, rel=1e-6)


def test_estimators_are_not_saved(tmp_path: Path):
    cohort = EstimatorCohort(assignment("naive-bayes"))
    assert cohort.save(tmp_path / "cohort") is False
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DistmlError, match="not saved between rungs"):
        cohort.restore(tmp_path / "cohort")


def test_xgboost_trains_where_the_cohort_is_put():
    given = dataclasses.replace(assignment("xgboost"), device="cuda")
    assert build(given, member()).get_params()["device"] == "cuda"
    assert build(given, member(device="cpu")).get_params()["device"] == "cpu"  # the user's word goes first


def test_what_ran_on_no_gpu_has_no_gpu_seconds():
    cohort = EstimatorCohort(assignment("xgboost", folds=2, rows=200))
    cohort.admit([member(rungs=(3,))])
    assert cohort.advance()[0].gpu_seconds is None
