"""Scores agree with scikit-learn and SciPy, and say what they cannot do."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from distml.models.metrics import Evaluator, Metric, batched_roc_auc, find_metric, metric_names


@pytest.fixture
def binary():
    rng = np.random.default_rng(3)
    y = (rng.random(2_000) < 0.22).astype(np.int64)
    score = np.clip(np.round(rng.normal(0.3 + 0.2 * y, 0.2), 2), 0.0, 1.0)  # many ties
    return y, np.stack([1 - score, score], axis=1)


@pytest.fixture
def ternary():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 600)
    raw = rng.random((600, 3)) + 0.7 * np.eye(3)[y]
    return y, raw / raw.sum(axis=1, keepdims=True)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 300).flatmap(
        lambda rows: st.tuples(
            st.lists(st.integers(0, 1), min_size=rows, max_size=rows).filter(lambda y: 0 < sum(y) < len(y)),
            st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0]), min_size=rows, max_size=rows),
        )
    )
)
def test_batched_roc_auc_counts_ties_as_scikit_learn_does(table):
    y, coarse = np.array(table[0]), np.array(table[1])
    scores = np.stack([coarse, np.sin(np.arange(len(y)) * coarse), -coarse])
    expected = [roc_auc_score(y, member) for member in scores]
    assert batched_roc_auc(y, scores) == pytest.approx(expected, abs=1e-12)


def test_batched_roc_auc_is_nan_for_a_missing_class_and_for_the_member_with_a_nan():
    scores = np.array([[0.1, 0.9, 0.4], [0.1, np.nan, 0.4]])
    assert np.isnan(batched_roc_auc(np.zeros(3, int), scores)).all()
    first, second = batched_roc_auc(np.array([0, 1, 0]), scores)
    assert first == 1.0
    assert np.isnan(second)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_credit_scores_of_two_classes(binary, dtype):
    y, prediction = binary[0], binary[1].astype(dtype)
    score = prediction[:, 1]
    got = Evaluator("roc_auc", ["gini", "ks", "brier", "log_loss", "average_precision", "f1"], "classification", 2)(
        y, prediction
    )
    auc = roc_auc_score(y, score)
    assert got == pytest.approx(
        {
            "roc_auc": auc,
            "gini": 2 * auc - 1,
            "ks": ks_2samp(score[y == 1], score[y == 0]).statistic,
            "brier": brier_score_loss(y, score),
            "log_loss": log_loss(y, prediction),
            "average_precision": average_precision_score(y, score),
            "f1": f1_score(y, score > 0.5),
        },
        rel=1e-6 if dtype is np.float32 else 1e-12,
    )


def test_the_distance_counts_whichever_side_lies_above(binary):
    y, prediction = binary
    swapped = Evaluator("ks", [], "classification", 2)(y, prediction[:, ::-1])
    assert swapped == pytest.approx({"ks": ks_2samp(prediction[y == 1, 0], prediction[y == 0, 0]).statistic})


def test_scores_of_three_classes(ternary):
    y, prediction = ternary
    got = Evaluator("roc_auc", ["gini", "log_loss", "brier", "f1_macro"], "classification", 3)(y, prediction)
    auc = roc_auc_score(y, prediction, multi_class="ovr", average="macro")
    assert got == pytest.approx(
        {
            "roc_auc": auc,
            "gini": 2 * auc - 1,
            "log_loss": log_loss(y, prediction),
            "brier": brier_score_loss(y, prediction),
            "f1_macro": f1_score(y, prediction.argmax(axis=1), average="macro"),
        },
        rel=1e-12,
    )


def test_scores_of_values():
    y, prediction = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    got = Evaluator("rmse", ["r2", "neg_mean_absolute_error", "mae"], "regression", 0)(y, prediction)
    assert got == pytest.approx(
        {
            "rmse": root_mean_squared_error(y, prediction),
            "r2": r2_score(y, prediction),
            "neg_mean_absolute_error": -0.5,
            "mae": 0.5,
        }
    )


@pytest.mark.parametrize(
    ("name", "task", "greater"),
    [
        ("roc_auc", "classification", True),
        ("neg_log_loss", "classification", True),
        ("log_loss", "classification", False),
        ("brier", "classification", False),
        ("gini", "classification", True),
        ("rmse", "regression", False),
        ("neg_root_mean_squared_error", "regression", True),
        ("root_mean_squared_error", "regression", False),
        ("r2", "regression", True),
    ],
)
def test_direction_of_known_metrics(name, task, greater):
    assert find_metric(name, task) == Metric(name, greater)


def test_every_metric_of_a_task_scores_a_prediction(binary):
    y, prediction = binary
    for name in metric_names("classification"):
        assert np.isfinite(Evaluator(name, [], "classification", 2)(y, prediction)[name])
    for name in metric_names("regression"):
        assert np.isfinite(Evaluator(name, [], "regression", 0)(y + 1.0, prediction[:, 1] + 0.1)[name])


def test_a_fold_without_positives_is_not_a_crash(binary):
    y, prediction = np.zeros(50, int), binary[1][:50]
    got = Evaluator("roc_auc", ["gini", "ks", "average_precision", "brier"], "classification", 2)(y, prediction)
    assert [np.isnan(got[name]) for name in ("roc_auc", "gini", "ks", "average_precision")] == [True] * 4
    assert got["brier"] == pytest.approx(np.mean(prediction[:, 1] ** 2))


def test_a_fold_without_one_of_three_classes_is_nan(ternary):
    y, prediction = ternary[0] % 2, ternary[1]
    got = Evaluator("roc_auc", ["roc_auc_ovr", "log_loss"], "classification", 3)(y, prediction)
    assert np.isnan(got["roc_auc"]) and np.isnan(got["roc_auc_ovr"])
    assert got["log_loss"] == pytest.approx(log_loss(y, prediction, labels=[0, 1, 2]))


def test_a_reported_metric_that_does_not_take_the_values_is_nan_and_the_sweeps_own_an_error():
    y, prediction = np.array([1.0, 2.0, 4.0]), np.array([1.5, -2.0, 3.0])
    got = Evaluator("rmse", ["mean_squared_log_error", "mae"], "regression", 0)(y, prediction)
    assert np.isnan(got["mean_squared_log_error"])
    assert (got["rmse"], got["mae"]) == pytest.approx((root_mean_squared_error(y, prediction), 5.5 / 3))
    with pytest.raises(ValueError, match="Logarithmic"):
        Evaluator("mean_squared_log_error", [], "regression", 0)(y, prediction)


def test_an_unknown_metric_names_its_neighbour_and_all_the_others():
    with pytest.raises(ValueError, match=r"no metric 'roc-auc'.*Did you mean 'roc_auc'\?.*gini.*ks"):
        find_metric("roc-auc", "classification")


def test_a_metric_of_the_other_task_is_refused():
    with pytest.raises(ValueError, match="no metric 'rmse' for classification"):
        find_metric("rmse", "classification")
    with pytest.raises(ValueError, match="no metric 'gini' for regression"):
        Evaluator("r2", ["gini"], "regression", 0)


def test_a_metric_of_two_classes_is_refused_for_three():
    with pytest.raises(ValueError, match="metric 'f1' is not defined for 3 classes"):
        Evaluator("f1", [], "classification", 3)


def test_an_evaluator_pickles(binary):
    evaluator = Evaluator("roc_auc", ["average_precision"], "classification", 2)
    assert pickle.loads(pickle.dumps(evaluator))(*binary) == evaluator(*binary)
    assert len(pickle.dumps(evaluator)) < 500
