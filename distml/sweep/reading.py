"""From a sweep file to its spec; a file with mistakes is checked further, so that one reading tells all of them."""

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distml.errors import Mistake, MistakesError
from distml.sweep.loading import read_mapping
from distml.sweep.overrides import apply_overrides, steps_of
from distml.sweep.spec import SweepSpec


def read_sweep(path: str | Path, overrides: Sequence[str] = ()) -> SweepSpec:
    """SweepSpec.from_file, which for a file with mistakes also tells those that only preflight sees.

    Raises:
        DistmlError: the file cannot be read.
        MistakesError: all that is wrong in the file, the table and the models, at once.
    """
    path = Path(path)
    raw = apply_overrides(read_mapping(path), overrides)
    try:
        return SweepSpec.from_mapping(raw, path.name, path.parent)
    except MistakesError as error:
        told = [mistake.where for mistake in error.mistakes]
        found = [*error.mistakes, *_further_mistakes(raw, told, path)]
        raise MistakesError(path.name, sorted(found, key=_place)) from None


def _place(mistake: Mistake) -> int:
    """Where in a sweep file a mistake's key belongs; unknown keys last."""
    keys = [*SweepSpec.model_fields]
    key = re.split(r"[.\[]", mistake.where)[0]
    return keys.index(key) if key in keys else len(keys)


def _further_mistakes(raw: Mapping[str, Any], told: Sequence[str], path: Path) -> list[Mistake]:
    """What preflight says of the file without its faulty values; nothing where too little is left to tell."""
    if "task" in told:  # what suits the task cannot be told
        return []
    from distml.sweep.preflight import preflight  # imports scikit-learn, for which a good file need not wait

    rest = copy.deepcopy(dict(raw))
    for where in reversed(told):  # from the end of a list to its beginning
        _take_out(rest, steps_of(where))
    rest.setdefault("name", "sweep")
    try:
        preflight(SweepSpec.from_mapping(rest, path.name, path.parent))
    except MistakesError as error:
        return [mistake for mistake in error.mistakes if not any(_related(mistake.where, where) for where in told)]
    return []


def _related(where: str, told: str) -> bool:
    """Whether a mistake may come of the value that was taken out: it is that one, lies in it or around it."""
    return where.startswith(told) or told.startswith(where)


def _take_out(inside: Any, steps: Sequence[str]) -> None:
    step, *rest = steps
    if isinstance(inside, list) and step.isdecimal() and int(step) < len(inside):
        if rest:
            _take_out(inside[int(step)], rest)
        else:
            del inside[int(step)]
    elif isinstance(inside, dict) and step in inside:
        if rest:
            _take_out(inside[step], rest)
        if not rest or inside[step] in ({}, []):  # 'budget: {trials: 0}' leaves the default budget, not one of nothing
            del inside[step]
