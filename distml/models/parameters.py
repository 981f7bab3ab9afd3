"""An estimator's hyperparameters under short names, and what scikit-learn has to say on their values."""

from collections.abc import Mapping

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from distml.models.space import Value

# Not a user's to set: distml derives the seed, hands out the threads, grows ensembles and puts estimators together.
_OWN = frozenset({"random_state", "n_jobs", "warm_start", "oob_score", "verbose", "memory", "steps", "transform_input"})


def assemble(estimator: BaseEstimator, params: Mapping[str, Value], seed: int) -> BaseEstimator:
    """Set a trial's parameters and its seed, wherever in the estimator they belong.

    Raises:
        ValueError: a name that the estimator does not take.
    """
    paths = parameter_paths(estimator)
    unknown = sorted(set(params) - set(paths))
    if unknown:
        raise ValueError(f"{type(estimator).__name__} has no parameter {', '.join(map(repr, unknown))}")
    seeds = {path: seed for path in estimator.get_params() if path.split("__")[-1] == "random_state"}
    return estimator.set_params(**{**seeds, **{paths[name]: value for name, value in params.items()}})


def parameter_paths(estimator: BaseEstimator) -> dict[str, str]:
    """Every name a parameter goes by -> scikit-learn's own nested name.

    A wrapped estimator's parameter may be called by its last part where just one has it: the depth of the trees
    inside a bagging ensemble is 'max_depth' as well as 'estimator__max_depth'.
    """
    nested = [
        name
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] not in _OWN and not isinstance(value, BaseEstimator)
    ]
    paths = {name: name for name in nested}
    last_parts = [name.split("__")[-1] for name in nested if "__" in name]
    for name in nested:
        last = name.split("__")[-1]
        if last_parts.count(last) == 1:
            paths.setdefault(last, name)
    return paths


def refusal(estimator: BaseEstimator, name: str, value: Value) -> str | None:
    """Why an estimator would not take this value, in scikit-learn's words; None where it would.

    Nothing is fitted: what depends on the data or on several parameters at once shows only in training.
    """
    parent, _, leaf = parameter_paths(estimator)[name].rpartition("__")
    owner = estimator.get_params()[parent] if parent else estimator
    constraints = getattr(owner, "_parameter_constraints", {})
    try:
        validate_parameter_constraints(constraints, {leaf: value}, caller_name=type(owner).__name__)
    except InvalidParameterError as error:
        return str(error)
    return None
