"""Reading a table: CSV, TSV, JSON lines or Parquet, gzipped or not."""

import codecs
import csv
import gzip
import hashlib
import io
import json
import zlib
from collections import Counter
from pathlib import Path

import pandas as pd

from distml.errors import DistmlError, did_you_mean

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson", ".json")
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars (|)"}
_GZIP_MAGIC = b"\x1f\x8b"


class TableError(DistmlError):
    """A table cannot be read; the message says which, why and what to do."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a table with its column names as texts and a plain row index.

    The format follows from the name (.csv, .tsv, .jsonl, .ndjson, .json, .parquet, each with or without .gz).

    Raises:
        TableError: missing, empty, of one column because of another separator, not UTF-8, broken, ...
    """
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix not in (*_SEPARATORS, *_JSON, ".parquet"):
        raise TableError(f"{path}: unknown kind of file; give .csv, .tsv, .jsonl or .parquet, gzipped (.gz) or not")
    raw = _unpacked(path)
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise TableError(f"{path}: the file is empty")
    if suffix == ".parquet":
        frame = _parquet(path, raw)
    elif suffix in _JSON:
        frame = _json_lines(path, _text(path, raw))
    else:
        frame = _separated(path, _text(path, raw), _SEPARATORS[suffix])
    if frame.empty:
        raise TableError(f"{path}: has a header but no rows" if len(frame.columns) else f"{path}: has no columns")
    return frame


def file_sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpacked(path: Path) -> bytes:
    if path.is_dir():
        raise TableError(f"{path}: is a folder; name the file in it")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            raise TableError(f"{path}: no such file, for there is no folder {folder}") from None
        near = did_you_mean(path.name, [p.name for p in folder.iterdir()])
        raise TableError(f"{path}: no such file.{near}") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    if raw.startswith(_GZIP_MAGIC):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(f"{path}: broken gzip ({error}); copy or compress it again") from None
    elif path.suffix.lower() == ".gz" and raw:
        raise TableError(f"{path}: is not gzip in spite of its name; take .gz off the name, or compress it")
    return raw


def _text(path: Path, raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{path}: is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise TableError(
            f"{path}: line {line} holds the byte 0x{byte:02x}, which is not UTF-8; "
            "save the file as UTF-8 (from Latin-1: iconv -f LATIN1 -t UTF-8)"
        ) from None


def _separated(path: Path, text: str, separator: str) -> pd.DataFrame:
    header = next(row for row in csv.reader(io.StringIO(text), delimiter=separator) if row)
    if len(header) == 1:
        _refuse_other_separator(path, header[0], separator)
    _refuse_duplicates(path, header)
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, low_memory=False)
    except pd.errors.ParserError as error:
        raise TableError(f"{path}: {str(error).removeprefix('Error tokenizing data. C error: ').strip()}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise TableError(f"{path}: the rows have more cells than the header has names ({len(header)}); mend the header")
    return frame


def _refuse_other_separator(path: Path, name: str, separator: str) -> None:
    meant = max((other for other in _NAMES if other != separator), key=name.count)
    if meant not in name:
        return
    for suffix, sign in _SEPARATORS.items():
        if sign == meant:
            raise TableError(f"{path}: its cells are separated by {_NAMES[meant]}; rename it to end in {suffix}")
    fix = " (pandas: read_csv(file, sep=';', decimal=',').to_csv(file, index=False))" if meant == ";" else ""
    raise TableError(
        f"{path}: its cells seem to be separated by {_NAMES[meant]}, not {_NAMES[separator]}; "
        f"save it with {_NAMES[separator]}{fix}"
    )


def _refuse_duplicates(path: Path, names: list[str]) -> None:
    twice = [repr(name) for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise TableError(f"{path}: more than one column is named {', '.join(twice)}; rename all but one")


def _json_lines(path: Path, text: str) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise TableError(f"{path}: line {number} is not JSON ({error.msg}); write one object a line") from None
        if not isinstance(row, dict):
            raise TableError(f"{path}: line {number} is not an object {{...}}; write one object a line")
        rows.append(row)
    return pd.DataFrame(rows)


def _parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(io.BytesIO(raw))
    except (ValueError, OSError) as error:
        raise TableError(f"{path}: is not readable as Parquet ({str(error).splitlines()[0]})") from None
    if frame.index.names != [None]:
        frame = frame.reset_index()
    frame.columns = frame.columns.map(str)
    _refuse_duplicates(path, list(frame.columns))
    return frame.reset_index(drop=True)
