"""`distml plan`: the sweep file with all its defaults, what would run where, and for how long."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from distml.report import text
from distml.sweep.plan import Plan


def column_lines(kinds: Mapping[str, str]) -> list[str]:
    """What each column is taken for, a line a kind.

    >>> column_lines({"age": "numeric", "region": "categorical", "income": "numeric"})
    ['2 numeric columns: age, income', '1 categorical column: region']
    """
    by_kind: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        by_kind.setdefault(kind, []).append(str(name))
    return [f"{text.count(len(names), f'{kind} column')}: {', '.join(names)}" for kind, names in by_kind.items()]


def text_lines(kinds: Mapping[str, str], preprocessing: Mapping[str, Sequence[Any]]) -> list[str]:
    """What becomes of text columns; no line where there are none.

    >>> text_lines({"note": "text"}, {"text": ["words", "none"], "text_dimensions": [64]})
    ['text becomes 64 numbers a column, by TF-IDF of words; or none, left out']
    """
    if "text" not in kinds.values():
        return []
    terms = [terms for terms in preprocessing["text"] if terms != "none"]
    sizes = " or ".join(map(str, preprocessing["text_dimensions"]))
    ways = [f"{sizes} numbers a column, by TF-IDF of {' or '.join(terms)}"] if terms else []
    return [f"text becomes {'; or '.join(ways + ['none, left out'] * ('none' in preprocessing['text']))}"]


def plan_lines(resolved: Mapping[str, Any], warnings: tuple[str, ...], plan: Plan) -> list[str]:
    """The resolved sweep file, then a line a family, then the time and what the estimate rests on."""
    file = yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    families = []
    for line in plan.lines:
        trials = "as many trials as the time allows" if line.trials is None else text.count(line.trials, "trial")
        families += [f"{line.family}: {trials}, {line.text}", *(f"  {place}" for place in line.places)]
    time = "without end: only Ctrl-C ends it" if plan.seconds is None else f"about {text.roughly(plan.seconds)}"
    return [file, *(f"warning: {warning}" for warning in warnings), *families, f"{time} ({plan.basis})"]


def plan_json(resolved: Mapping[str, Any], warnings: tuple[str, ...], plan: Plan) -> dict[str, Any]:
    """The same as plain data; seconds is None where nothing bounds the sweep."""
    return {
        "sweep": dict(resolved),
        "families": plan_rows(plan),
        "seconds": plan.seconds,
        "basis": plan.basis,
        "warnings": list(warnings),
    }


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    """One row a family; trials is None where only the time ends them."""
    return [
        {"family": line.family, "trials": line.trials, "how": line.text, "places": "; ".join(line.places)}
        for line in plan.lines
    ]
