"""A user's own class as a family, and what can be wrong with it."""

import sys
import textwrap

import pytest

from distml.data.task import Outline
from distml.models.custom import family_from_class
from distml.models.space import Choice, Fixed, Float, Int
from distml.models.space_check import check_space

OUTLINE = Outline("classification", features=3, classes=2)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a user's module and give its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(code):
        name = f"users_{len(list(tmp_path.iterdir()))}_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        return name

    yield write
    for name in [name for name in sys.modules if name.startswith("users_")]:
        del sys.modules[name]


ESTIMATOR = """
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.linear_model import LogisticRegression

    class Scaled(ClassifierMixin, BaseEstimator):
        def __init__(self, strength=1.0, random_state=None):
            self.strength = strength
            self.random_state = random_state

        def fit(self, x, y):
            self.model_ = LogisticRegression(C=self.strength).fit(x, y)
            self.classes_ = self.model_.classes_
            return self

        def predict(self, x):
            return self.model_.predict(x)

        def predict_proba(self, x):
            return self.model_.predict_proba(x)
"""

NETWORK = """
    import pytorch_lightning as pl
    import torch

    class Net(pl.LightningModule):
        def __init__(self, features, classes, width=8, lr=1e-3, **rest):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(features, classes)
"""


def test_an_estimator_takes_its_parameters_and_the_trials_seed(module):
    family = family_from_class(f"{module(ESTIMATOR)}:Scaled", {"strength": Float(0.1, 1.0)})
    model = family.build({"strength": 0.3}, OUTLINE, 17)
    assert (family.engine, family.tasks, family.resource) == ("estimator", {"classification"}, None)
    assert (model.strength, model.random_state) == (0.3, 17)


def test_scikit_learns_own_classes_can_be_named_and_say_what_they_refuse():
    family = family_from_class("sklearn.linear_model:Ridge", {"alpha": Float(0.1, 1.0)})
    assert family.tasks == {"ranking", "regression"}
    (mistake,) = check_space(family, {"alpha": Float(-1.0, 1.0)}, "regression")
    assert "'alpha' parameter of Ridge must be" in mistake.what


def test_a_lightning_module_is_told_of_the_table_and_not_of_training(module):
    space = {"width": Int(4, 8), "lr": Float(1e-4, 1e-2, log=True), "epochs": Fixed(3), "batch_size": Choice((64, 128))}
    family = family_from_class(f"{module(NETWORK)}:Net", space)
    model = family.build({"width": 4, "lr": 0.01, "epochs": 3, "batch_size": 64}, OUTLINE, 5)
    assert (family.engine, family.resource) == ("network", "epochs")
    assert model.layer.weight.shape == (2, 3)
    assert dict(model.hparams) == {"features": 3, "classes": 2, "width": 4, "lr": 0.01}
    assert not family.structural  # that is found out later, see distml.training.structure


def test_a_lightning_modules_weights_follow_from_the_seed(module):
    family = family_from_class(f"{module(NETWORK)}:Net", {})
    first, again, other = (family.build({}, OUTLINE, seed).layer.weight for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


def refused(import_path, space=None):
    with pytest.raises(ValueError) as caught:
        family_from_class(import_path, space or {})
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_path_without_a_class():
    assert "as 'package.module:Class'" in refused("sklearn.linear_model.Ridge")


def test_a_module_that_is_not_there():
    assert "importing 'no_such_module' raised ModuleNotFoundError" in refused("no_such_module:Model")


def test_a_module_that_raises_at_import(module):
    name = module("raise OSError('no licence file')")
    assert refused(f"{name}:Model") == f"importing {name!r} raised OSError: no licence file"
    name = module("import sys; sys.exit(3)")
    assert refused(f"{name}:Model") == f"importing {name!r} raised SystemExit: 3"


def test_a_class_that_is_not_in_its_module(module):
    assert "Did you mean 'Scaled'?" in refused(f"{module(ESTIMATOR)}:Scaler")


def test_a_function_is_not_a_class():
    assert "is a function, not a class" in refused("sklearn.base:clone")


def test_a_class_that_is_no_model():
    assert "neither a scikit-learn estimator nor a LightningModule" in refused("collections:OrderedDict")


def test_parameters_that_the_class_lacks(module):
    message = refused(f"{module(ESTIMATOR)}:Scaled", {"strenght": Fixed(1.0), "width": Fixed(3)})
    assert "'strenght'. Did you mean 'strength'?" in message
    assert "'width'" in message
    assert "It takes: random_state, strength" in message


def test_a_class_that_cannot_be_made(module):
    code = ESTIMATOR.replace("self.strength = strength\n", "self.strength = 1 / 0\n", 1)
    assert "cannot be made: ZeroDivisionError" in refused(f"{module(code)}:Scaled")


def test_a_class_that_does_not_pickle(module):
    code = "    import threading\n" + ESTIMATOR.replace(
        "self.strength = strength\n", "self.lock = threading.Lock()\n", 1
    )
    assert "does not pickle: TypeError: cannot pickle '_thread.lock' object" in refused(f"{module(code)}:Scaled")
