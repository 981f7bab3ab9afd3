"""A user's own model as a family, by import path: a scikit-learn estimator or a LightningModule."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import cloudpickle

from distml.data.task import Outline, Task
from distml.errors import did_you_mean
from distml.models.family import Family, Params
from distml.models.space import Space
from distml.models.space_check import extremes

# What training a LightningModule takes besides the module itself.
_TRAINING = frozenset({"epochs", "batch_size"})
_OUTLINE = ("features", "classes", "cardinalities", "task", "further")  # what a LightningModule is told of the table


def family_from_class(import_path: str, space: Space) -> Family:
    """Make a family of a class that the user names as 'package.module:Class'.

    An estimator's `random_state`, where it has one, is the trial's seed. A LightningModule may take what its __init__
    names of: features, classes, cardinalities, task, further (see Outline); one that names `further` learns the further
    targets, too. Which of its parameters decide the structure is left
    open here: `distml.training.structure` finds out.

    Raises:
        ValueError: the class cannot be imported, is neither kind of model, lacks a parameter of the space, or does not
            pickle; one line that says which.
    """
    kind = _import_class(import_path)
    engine = _engine(kind, import_path)
    network = engine == "network"
    known = _signature(kind) | (_TRAINING if network else frozenset())
    if _takes_anything(kind):
        known |= frozenset(space)
    unknown = [name for name in space if name not in known]
    if unknown:
        hints = ", ".join(f"{name!r}.{did_you_mean(name, known)}" for name in unknown)
        raise ValueError(f"{kind.__name__} has no parameter {hints} It takes: {', '.join(sorted(known)) or 'nothing'}")
    family = Family(
        name=import_path,
        engine=engine,
        build=_Builder(kind, engine),
        space=space,
        tasks=_tasks(kind),
        resource="epochs" if network else None,
        parameters=known,
        takes_further=network and "further" in known,
        check=_Check(kind),
    )
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
            return self.kind(**{**({"random_state": seed} if "random_state" in takes else {}), **params})
        import torch

        told = {name: getattr(outline, name) for name in _OUTLINE}
        if _takes_anything(self.kind):
            takes |= frozenset(params) - _TRAINING
        torch.manual_seed(seed)
        return self.kind(**{name: value for name, value in {**told, **params}.items() if name in takes})


class _Check:
    """What scikit-learn's own classes, and those made of them, say on a value; others are asked in training."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __call__(self, params: Params, task: Task) -> None:
        constraints = getattr(self.kind, "_parameter_constraints", None)
        if constraints:
            from sklearn.utils._param_validation import validate_parameter_constraints

            validate_parameter_constraints(constraints, dict(params), caller_name=self.kind.__name__)


def _import_class(import_path: str) -> type:
    module_name, _, attribute = import_path.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{import_path!r} does not name a class as 'package.module:Class'")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything at all
        where = f"; it is looked for in {Path.cwd()} and among what is installed"
        lost = isinstance(error, ModuleNotFoundError) and error.name == module_name.split(".")[0]
        raise ValueError(f"importing {module_name!r} raised {_first_line(error)}{where if lost else ''}") from error
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
    lacks = [method for method in ("fit", "get_params", "set_params") if not hasattr(kind, method)]
    if not any(hasattr(kind, method) for method in ("predict", "fit_predict", "fit_transform")):
        lacks.append("predict (or fit_predict, to cluster; or fit_transform, to project)")
    if not lacks:
        return "estimator"
    what = "is neither a scikit-learn estimator nor a LightningModule"
    raise ValueError(f"{import_path!r} {what}; to be an estimator it lacks {', '.join(lacks)}")


def _tasks(kind: type) -> frozenset[Task]:
    if hasattr(kind, "fit_predict"):  # before predict_proba, which mixtures have, too
        return frozenset({"clustering"})
    if hasattr(kind, "predict_proba"):
        return frozenset({"classification"})
    bases = {base.__name__ for base in kind.__mro__}
    if "RegressorMixin" in bases:
        return frozenset({"regression", "ranking"})
    if hasattr(kind, "fit_transform") and not hasattr(kind, "predict"):
        return frozenset({"projection"})
    return frozenset({"classification", "regression", "ranking"})


def _signature(kind: type) -> frozenset[str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(name for name, parameter in inspect.signature(kind).parameters.items() if parameter.kind in named)


def _takes_anything(kind: type) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(kind).parameters.values())


def _try_out(family: Family) -> None:
    """Make one, and send it through pickle as it will travel between processes."""
    task: Task = min(family.tasks)
    params: Mapping[str, Any] = {name: extremes(domain)[0] for name, domain in family.space.items()}
    try:
        model = family.build(params, Outline(task=task, features=2, classes=2 if task == "classification" else 0), 0)
    except Exception as error:  # a user's class may raise anything at all
        told = "; distml gives it the parameters of its space, and those it names of " + ", ".join(_OUTLINE)
        hint = told if family.engine == "network" else ""
        raise ValueError(f"{family.name} cannot be made: {_first_line(error)}{hint}") from error
    try:
        cloudpickle.dumps((family.build, model))
    except Exception as error:  # pickling runs the user's code too
        raise ValueError(f"{family.name} does not pickle: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
