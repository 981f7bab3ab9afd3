"""The sweep file as plain data, and what changed between two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distml.errors import MistakesError
from distml.sweep.spec import SweepSpec

_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One value that two sweep files disagree on."""

    where: str  # 'families.scoring-network.space.lr.low'
    old: str
    new: str
    harmless: bool  # a sweep may go on in spite of it

    def __str__(self) -> str:
        """
        >>> str(Difference("seed", "0", "7", harmless=False))
        'seed: 0 -> 7'
        """
        return f"{self.where}: {self.old} -> {self.new}"


def resolved(spec: SweepSpec) -> dict[str, Any]:
    """Everything a sweep file says or leaves to defaults, as plain data in a fixed order.

    It is a sweep file itself: SweepSpec.from_mapping(resolved(spec)) is the same sweep from any folder.
    """
    plain = spec.model_dump(mode="json", by_alias=True)
    plain["data"]["source"] = str(spec.data.source.absolute())
    families = {}
    for name, family in spec.family_specs.items():
        families[name] = family.model_dump(mode="json", by_alias=True)
        families[name]["resources"] = spec.resources_of(name).model_dump(mode="json")
    plain["families"] = families
    return plain


def completed(old: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resolved sweep file of an earlier version, with this version's further options at their defaults, which is how
    it was trained; as it is, where this version does not take it."""
    try:
        return resolved(SweepSpec.from_mapping(old))
    except MistakesError:
        return old


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """What changed from one resolved sweep file to another.

    Going on with a sweep needs trials that compare: budget, resources and further metrics may change, and the table
    may lie elsewhere (its checksum tells whether it is the same). Nothing else may.
    """
    return [
        Difference(where, _written(before), _written(after), _is_harmless(where))
        for where, before, after in _leaves(old, new)
        if where != "data.source"
    ]


def _is_harmless(where: str) -> bool:
    steps = where.split(".")
    return steps[0] in ("budget", "resources", "report", "export", "loggers") or (
        steps[0] == "families" and len(steps) > 2 and steps[2] in ("resources", "trials")
    )


def _leaves(old: Any, new: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inside = f"{where}.{key}" if where else key
            yield from _leaves(old.get(key, _ABSENT), new.get(key, _ABSENT), inside)
    elif old != new or type(old) is not type(new):
        yield where, old, new


def _written(value: Any) -> str:
    """A value in YAML's flow style, on one line."""
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_written, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
