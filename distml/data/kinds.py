"""Column kinds: what a column's cells mean, and the cells brought to that meaning.

A kind is decided once, on the table that is learnt from, and holds for every table after it:
`apply_kinds` reads cell by cell, so that a cell means the same whatever stands beside it.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import compress

import numpy as np
import pandas as pd

from distml.data.options import Kind
from distml.data.table import TableError
from distml.errors import did_you_mean

_EMPTY = frozenset({"", "-", "--", "?", ".", "na", "n/a", "#n/a", "nan", "null"})  # beside the cells pandas leaves out
TRUE_WORDS, FALSE_WORDS = frozenset({"yes", "y", "true", "t", "1"}), frozenset({"no", "n", "false", "f", "0"})
_PAIRS = (frozenset({"yes", "no"}), frozenset({"y", "n"}), frozenset({"true", "false"}), frozenset({"t", "f"}))
_NUMBER = re.compile(
    r"\(?\s*[-+]?\s*[$€£¥₽]?\s*[-+]?(?:(?:\d{1,3}(?:[ ,'’\u00a0\u202f]\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
    r"(?:e[-+]?\d+)?\s*[%$€£¥₽]?\s*\)?",
    re.IGNORECASE,
)
_NOT_OF_A_NUMBER = re.compile(r"[^-+\d.eE]")
_DATE = re.compile(
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{8})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[-+]\d{2}:?\d{2})?)?",
)
_WHOLE = re.compile(r"(-?\d+)\.0+")
_READABLE = 0.99  # share of the cells holding anything that must read
_LOOK = 1000  # distinct texts looked at first; most columns need no more
_FEW = 50  # so many distinct texts are categories whatever the table's size
_FEW_SHARE = 0.1  # and so many of the rows
_LONG = 50  # mean characters from which texts that hardly recur are free text, however few there are
_WORD = re.compile(r"\w\w+")
_LEAST_WORDS = 3  # a cell of free text, on average
_RECURRING = 0.5  # share of its words that stand in other cells, too
_LARGEST = float(np.finfo(np.float32).max)  # prepared arrays are float32


def infer_kinds(frame: pd.DataFrame, overrides: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kind of each column; `overrides` stand where given.

    Numbers are numeric, and so are texts that practically all read as numbers ("$60,000.00 ", "1 234", "12 %" = 12,
    "(500)" = -500; a decimal comma does not read). Pairs of yes/no, y/n, true/false, t/f are boolean, texts like
    2026-11-23 dates, texts with few distinct values categorical, all others text.
    """
    return {str(name): overrides.get(str(name)) or _infer(frame[name]) for name in frame.columns}


def apply_kinds(frame: pd.DataFrame, kinds: Mapping[str, Kind]) -> pd.DataFrame:
    """The columns that `kinds` names, in its order, as their kinds say; other columns are left out.

    numeric: float64; NaN where a cell is empty, no number, or beyond float32
    boolean: float64; 1.0, 0.0 or NaN
    date: datetime64 in UTC, without its zone, or NaT
    categorical, text: object; texts without blanks around them, or NaN

    Raises:
        TableError: a column is not there.
    """
    missing = [name for name in kinds if name not in frame.columns]
    if missing:
        near = did_you_mean(missing[0], map(str, frame.columns)) if len(missing) == 1 else ""
        raise TableError(f"the table has no column {', '.join(map(repr, missing))}.{near}")
    columns = {name: _apply(frame[name], kind) for name, kind in kinds.items()}
    series = {name: pd.Series(cells, index=frame.index, dtype=cells.dtype) for name, cells in columns.items()}
    return pd.DataFrame(series, index=frame.index)


def is_free_text(column: pd.Series) -> bool:
    """Whether a text column's words can tell something: several a cell, most of them met again in others.

    column: its kind applied. Names, codes and addresses of pages are texts, but of few words or of words of their own.
    """
    texts = column.dropna().unique()
    texts = texts[:: max(1, len(texts) // _LOOK)]
    words = [frozenset(_WORD.findall(text.lower())) for text in texts]
    count = Counter(word for cell in words for word in cell)
    total = sum(count.values())
    again = sum(times for times in count.values() if times > 1)
    return total >= _LEAST_WORDS * len(texts) and again >= _RECURRING * total > 0


def unreadable(raw: pd.Series, applied: pd.Series) -> pd.Series:
    """The cells of `raw` that hold something and are missing in `applied`, as texts."""
    texts = raw[raw.notna() & applied.isna()].astype(str).str.strip()
    return texts[~texts.str.lower().isin(_EMPTY)]


def _infer(column: pd.Series) -> Kind:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date"
    places, texts = _distinct(column)
    counts = np.bincount(places[places >= 0], minlength=len(texts))
    if len(texts) <= _LOOK and frozenset(text.lower() for text in texts if text.lower() not in _EMPTY) in _PAIRS:
        return "boolean"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categorical"
    if _all_read(texts, counts, _numbers):
        return "numeric"
    if _all_read(texts, counts, _dates):
        return "date"
    rows = counts.sum()
    if len(texts) > rows / 2 and sum(map(len, texts)) > _LONG * len(texts):
        return "text"
    return "categorical" if len(texts) <= max(_FEW, _FEW_SHARE * rows) else "text"


def _all_read(texts: Sequence[str], counts: np.ndarray, read: Callable[[Sequence[str]], np.ndarray]) -> bool:
    """Whether practically all cells read; a look at the first texts settles it for most columns."""
    for look in (_LOOK, len(texts)):
        filled = [text.lower() not in _EMPTY for text in texts[:look]]
        cells = counts[:look][filled]
        readable = ~pd.isna(read(list(compress(texts, filled))))
        if not len(cells) or cells[readable].sum() < _READABLE * cells.sum():
            return False
    return True


def _apply(column: pd.Series, kind: Kind) -> np.ndarray:
    if kind == "numeric" and pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.abs(numbers) <= _LARGEST, numbers, np.nan)
    if kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
        return pd.to_datetime(column, utc=True).dt.tz_localize(None).to_numpy()
    places, texts = _distinct(column)
    values = _READ[kind](texts)
    absent = np.array([np.datetime64("NaT") if kind == "date" else np.nan], dtype=values.dtype)
    return np.concatenate([values, absent])[places]  # a missing cell's place is -1


def _distinct(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Each cell's place among the column's distinct texts (-1: missing), and these, in order of appearance."""
    if column.dtype == object:  # Python objects of any type: 1, True and 1.0 are one to factorize, lists none at all
        column = column.map(str, na_action="ignore")
    places, distinct = pd.factorize(column)
    return places, [_WHOLE.sub(r"\1", text) if _WHOLE.fullmatch(text) else text for text in map(_stripped, distinct)]


def _stripped(cell: object) -> str:
    return str(cell).strip()


def _numbers(texts: Sequence[str]) -> np.ndarray:
    return np.array([_number(text) for text in texts], dtype=np.float64)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or text.startswith("(") != text.endswith(")"):
        return np.nan
    try:
        number = float(_NOT_OF_A_NUMBER.sub("", text))
    except ValueError:  # two signs
        return np.nan
    if not abs(number) <= _LARGEST:
        return np.nan
    return -number if text.startswith("(") else number


def _truths(texts: Sequence[str]) -> np.ndarray:
    lower = [text.lower() for text in texts]
    return np.array(
        [1.0 if text in TRUE_WORDS else 0.0 if text in FALSE_WORDS else np.nan for text in lower], dtype=np.float64
    )


def _dates(texts: Sequence[str]) -> np.ndarray:
    likely = pd.Series([text if _DATE.fullmatch(text) else None for text in texts], dtype="str")
    return pd.to_datetime(likely, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None).to_numpy()


def _words(texts: Sequence[str]) -> np.ndarray:
    return np.array([text or np.nan for text in texts], dtype=object)


_READ: Mapping[Kind, Callable[[Sequence[str]], np.ndarray]] = {
    "numeric": _numbers,
    "boolean": _truths,
    "date": _dates,
    "categorical": _words,
    "text": _words,
}
