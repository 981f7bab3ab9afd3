"""Which parameters decide a network's structure: networks of one differ in nothing but weights and floats."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.space import Choice, Domain, Fixed, Float, Int, Value


def with_structure(family: Family, outline: Outline) -> Family:
    """The family with its structural parameters found out, unless it names them: two modules that differ in one
    parameter are built, and if they differ in more than floats and random weights, that parameter is structural.

    Raises:
        ValueError: a module cannot be made; which value of which parameter it was, and what its constructor raised.
    """
    if family.engine == "estimator" or family.structural:
        return family
    base = {name: _values(domain)[0] for name, domain in family.space.items()}
    skeleton = _skeleton(family, base, outline, "its first values")
    found = {"batch_size"}
    for name, domain in family.space.items():
        others = {f"{name} {value!r}": {**base, name: value} for value in _values(domain)[1:]}
        if any(_skeleton(family, other, outline, told) != skeleton for told, other in others.items()):
            found.add(name)
    return replace(family, structural=frozenset(found - {family.resource}))


def _values(domain: Domain) -> list[Value]:
    if isinstance(domain, Fixed):
        return [domain.value]
    if isinstance(domain, Choice):
        return list(domain.options)
    assert isinstance(domain, (Float, Int))
    return list(dict.fromkeys([domain.low, domain.high]))


def _skeleton(family: Family, params: Params, outline: Outline, told: str) -> list[Any]:
    """All that two modules must share to be one network: shapes, kinds of parts, and attributes but floats."""
    try:
        module = family.build(params, outline, 0)
    except Exception as error:  # a user's class may raise anything at all
        first_line = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{family.name} cannot be made with {told}: {first_line}") from error
    shapes = [(name, tuple(value.shape)) for name, value in module.state_dict().items()]
    parts = [(name, type(part), _plain(vars(part))) for name, part in module.named_modules()]
    settings = {name: value for name, value in getattr(module, "hparams", {}).items() if name != family.resource}
    return [shapes, parts, _plain(settings)]


def _plain(attributes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in sorted(attributes.items())
        if not name.startswith("_") and isinstance(value, (int, str, tuple))
    ]
