"""pydantic's findings in our own words: where it stands, what is wrong, what to write instead."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from distml.errors import Mistake, did_you_mean


def mistakes_of(error: ValidationError, model: type[BaseModel], raw: Mapping[str, Any]) -> list[Mistake]:
    """One mistake for each finding of pydantic in `raw`, which was to become a `model`."""
    found = error.errors(include_url=False)
    # A list whose items are all wrong is to pydantic too short as well.
    faulty = {details["loc"][:-1] for details in found}
    found = [details for details in found if not (details["type"] == "too_short" and details["loc"] in faulty)]
    return [_mistake(details, model, raw) for details in found]


def number_hint(value: Any) -> str:
    """What to write where YAML read a number as text; empty where it did not.

    >>> number_hint("1e-4")
    '; YAML needs a point and a sign in the exponent: 1.0e-04'
    """
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    if number is None:
        return ""
    exponent = "e" in value.lower()
    return f"; YAML needs a point and a sign in the exponent: {number:.1e}" if exponent else "; write it without quotes"


def _whole_hint(value: Any) -> str:
    """What to write where a whole number stands as text or with a point: '; write 1000'."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    return f"; write {int(number)}" if number.is_integer() else ""


def _mistake(details: ErrorDetails, model: type[BaseModel], raw: Mapping[str, Any]) -> Mistake:
    path = _path_in(raw, details["loc"])
    if details["type"] == "missing":
        path.append(details["loc"][-1])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    return Mistake(where, _words(details, model))


def _path_in(raw: Any, loc: Sequence[int | str]) -> list[int | str]:
    """pydantic's location without the steps that are only pydantic's: tags of unions, places in a list of one.

    >>> _path_in({"families": ["forest"]}, ("families", "names", 0))
    ['families', 0]
    """
    path: list[int | str] = []
    for part in loc:
        in_list = isinstance(raw, (list, tuple)) and isinstance(part, int) and part < len(raw)
        if in_list or (isinstance(raw, Mapping) and part in raw):
            raw = raw[part]
            path.append(part)
    return path


def _words(details: ErrorDetails, model: type[BaseModel]) -> str:
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "missing":
            field = _model_at(model, details["loc"][:-1]).model_fields[str(details["loc"][-1])]
            return f"missing: {field.description}"
        case "extra_forbidden":
            known = [field.alias or name for name, field in _model_at(model, details["loc"][:-1]).model_fields.items()]
            return f"unknown key.{did_you_mean(str(details['loc'][-1]), known)} Valid keys: {', '.join(known)}"
        case "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            hint = did_you_mean(str(value), known)
            return f"{_shown(value)} is not one of: {', '.join(known)}" + (f".{hint}" if hint else "")
        case "value_error":
            return str(context["error"])
        case "int_type" | "int_from_float":
            return f"{_shown(value)} is not a whole number{_whole_hint(value)}"
        case "float_type":
            return f"{_shown(value)} is not a number{number_hint(value)}"
        case "finite_number":
            return f"{value} is not a finite number"
        case "string_type":
            quoted = f'; put it in quotes: "{value}"' if isinstance(value, (int, float)) else ""
            return f"{_shown(value)} is not text{quoted}"
        case "greater_than":
            return f"{value} is not above {context['gt']}"
        case "greater_than_equal":
            return f"{value} is below {context['ge']}, the least it can be"
        case "less_than":
            return f"{value} is not below {context['lt']}"
        case "less_than_equal":
            return f"{value} is above {context['le']}, the most it can be"
        case "tuple_type":
            return f"{_shown(value)} is not a list; write [{value}]" if isinstance(value, str) else "expected a list"
        case "too_short":
            return "is empty: nothing to choose from"
        case "union_tag_not_found":
            return f"{_shown(value)} is neither a list nor a mapping"
        case "model_type" | "dict_type":
            return f"{_shown(value)} is not a mapping of keys and values"
        case _:
            return f"{_shown(value)}: {details['msg']}"


def _shown(value: Any) -> str:
    """The value as it stands in YAML, where that is short."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel]:
    """The model that a location leads to.

    Steps that name no field (tags, keys of mappings) stay with the model that was found in the field's type.
    """
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
