"""A raw table's cells, brought to the meaning that they had for the scorer's training rows, row by row."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from distml.data.kinds import apply_kinds, unreadable
from distml.errors import did_you_mean
from distml.scorer.errors import ScorerError
from distml.scorer.files import Column, Manifest

_EXAMPLES = 3
_EMPTY = "all its cells are empty or unreadable"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d*[1-9])?")


@dataclass
class Notes:
    """What there is to say about a table's cells, counted over all of it."""

    rows: int = 0
    problems: Counter[str] = field(default_factory=Counter)  # why a row could not be scored -> rows
    unreadable: Counter[str] = field(default_factory=Counter)  # column -> cells
    unknown: Counter[str] = field(default_factory=Counter)  # column -> cells of a category that has no feature
    examples: dict[str, list[str]] = field(default_factory=dict)  # column -> some of these cells

    def add(self, other: "Notes") -> None:
        """Take in what was found in a later part of the table."""
        self.rows += other.rows
        self.problems += other.problems
        self.unreadable += other.unreadable
        self.unknown += other.unknown
        for column, cells in other.examples.items():
            self.keep(column, cells)

    def keep(self, column: str, cells: Sequence[str]) -> None:
        """Remember some cells as examples."""
        self.examples[column] = list(dict.fromkeys([*self.examples.get(column, []), *cells]))[:_EXAMPLES]

    def lines(self, columns: Sequence[Column]) -> list[str]:
        """A sentence for each thing found."""
        said = []
        for column in columns:
            cells = ", ".join(map(repr, self.examples.get(column.name, [])))
            if count := self.unreadable[column.name]:
                what = f"cells that do not read as {column.kind} are taken as missing: {count:,} ({cells})"
                said.append(f"column {column.name!r}: {what}")
            if count := self.unknown[column.name]:
                what = f"cells of a category that the training rows had rarely or never: {count:,} ({cells})"
                said.append(f"column {column.name!r}: {what}")
        said += [f"not scored, {why}: {count:,}" for why, count in self.problems.most_common()]
        return said


def check_columns(manifest: Manifest, columns: Sequence[str]) -> list[str]:
    """The columns that are neither learnt from nor known to be left out: they are ignored.

    Raises:
        ScorerError: columns are missing, all of them named.
    """
    needed = [column.name for column in manifest.columns]
    missing = [name for name in needed if name not in columns]
    if missing:
        others = [name for name in columns if name not in needed]
        named = ", ".join(f"{name!r}{_near(name, others)}" for name in missing)
        shown = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
        raise ScorerError(
            f"the table lacks {len(missing)} of the scorer's {len(needed)} columns: {named}. It has {shown or 'none'}"
        )
    known = {*needed, *manifest.data.left_out}
    return [name for name in columns if name not in known]


def read_rows(
    manifest: Manifest, table: pd.DataFrame, notes: Notes, broken: Mapping[int, str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """(the rows with their kinds applied, (rows,) why each cannot be scored or ''). A cell means the same whatever
    stands beside it.

    broken: place of a row that could not be read -> why.
    """
    raw = pd.DataFrame({column.name: _as_trained(column, table[column.name]) for column in manifest.columns})
    frame = apply_kinds(raw, manifest.layout.kinds)
    problems = np.full(len(frame), "", dtype=object)
    problems[frame.isna().to_numpy().all(axis=1)] = _EMPTY
    for place, why in broken.items():
        problems[place] = why
    notes.rows += len(frame)
    for column in manifest.columns:
        _note(notes, column, raw[column.name], frame[column.name])
    return frame, problems


def _note(notes: Notes, column: Column, raw: pd.Series, applied: pd.Series) -> None:
    lost = raw.notna() & applied.isna()
    if lost.any():
        cells = unreadable(raw[lost], applied[lost])
        if len(cells):
            notes.unreadable[column.name] += len(cells)
            notes.keep(column.name, list(cells.unique()[:_EXAMPLES]))
    if column.categories is not None:
        places, distinct = pd.factorize(applied)
        strange = [place for place, text in enumerate(distinct) if text not in column.categories]
        if strange:
            notes.unknown[column.name] += int(np.isin(places, strange).sum())
            notes.keep(column.name, [str(distinct[place]) for place in strange[:_EXAMPLES]])


def _as_trained(column: Column, cells: pd.Series) -> pd.Series:
    """Numbers that stand for categories, written as they were there: '07' and '7.0' are '7' where a table of numbers
    was learnt from. Texts are left as they are."""
    texts = column.categories or ()
    if not texts or not all(_NUMBER.fullmatch(text) for text in texts) or pd.api.types.is_numeric_dtype(cells.dtype):
        return cells
    places, distinct = pd.factorize(cells)
    written = np.array([*map(_plain, map(str, distinct)), np.nan], dtype=object)
    return pd.Series(written[places], index=cells.index, dtype=object)


def _plain(text: str) -> str:
    """A number as pandas writes it; all else as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _near(name: str, others: Sequence[str]) -> str:
    hint = did_you_mean(name, others).strip()
    return f" ({hint[0].lower()}{hint[1:]})" if hint else ""
