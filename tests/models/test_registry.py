"""Families are found by name, each with a space that its own model accepts."""

import subprocess
import sys

import pytest

from distml.data.task import Outline
from distml.models import registry
from distml.models.registry import default_space, find_family, parameter_names
from distml.models.space_check import check_space, extremes
from tests.models.families import families_for

ESTIMATORS = families_for("classification", "regression", "clustering", "projection")


def test_an_unknown_family_names_its_neighbour_and_all_the_others():
    with pytest.raises(ValueError, match=r"no family 'random-florest'. Did you mean 'random-forest'\?.*adaboost"):
        find_family("random-florest")


def test_a_missing_extra_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setitem(registry._PLACES, "xgboost", "distml.models.no_such_library:XGBOOST")
    with pytest.raises(ValueError, match=r"pip install 'distml\[xgboost\]'"):
        find_family("xgboost")


@pytest.mark.parametrize("name", ["scoring-network", *ESTIMATORS])
def test_each_family_accepts_its_own_space(name):
    family = find_family(name)
    assert family.name == name
    for task in family.tasks:
        assert check_space(family, default_space(family, task), task) == []


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_estimator_takes_the_ends_of_its_space_and_the_seed(name):
    family = find_family(name)
    for task in sorted(family.tasks):
        space = default_space(family, task)
        outline = Outline(task, features=4, cardinalities=(3,), classes=2 if task == "classification" else 0)
        for end in (0, -1):
            params = {parameter: extremes(domain)[end] for parameter, domain in space.items()}
            settings = family.build(params, outline, 11).get_params()
            for parameter, value in params.items():
                assert value in [v for path, v in settings.items() if path.split("__")[-1] == parameter]
            assert {v for path, v in settings.items() if path.split("__")[-1] == "random_state"} <= {11}


def test_a_regressors_space_has_no_class_weight():
    family = find_family("random-forest")
    assert "class_weight" in default_space(family, "classification")
    assert "class_weight" not in default_space(family, "regression")


def test_what_distml_sets_itself_is_not_a_users_to_set():
    names = parameter_names(find_family("random-forest"), "classification")
    assert "max_features" in names
    assert not names & {"random_state", "n_jobs", "warm_start", "oob_score", "verbose"}


def test_a_wrapped_estimators_parameters_go_by_their_own_names():
    bagging = find_family("bagging").build({"max_features": 0.5, "max_depth": 7}, Outline("classification", 3), 0)
    assert bagging.max_features == 0.5  # the ensemble's own, not that of its trees
    assert bagging.estimator.max_depth == 7
    machine = find_family("support-vector-machine").build({"C": 0.5, "gamma": 0.1}, Outline("classification", 3), 0)
    assert machine.get_params()["estimator__linearsvc__C"] == 0.5
    assert machine.get_params()["estimator__nystroem__gamma"] == 0.1


def test_an_unknown_parameter_is_refused_when_building():
    with pytest.raises(ValueError, match="has no parameter 'max_dept'"):
        find_family("decision-tree").build({"max_dept": 3}, Outline("classification", 3), 0)


def test_columns_of_codes_are_split_as_categories():
    outline = Outline("classification", features=5, cardinalities=(4, 300))
    histograms = find_family("hist-gradient-boosting").build({}, outline, 0)
    assert histograms.categorical_features == [3]  # 300 categories are more than the histogram's bins
    trees = find_family("xgboost").build({}, outline, 0)
    assert trees.feature_types == ["q", "q", "q", "c", "c"]


def test_names_alone_import_no_library():
    code = (
        "import sys; from distml.models.registry import family_names; family_names(); "
        "print(sorted({'sklearn', 'torch', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_an_estimator_family_imports_no_torch():
    code = (
        "import sys; from distml.models.registry import find_family; find_family('random-forest'); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
