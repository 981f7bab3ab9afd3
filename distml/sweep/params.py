"""A trial's parameters: the family's own, and the preprocessing choices beside them."""

from distml.models.family import Params
from distml.models.space import Value

PREPROCESSING = "preprocessing."


def split_params(params: Params) -> tuple[dict[str, Value], dict[str, Value]]:
    """(the family's own parameters, the preprocessing choices without their prefix).

    >>> split_params({"lr": 0.1, "preprocessing.numeric": "quantile"})
    ({'lr': 0.1}, {'numeric': 'quantile'})
    """
    own = {name: value for name, value in params.items() if not name.startswith(PREPROCESSING)}
    choices = {
        name.removeprefix(PREPROCESSING): value for name, value in params.items() if name.startswith(PREPROCESSING)
    }
    return own, choices
