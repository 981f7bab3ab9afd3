"""The values a sweep file is made of, each with its check and its JSON schema."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from distml.models.space import Choice, Domain, Fixed, Float, Int, parse_domain
from distml.sweep.mistakes import number_hint


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(f"{name!r} is not a name: up to 64 letters, digits, - and _, not beginning with -")
    return name


def _check_scalar(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"{value!r} is not one value (a number, a text, true or false)")


def _check_gpu(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (0 < value <= 1 or (value > 1 and value == int(value))):
        return value
    if isinstance(value, str) and _GPU.fullmatch(value):
        return value
    valid = "auto, none, a fraction of one GPU up to 1, a whole number, '6GiB', 'mig:1g.10gb' or 'mig:any'"
    raise ValueError(f"{value!r} is not one of: {valid}{number_hint(value)}")


_GPU = re.compile(r"auto|none|(?=.*[1-9])\d+(\.\d+)?GiB|mig:(any|\d+g\.\d+gb([.+]me)?)")


def _check_class(value: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", value):
        raise ValueError(f"{value!r} is not an import path like my_package.module:MyModule")
    return value


def _read_domain(raw: Any) -> Domain:
    return raw if isinstance(raw, (Fixed, Choice, Float, Int)) else parse_domain(raw)


def domain_as_written(domain: Domain) -> Any:
    """A domain as the sweep file writes it: what parse_domain reads back."""
    if isinstance(domain, Fixed):
        # A fixed list would be read as a choice.
        return [_lists(domain.value)] if isinstance(domain.value, tuple) else domain.value
    if isinstance(domain, Choice):
        return [_lists(option) for option in domain.options]
    written: dict[str, Any] = {"low": domain.low, "high": domain.high}
    if domain.log:
        written["log"] = True
    if domain.step is not None and (isinstance(domain, Float) or domain.step != 1):
        written["step"] = domain.step
    return written


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else (value,)


_DOMAIN_SCHEMA = {
    "description": "a value is fixed, a list is a choice, {low, high, log, step} is a range",
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "minItems": 1},
        {
            "type": "object",
            "properties": {
                "low": {"type": "number"},
                "high": {"type": "number"},
                "log": {"type": "boolean"},
                "step": {"type": "number"},
            },
            "required": ["low", "high"],
            "additionalProperties": False,
        },
    ],
}

Option = TypeVar("Option")

Name = Annotated[str, AfterValidator(_check_name)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Scalar = Annotated[Any, PlainValidator(_check_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Gpu = Annotated[Any, PlainValidator(_check_gpu), WithJsonSchema({"type": ["string", "number"]})]
Count = Annotated[int, Field(ge=1)]
Size = Count | None
ImportPath = Annotated[str, AfterValidator(_check_class)]
Searched = Annotated[tuple[Option, ...], Field(strict=False, min_length=1), BeforeValidator(_as_list)]
Hyperparameter = Annotated[
    Any, PlainValidator(_read_domain), PlainSerializer(domain_as_written), WithJsonSchema(_DOMAIN_SCHEMA)
]
