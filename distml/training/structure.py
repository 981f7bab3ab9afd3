"""Which cohort a trial can join: trials of one structure differ in nothing but weights and floats."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.space import Choice, Domain, Fixed, Float, Int, Value


def structure_key(family: Family, params: Params) -> str:
    """The name of a trial's structure, from its parameters alone.

    Networks: the values of the family's structural parameters, or of all but floats where the family names none.
    Estimators train one after another, so all of a family suit each other.

    >>> from distml.models.scoring import SCORING_NETWORK
    >>> structure_key(SCORING_NETWORK, {"hidden": (64, 64), "lr": 0.01, "epochs": 5})
    'scoring-network hidden=(64, 64)'
    """
    if family.engine == "estimator":
        return family.name
    parts = [f"{name}={value!r}" for name, value in sorted(params.items()) if _is_structural(family, name, value)]
    return " ".join([family.name, *parts])


def _is_structural(family: Family, name: str, value: Value) -> bool:
    if family.structural:
        return name in family.structural
    return name != family.resource and not isinstance(value, float)


def with_structure(family: Family, outline: Outline) -> Family:
    """The family with its structural parameters found out, unless it names them: two modules that differ in one
    parameter are built, and if they differ in more than floats and random weights, that parameter is structural.

    Raises:
        Whatever the module's constructor raises.
    """
    if family.engine == "estimator" or family.structural:
        return family
    base = {name: _values(domain)[0] for name, domain in family.space.items()}
    skeleton = _skeleton(family.build(base, outline, 0), family.resource)
    found = {"batch_size"}
    for name, domain in family.space.items():
        others = [{**base, name: value} for value in _values(domain)[1:]]
        if any(_skeleton(family.build(other, outline, 0), family.resource) != skeleton for other in others):
            found.add(name)
    return replace(family, structural=frozenset(found - {family.resource}))


def _values(domain: Domain) -> list[Value]:
    if isinstance(domain, Fixed):
        return [domain.value]
    if isinstance(domain, Choice):
        return list(domain.options)
    assert isinstance(domain, (Float, Int))
    return list(dict.fromkeys([domain.low, domain.high]))


def _skeleton(module: Any, resource: str | None) -> list[Any]:
    """All that two modules must share to be one network: shapes, kinds of parts, and attributes but floats."""
    shapes = [(name, tuple(value.shape)) for name, value in module.state_dict().items()]
    parts = [(name, type(part), _plain(vars(part))) for name, part in module.named_modules()]
    settings = {name: value for name, value in getattr(module, "hparams", {}).items() if name != resource}
    return [shapes, parts, _plain(settings)]


def _plain(attributes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in sorted(attributes.items())
        if not name.startswith("_") and isinstance(value, (int, str, tuple))
    ]
