"""`--set budget.trials=5`: single values over those of the sweep file."""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from distml.errors import Mistake, MistakesError
from distml.sweep.loading import YamlMistake, parse_yaml


def apply_overrides(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Set values by dotted keys; mappings on the way are made where they are missing. `raw` stays as it is.

    >>> apply_overrides({"families": ["svm"]}, ["families[0]=random-forest", "budget.trials=5"])
    {'families': ['random-forest'], 'budget': {'trials': 5}}

    Raises:
        MistakesError: all overrides that cannot be applied.
    """
    changed = copy.deepcopy(dict(raw))
    mistakes = []
    for override in overrides:
        path, equals, text = override.partition("=")
        try:
            if not equals:
                raise ValueError("has no value; write key=value, like budget.trials=5")
            _put(changed, steps_of(path), _value(text))
        except ValueError as error:
            mistakes.append(Mistake(path, str(error)))
    if mistakes:
        raise MistakesError("--set", mistakes)
    return changed


def _value(text: str) -> Any:
    try:
        return parse_yaml(text)
    except YamlMistake as mistake:
        raise ValueError(f"{text!r} is not a value: {mistake.what}") from None


def steps_of(path: str) -> list[str]:
    """'families[0].space' -> ['families', '0', 'space']"""
    steps = re.sub(r"\[(\d+)\]", r".\1", path.strip()).split(".")
    if not all(steps):
        raise ValueError("is not a dotted key like budget.trials")
    return steps


def _put(inside: Any, steps: Sequence[str], value: Any, done: str = "") -> None:
    step, *rest = steps
    if isinstance(inside, list):
        if not (step.isdecimal() and int(step) < len(inside)):
            fix = f"give a place from 0 to {len(inside) - 1}" if inside else "it is empty"
            raise ValueError(f"{done} is a list and has no {step!r}: {fix}, or set {done} as a whole")
        key: Any = int(step)
    else:
        key = step
    if not rest:
        inside[key] = value
        return None
    done = f"{done}.{step}".removeprefix(".")
    if isinstance(inside, dict) and inside.get(key) is None:
        inside[key] = {}
    if isinstance(inside[key], (dict, list)):
        return _put(inside[key], rest, value, done)
    raise ValueError(f"{done} is {inside[key]!r} and has no {rest[0]!r} in it; set {done} as a whole")
