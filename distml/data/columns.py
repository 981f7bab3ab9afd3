"""The columns that the user names, and those that are learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distml.data.kinds import apply_kinds, infer_kinds, is_free_text, unreadable
from distml.data.options import KINDS, DataOptions, Kind
from distml.data.task import WITHOUT_TARGET
from distml.errors import Mistake, did_you_mean

_SHOWN = 8  # columns or cells named in a message
_LOST = 0.5  # a kind of the user's that more cells than this share do not read as is a mistake


@dataclass(frozen=True, eq=False)
class Features:
    """frame: the columns that are learnt from, their kinds applied; warnings: what became of the others."""

    frame: pd.DataFrame
    kinds: dict[str, Kind]
    warnings: tuple[str, ...]
    mistakes: tuple[Mistake, ...]


def wrong_columns(options: DataOptions, columns: Sequence[str]) -> list[Mistake]:
    """Names that are no columns, kinds that are no kinds, and columns with two duties."""
    named: list[tuple[str, str]] = [("data.drop", name) for name in options.drop]
    if options.target is not None:
        named = [("data.target", options.target), *named]
    named += [("data.further_targets", name) for name in options.further_targets]
    named += [(f"data.kinds.{name}", name) for name in options.kinds]
    named += [(where, name) for where, name in (("data.group", options.group), ("data.time", options.time)) if name]
    shown = ", ".join(columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")
    found = [
        Mistake(where, f"{name!r} is not a column.{did_you_mean(name, columns)} ({len(columns)} columns: {shown})")
        for where, name in named
        if name not in columns
    ]
    for name, kind in options.kinds.items():
        if kind not in KINDS:
            hint = did_you_mean(str(kind), KINDS)
            found.append(Mistake(f"data.kinds.{name}", f"{kind!r} is no kind.{hint} (kinds: {', '.join(KINDS)})"))
    return found + (_out_of_place(options) if options.target is None else _on_duty_twice(options, options.target))


def _out_of_place(options: DataOptions) -> list[Mistake]:
    """What is said of the data though there is no target."""
    if options.task not in WITHOUT_TARGET:
        what = "missing: the column to predict; if nothing is to be predicted, say task: clustering or projection"
        return [Mistake("data.target", what)]
    found = [
        Mistake(f"data.{key}", f"has no use in {options.task}, where nothing is predicted: leave it out{fix}")
        for key, value, fix in (
            ("positive", options.positive, ""),
            ("group", options.group, "; data.drop keeps the column apart"),
            ("time", options.time, "; data.drop keeps the column apart"),
            ("unlabelled", options.unlabelled or None, ""),
            ("further_targets", options.further_targets or None, "; data.drop keeps the columns apart"),
        )
        if value is not None
    ]
    if options.folds < 2:
        found.append(Mistake("split.folds", f"{options.folds}: {options.task} compares at least 2 resamples"))
    return found


def _on_duty_twice(options: DataOptions, target: str) -> list[Mistake]:
    """Columns that are the target and something else, or decide the splits in two ways."""
    if options.task in WITHOUT_TARGET:
        fix = f"leave data.target out; data.drop: [{target}] keeps the column apart"
        return [Mistake("data.target", f"{options.task} predicts nothing and has no target: {fix}")]
    found = []
    if target in options.drop:
        found.append(Mistake("data.drop", f"{target!r} is the target; take it off the list"))
    if options.unlabelled and (options.group or options.time):
        by = "group" if options.group else "time"
        what = f"rows without a target stand on no side of a split by {by}; leave one of the two out"
        found.append(Mistake("data.unlabelled", what))
    if options.group and options.time:
        found.append(Mistake("data.time", "a split goes by group or in order of time, not both; leave one out"))
    if options.task == "ranking" and not options.group:
        what = "missing: the column that says which query a row belongs to; documents are ranked within their query"
        found.append(Mistake("data.group", what))
    for name in options.further_targets:
        if name == target:
            found.append(Mistake("data.further_targets", f"{name!r} is the target; take it off the list"))
        elif name in (*options.drop, options.group, options.time):
            where = "drop" if name in options.drop else "group" if name == options.group else "time"
            found.append(
                Mistake("data.further_targets", f"{name!r} is named by data.{where}, too; leave it out of one")
            )
    if target in options.kinds:
        found.append(Mistake(f"data.kinds.{target}", "is the target; say task: classification or regression"))
    if target in (options.group, options.time):
        where = "data.group" if target == options.group else "data.time"
        found.append(Mistake(where, f"{target!r} is the target"))
    return found


def read_features(table: pd.DataFrame, options: DataOptions) -> Features:
    """All columns but the targets, the dropped, and those that splits go by.

    Left out are empty columns, and texts that are no free text (names, codes) unless data.kinds says that they are.
    """
    apart = {options.target, *options.further_targets, *options.drop, options.group, options.time}
    raw = table[[name for name in table.columns if name not in apart]]
    overrides: dict[str, Kind] = {name: kind for name, kind in options.kinds.items() if kind in KINDS}
    kinds = infer_kinds(raw, overrides)
    frame = apply_kinds(raw, kinds)
    warnings, mistakes = [], []
    for name in kinds:
        if kinds[name] == "text" and name not in overrides and not is_free_text(frame[name]):
            warnings.append(
                f"column {name!r} is left out: texts of few words, or of words of their own; "
                "data.kinds can make it categorical or text"
            )
            frame = frame.drop(columns=name)
            continue
        lost = unreadable(raw[name], frame[name])
        if len(lost) > _LOST * raw[name].notna().sum():
            mistakes.append(Mistake(f"data.kinds.{name}", f"{lost.iloc[0]!r} does not read as {kinds[name]}"))
        elif len(lost):
            cells = ", ".join(map(repr, lost.unique()[:3]))
            what = f"cells that do not read as {kinds[name]} are taken as missing: {len(lost):,} ({cells})"
            warnings.append(f"column {name!r}: {what}")
    return Features(frame, {name: kinds[name] for name in frame.columns}, tuple(warnings), tuple(mistakes))


def further_values(table: pd.DataFrame, options: DataOptions) -> tuple[np.ndarray, list[Mistake]]:
    """(rows, further targets) float32 of numbers, of yes and no as 1 and 0; nan where a cell is missing."""
    names = [name for name in dict.fromkeys(options.further_targets) if name in table.columns]
    kinds = infer_kinds(table[names], {name: kind for name, kind in options.kinds.items() if kind in KINDS})
    mistakes = [
        Mistake(
            "data.further_targets", f"{name!r} holds {kind} cells; only numbers, or yes and no, stand beside a target"
        )
        for name, kind in kinds.items()
        if kind not in ("numeric", "boolean")
    ]
    if mistakes:
        return np.empty((len(table), 0), dtype=np.float32), mistakes
    return apply_kinds(table, kinds).to_numpy(dtype=np.float32), []


def group_codes(table: pd.DataFrame, name: str) -> tuple[np.ndarray, list[Mistake]]:
    """(rows,) codes of the groups."""
    codes, _ = pd.factorize(table[name])
    return codes, _empty("data.group", name, int((codes < 0).sum()))


def moments(table: pd.DataFrame, name: str, kind: str | None) -> tuple[np.ndarray, list[Mistake]]:
    """(rows,) dates or numbers that can be put in order."""
    column = table[[name]]
    inferred = infer_kinds(column, {})[name]
    wanted: Kind = "date" if "date" in (kind, inferred) else "numeric"
    times = apply_kinds(column, {name: wanted})[name]
    lost = unreadable(column[name], times)
    if len(lost):
        what = f"{name!r} has to hold dates like 2026-11-23 or numbers; {lost.iloc[0]!r} is neither"
        return np.empty(0), [Mistake("data.time", what)]
    return times.to_numpy(), _empty("data.time", name, int(times.isna().sum()))


def _empty(where: str, name: str, count: int) -> list[Mistake]:
    return (
        [Mistake(where, f"{name!r} has empty cells ({count:,}); fill them in or take their rows out")] if count else []
    )
