"""What a sweep's file says of a parameter's domain."""

from collections.abc import Mapping
from typing import Any

from distml.models.space import Choice, Domain, Float, Int, parse_domain
from distml.sweep.params import PREPROCESSING


def domain_of(spec: Mapping[str, Any], family: str, parameter: str) -> Domain | None:
    """The domain that a parameter was searched in; None where the resolved sweep file does not tell."""
    if parameter.startswith(PREPROCESSING):
        raw = (spec.get("preprocessing") or {}).get(parameter.removeprefix(PREPROCESSING))
    else:
        families = spec.get("families")
        own = families.get(family) if isinstance(families, Mapping) else None
        raw = ((own or {}).get("space") or {}).get(parameter)
    try:
        return None if raw is None else parse_domain(raw)
    except ValueError:
        return None


def is_logarithmic(spec: Mapping[str, Any], family: str, parameter: str) -> bool:
    """Whether a parameter was searched by ratio."""
    domain = domain_of(spec, family, parameter)
    return isinstance(domain, (Float, Int)) and domain.log


def is_searched(domain: Domain | None) -> bool:
    """Whether trials could differ in it."""
    return isinstance(domain, (Float, Int)) or (isinstance(domain, Choice) and len(domain.options) > 1)
