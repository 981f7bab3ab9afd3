"""Tables larger than memory, piece by piece; rows that do not read keep their place."""

import csv
import gzip
import io
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from distml.data.table import TableError

PIECE = 10_000  # rows: large enough that what a call costs is not seen, small enough for any memory
_BLOCK_BYTES = 1 << 22  # of a CSV read at once, and so the longest row
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson", ".json")
_GZIP_MAGIC = b"\x1f\x8b"
# What pandas takes for an empty cell, and so what the training table's cells were held against.
_NULLS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """Some rows of a table. broken: place of a row that could not be read -> why; its cells are empty."""

    table: pd.DataFrame
    broken: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """A table's column names, and its rows in order."""

    columns: list[str]
    pieces: Iterator[Piece]


@contextmanager
def open_table(path: Path, wanted: Sequence[str], numeric: Sequence[str] = ()) -> Iterator[Stream]:
    """Open a CSV, TSV, JSONL or Parquet file, gzipped or not; at most `PIECE` rows are read at a time.

    wanted: columns to give, where they are there. numeric: those of them that hold numbers, which are read as such
    as long as all cells of a piece are.

    Raises:
        TableError: the file is missing, empty, of another kind, or broken; while reading, too.
    """
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix not in (*_SEPARATORS, *_JSON, ".parquet"):
        raise TableError(f"{path}: unknown kind of file; give .csv, .tsv, .jsonl or .parquet, gzipped (.gz) or not")
    try:
        with path.open("rb") as opened:
            start = opened.read(3)
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise TableError(f"{path}: the file is empty")
    packed = start.startswith(_GZIP_MAGIC)
    try:
        if suffix == ".parquet":
            with _unpacked(path, packed) as file:
                yield _parquet(path, file, wanted)
        elif suffix in _JSON:
            with _opened(path, packed) as file:
                yield _json_lines(path, file, wanted)
        else:
            yield _separated(path, packed, _SEPARATORS[suffix], wanted, numeric)
    except (OSError, EOFError, pa.ArrowInvalid) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise TableError(f"{path}: broken: {str(error).splitlines()[0]}") from None


def _opened(path: Path, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


@contextmanager
def _unpacked(path: Path, packed: bool) -> Iterator[Path]:
    """The file as it is; a packed one is unpacked on the disk, since Parquet is read from its end."""
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=".parquet") as whole, _opened(path, packed) as file:
        shutil.copyfileobj(file, whole)
        whole.flush()
        yield Path(whole.name)


# --- CSV, TSV


def _separated(path: Path, packed: bool, separator: str, wanted: Sequence[str], numeric: Sequence[str]) -> Stream:
    columns = _header(path, packed, separator)
    used = [name for name in wanted if name in columns]
    twice = [name for name in used if columns.count(name) > 1]
    if twice:
        raise TableError(f"{path}: more than one column is named {', '.join(map(repr, twice))}; rename all but one")
    return Stream(columns, _separated_pieces(path, packed, separator, used, [name for name in numeric if name in used]))


def _header(path: Path, packed: bool, separator: str) -> list[str]:
    with _opened(path, packed) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            header = next((row for row in csv.reader(lines, delimiter=separator) if row), None)
        except UnicodeDecodeError:
            raise TableError(f"{path}: is not UTF-8; save it as UTF-8 (iconv -f LATIN1 -t UTF-8)") from None
    if header is None:
        raise TableError(f"{path}: the file is empty")
    return header


def _separated_pieces(path: Path, packed: bool, separator: str, used: list[str], numeric: list[str]) -> Iterator[Piece]:
    wrong: list[tuple[int, str]] = []  # (row of the file, counted from 0 below the header; why)

    def keep(row: "pyarrow.csv.InvalidRow") -> str:
        wrong.append((row.number - 2, f"has {row.actual_columns} cells where the header has {row.expected_columns}"))
        return "skip"

    texts = {name: pa.string() for name in used}
    with pa.input_stream(str(path), compression="gzip" if packed else None) as file:
        reader = pyarrow.csv.open_csv(
            file,
            pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=keep),
            pyarrow.csv.ConvertOptions(
                column_types=texts, include_columns=used, null_values=_NULLS, strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )  # fmt: skip
        first = 0  # rows of the file that were given already
        for batch in reader:
            for start in range(0, len(batch), PIECE):
                piece = _with_broken(batch.slice(start, PIECE), first, wrong, numeric)
                first += len(piece.table)
                yield piece
        if wrong:  # the last rows of all
            empty = pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in used})
            yield _with_broken(empty, first, wrong, numeric)


def _with_broken(batch: pa.RecordBatch, first: int, wrong: list[tuple[int, str]], numeric: list[str]) -> Piece:
    """The batch as a piece, with those rows back in their places that did not read: they are taken off `wrong`."""
    table = pd.DataFrame({name: _column(batch.column(name), name in numeric) for name in batch.schema.names})
    broken: dict[int, str] = {}
    length = len(batch)
    while wrong and wrong[0][0] <= first + length:
        row, why = wrong.pop(0)
        broken[row - first] = why
        length += 1
    if broken:
        places = [place for place in range(length) if place not in broken]
        table = table.set_axis(pd.Index(places[: len(table)])).reindex(range(length))
    return Piece(table, broken)


def _column(cells: pa.Array, is_number: bool) -> pd.Series:
    if is_number:
        try:
            return pd.Series(cells.cast(pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:  # '1 234', '12 %', 'unknown': cell by cell, by the rules of data.kinds
            pass
    return cells.dictionary_encode().to_pandas()


# --- JSON lines


def _json_lines(path: Path, file: IO[bytes], wanted: Sequence[str]) -> Stream:
    pieces = _json_pieces(file, wanted)
    first = next(pieces, None)
    if first is None:
        raise TableError(f"{path}: the file is empty")
    found, piece = first
    rest = (piece for _, piece in pieces)
    return Stream(found, itertools.chain([piece], rest))


def _json_pieces(file: IO[bytes], wanted: Sequence[str]) -> Iterator[tuple[list[str], Piece]]:
    """(names found in a piece, the piece); what a later piece lacks is missing there."""
    lines = (line for line in file if line.strip())
    while some := list(itertools.islice(lines, PIECE)):
        rows: list[dict[str, Any]] = []
        broken: dict[int, str] = {}
        for place, line in enumerate(some):
            try:
                row = json.loads(line)
                why = "" if isinstance(row, dict) else "is no JSON object"
            except (json.JSONDecodeError, UnicodeDecodeError):
                row, why = {}, "is not JSON"
            if why:
                broken[place] = why
            rows.append({} if why else row)
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = pd.DataFrame({name: [row.get(name) for row in rows] for name in wanted}, index=range(len(rows)))
        yield names, Piece(table, broken)


# --- Parquet


def _parquet(path: Path, file: Path, wanted: Sequence[str]) -> Stream:
    try:
        opened = pyarrow.parquet.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: is not readable as Parquet ({str(error).splitlines()[0]})") from None
    columns = list(map(str, opened.schema_arrow.names))
    used = [name for name in wanted if name in columns]
    batches = opened.iter_batches(batch_size=PIECE, columns=used)
    return Stream(columns, (Piece(batch.to_pandas()) for batch in batches))
