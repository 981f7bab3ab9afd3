"""Search spaces: what a hyperparameter may be, whatever the searcher."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = None | bool | int | float | str | tuple["Value", ...]  # a YAML list arrives as a tuple


@dataclass(frozen=True)
class Fixed:
    """One value, not searched."""

    value: Value


@dataclass(frozen=True)
class Choice:
    """One of several unordered options."""

    options: tuple[Value, ...]


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; `step` makes it a grid, `log` spreads it by ratio."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high]."""

    low: int
    high: int
    log: bool = False
    step: int = 1


Domain = Fixed | Choice | Float | Int
Space = Mapping[str, Domain]

_RANGE_KEYS = {"low", "high", "log", "step"}


def parse_domain(raw: Any) -> Domain:
    """Read one hyperparameter's domain as it stands in the sweep file.

    A list is a choice, a mapping with `low` and `high` a range, anything else a fixed value.

    Raises:
        ValueError: with the bad value and the fix, in one line.
    """
    if isinstance(raw, Mapping):
        return _parse_range(raw)
    if isinstance(raw, (list, tuple)):
        if not raw:
            raise ValueError("an empty list leaves nothing to choose from")
        return Choice(tuple(_freeze(option) for option in raw))
    return Fixed(_freeze(raw))


def _parse_range(raw: Mapping[str, Any]) -> Float | Int:
    unknown = sorted(map(str, set(raw) - _RANGE_KEYS))
    missing = [key for key in ("low", "high") if key not in raw]
    if unknown or missing:
        found, lacking = ", ".join(unknown) or "none", ", ".join(missing) or "none"
        raise ValueError(f"a range has low and high, and may have log and step (unknown: {found}; missing: {lacking})")
    low, high, log, step = raw["low"], raw["high"], raw.get("log", False), raw.get("step")
    for key, number in (("low", low), ("high", high), ("step", step)):
        if number is None and key == "step":
            continue
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise ValueError(f"{key} {number!r} is not a number" + _yaml_float_hint(number))
    if not isinstance(log, bool):
        raise ValueError(f"log {log!r} is neither true nor false")
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range starts above 0, not at {low}")
    if step is not None and step <= 0:
        raise ValueError(f"step {step} is not above 0")
    if log and step is not None and not (step == 1 and isinstance(low, int)):
        raise ValueError("a range is either logarithmic or stepped, not both")
    if isinstance(low, int) and isinstance(high, int) and (step is None or isinstance(step, int)):
        return Int(low, high, log, step or 1)
    return Float(float(low), float(high), log, None if step is None else float(step))


def _yaml_float_hint(number: Any) -> str:
    """YAML 1.1 reads 1e-4 as text: the commonest slip in a sweep file."""
    try:
        float(number)
    except (TypeError, ValueError):
        return ""
    return f"; YAML needs a point and a sign in the exponent: {float(number):.1e}" if isinstance(number, str) else ""


def _freeze(raw: Any) -> Value:
    if isinstance(raw, (list, tuple)):
        return tuple(_freeze(item) for item in raw)
    if isinstance(raw, float) and not math.isfinite(raw):
        raise ValueError(f"{raw} is not a finite number")
    if raw is None or isinstance(raw, (bool, int, float, str)):
        return raw
    raise ValueError(f"{raw!r} is neither a number, a text, a truth value nor a list of those")
