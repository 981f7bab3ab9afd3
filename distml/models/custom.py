"""A user's own model as a family, by import path: a scikit-learn estimator or a LightningModule."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

import cloudpickle

from distml.data.task import Outline, Task
from distml.errors import did_you_mean
from distml.models.family import Family, Params
from distml.models.space import Space
from distml.models.space_check import extremes

# What training a LightningModule takes besides the module itself.
_TRAINING = frozenset({"epochs", "batch_size"})


def family_from_class(import_path: str, space: Space) -> Family:
    """Make a family of a class that the user names as 'package.module:Class'.

    An estimator's `random_state`, where it has one, is the trial's seed. A LightningModule may take what its __init__
    names of: features, classes, cardinalities, task (see Outline).

    Raises:
        ValueError: the class cannot be imported, is neither kind of model, lacks a parameter of the space, or does not
            pickle; one line that says which.
    """
    kind = _import_class(import_path)
    engine = _engine(kind, import_path)
    family = Family(
        name=import_path,
        engine=engine,
        build=_Builder(kind, engine),
        space=space,
        tasks=_tasks(kind),
        resource="epochs" if engine == "network" else None,
        parameters=_signature(kind) | (_TRAINING if engine == "network" else frozenset()),
    )
    _refuse_unknown(family, kind)
    _try_out(family)
    return family


class _Builder:
    """Makes one model of a user's class; an object rather than a closure, so that it travels to other processes."""

    def __init__(self, kind: type, engine: str) -> None:
        self.kind = kind
        self.engine = engine

    def __call__(self, params: Params, outline: Outline, seed: int) -> Any:
        takes = _signature(self.kind)
        if self.engine == "estimator":
            return self.kind(**params, **({"random_state": seed} if "random_state" in takes else {}))
        import torch

        told = {name: getattr(outline, name) for name in ("features", "classes", "cardinalities", "task")}
        given = {name: value for name, value in {**told, **params}.items() if name in takes}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.kind(**given)


def _import_class(import_path: str) -> type:
    module_name, _, attribute = import_path.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{import_path!r} does not name a class as 'package.module:Class'")
    try:
        module = import_module(module_name)
    except Exception as error:  # a user's module may raise anything at all
        raise ValueError(f"importing {module_name!r} raised {type(error).__name__}: {error}") from error
    kind = getattr(module, attribute, None)
    if kind is None:
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        raise ValueError(f"module {module_name!r} has no {attribute!r}.{did_you_mean(attribute, classes)}")
    if not inspect.isclass(kind):
        raise ValueError(f"{import_path!r} is a {type(kind).__name__}, not a class")
    return kind


def _engine(kind: type, import_path: str) -> Literal["estimator", "network"]:
    """Told by the names of the bases, so that scikit-learn users do not import torch."""
    if any(base.__name__ == "LightningModule" for base in kind.__mro__):
        return "network"
    if all(hasattr(kind, method) for method in ("fit", "predict", "get_params", "set_params")):
        return "estimator"
    raise ValueError(f"{import_path!r} is neither a scikit-learn estimator nor a LightningModule")


def _tasks(kind: type) -> frozenset[Task]:
    if hasattr(kind, "predict_proba"):
        return frozenset({"classification"})
    bases = {base.__name__ for base in kind.__mro__}
    if "RegressorMixin" in bases:
        return frozenset({"regression"})
    return frozenset({"classification", "regression"})


def _signature(kind: type) -> frozenset[str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(name for name, parameter in inspect.signature(kind).parameters.items() if parameter.kind in named)


def _refuse_unknown(family: Family, kind: type) -> None:
    known = family.parameters
    for name in family.space:
        if name not in known:
            takes = ", ".join(sorted(known)) or "nothing"
            raise ValueError(f"{kind.__name__} has no parameter {name!r}.{did_you_mean(name, known)} It takes: {takes}")


def _try_out(family: Family) -> None:
    """Make one, and send it through pickle as it will travel between processes."""
    task: Task = min(family.tasks)
    params: Mapping[str, Any] = {name: extremes(domain)[0] for name, domain in family.space.items()}
    try:
        model = family.build(params, Outline(task=task, features=2, classes=2 if task == "classification" else 0), 0)
    except Exception as error:  # a user's class may raise anything at all
        raise ValueError(f"{family.name} cannot be made: {type(error).__name__}: {error}") from error
    try:
        cloudpickle.dumps((family.build, model))
    except Exception as error:  # pickling runs the user's code too
        raise ValueError(f"{family.name} does not pickle: {type(error).__name__}: {error}") from error
