"""A trial's parameters: the family's own, and the preprocessing choices beside them."""

import math

from distml.models.family import Params
from distml.models.space import Choice, Domain, Fixed, Space, Value

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


def typical(space: Space) -> dict[str, Value]:
    """A configuration from the middle of a space."""
    return {name: _middle(domain) for name, domain in space.items()}


def _middle(domain: Domain) -> Value:
    if isinstance(domain, Fixed):
        return domain.value
    if isinstance(domain, Choice):
        return domain.options[len(domain.options) // 2]
    middle = math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2
    return middle if isinstance(domain.low, float) else round(middle)
