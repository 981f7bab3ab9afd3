"""What is wrong with a space is said before anything trains, in the model's own words."""

import pytest

from distml.models.registry import find_family
from distml.models.space import Choice, Fixed, Float, Int
from distml.models.space_check import check_space, extremes


def test_all_mistakes_of_a_space_are_found_at_once():
    space = {
        "n_estimators": Fixed(0),
        "max_dept": Int(2, 8),
        "max_features": Choice(("sqrt", "squareroot", 0.5)),
        "min_samples_leaf": Int(1, 50),
    }
    found = {
        mistake.where: mistake.what for mistake in check_space(find_family("random-forest"), space, "classification")
    }
    assert sorted(found) == ["max_dept", "max_features", "n_estimators"]
    assert "Did you mean 'max_depth'?" in found["max_dept"]
    assert "It takes: bootstrap, " in found["max_dept"]
    assert "'log2'" in found["max_features"] and "Got 'squareroot'" in found["max_features"]
    assert "[1, inf)" in found["n_estimators"] and "Got 0" in found["n_estimators"]


@pytest.mark.parametrize(
    ("family", "parameter", "domain", "words"),
    [
        ("logistic-regression", "C", Float(-1.0, 1.0), "Got -1.0"),
        ("support-vector-machine", "C", Fixed(-2), "(0.0, inf)"),
        ("k-nearest-neighbours", "weights", Choice(("uniform", "near")), "'distance'"),
        ("bagging", "max_samples", Float(0.5, 1.5), "(0.0, 1.0]"),
        ("hist-gradient-boosting", "max_leaf_nodes", Int(1, 31), "[2, inf)"),
        ("gradient-boosting", "subsample", Float(0.0, 1.0), "(0.0, 1.0]"),
        ("xgboost", "subsample", Float(0.5, 2.0), "bound [0,1]"),
        ("xgboost", "n_estimators", Fixed(0), "whole number above 0"),
        ("xgboost", "device", Fixed("gpuu"), "Invalid argument for `device`"),
    ],
)
def test_a_value_outside_the_models_domain(family, parameter, domain, words):
    (mistake,) = check_space(find_family(family), {parameter: domain}, "classification")
    assert mistake.where == parameter
    assert words in mistake.what
    assert "\n" not in mistake.what


def test_a_parameter_of_the_other_task_is_refused():
    (mistake,) = check_space(find_family("random-forest"), {"class_weight": Fixed("balanced")}, "regression")
    assert "no such parameter for regression" in mistake.what


@pytest.mark.parametrize(
    ("domain", "values"),
    [(Fixed(3), [3]), (Choice(("a", None)), ["a", None]), (Int(1, 9), [1, 9]), (Float(0.1, 0.5, log=True), [0.1, 0.5])],
)
def test_the_values_that_are_tried(domain, values):
    assert extremes(domain) == values
