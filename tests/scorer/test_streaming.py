"""Tables piece by piece: every format the same, broken rows in their places, memory that does not grow."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.data.kinds import apply_kinds
from distml.data.table import TableError
from distml.scorer import streaming
from distml.scorer.streaming import open_table

NAMES = ["amount", "purpose"]
KINDS = {"amount": "numeric", "purpose": "categorical"}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    amount = generator.normal(1000, 300, 25_000).round(2)
    amount[::7] = np.nan
    purpose = generator.choice(np.array(["car", "a house,\nold", "7", None], dtype=object), 25_000)
    return pd.DataFrame({"other": 1, "amount": amount, "purpose": purpose})


def read(path: Path, wanted: list[str] = NAMES) -> tuple[pd.DataFrame, dict[int, str], list[int]]:
    """(the whole table with its kinds applied, broken rows, sizes of the pieces)."""
    parts, broken, sizes = [], {}, []
    with open_table(path, wanted, ["amount"]) as stream:
        for piece in stream.pieces:
            broken |= {sum(sizes) + place: why for place, why in piece.broken.items()}
            sizes.append(len(piece.table))
            parts.append(apply_kinds(piece.table, KINDS))
    return pd.concat(parts, ignore_index=True), broken, sizes


def write(table: pd.DataFrame, path: Path) -> None:
    suffix = path.name.removesuffix(".gz").rpartition(".")[2]
    if suffix == "parquet":
        table.to_parquet(path)
    elif suffix == "jsonl":
        path.write_text(table.to_json(orient="records", lines=True))
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    if path.name.endswith(".gz") and not path.read_bytes().startswith(b"\x1f\x8b"):
        path.write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet", "t.parquet.gz"])
def test_all_formats_give_the_same_rows_in_order(table: pd.DataFrame, tmp_path: Path, name: str) -> None:
    write(table, tmp_path / name)
    found, broken, sizes = read(tmp_path / name)
    assert broken == {} and sum(sizes) == 25_000 and max(sizes) <= streaming.PIECE
    pd.testing.assert_frame_equal(found, apply_kinds(table, KINDS))


def test_cells_mean_the_same_whatever_stands_beside_them(tmp_path: Path) -> None:
    """'1 200' makes pandas read a column as texts; the others must not change by it."""
    path = tmp_path / "t.csv"
    path.write_text("amount,purpose\n0.1,car\n1 200,car\n 7 ,N/A\nunknown,\n1e3,car\n")
    found, _, _ = read(path)
    assert found["amount"].tolist()[:3] == [0.1, 1200.0, 7.0] and found["amount"][4] == 1000.0
    assert np.isnan(found["amount"][3]) and found["purpose"].isna().tolist() == [False, False, True, True, False]


@pytest.mark.parametrize("places", [[0], [9_999], [10_000], [24_998, 24_999], [0, 1, 12_345, 24_999], range(25_000)])
def test_rows_that_do_not_read_keep_their_places(
    table: pd.DataFrame, tmp_path: Path, places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_BLOCK_BYTES", 100_000)
    plain = table.assign(purpose="car", amount=range(25_000))[NAMES]
    lines = plain.to_csv(index=False).splitlines()
    for place in places:
        lines[place + 1] = "1,2,3,4" if place % 2 else "1"
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    found, broken, _ = read(path)
    assert len(found) == 25_000 and sorted(broken) == list(places)
    assert found.index[found["amount"].isna()].tolist() == list(places)
    rest = found["amount"].dropna()
    assert (rest == rest.index).all()
    assert all(why == f"has {4 if place % 2 else 1} cells where the header has 2" for place, why in broken.items())


def test_json_lines_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"amount": 1, "purpose": "car"}\nnot json\n[1]\n\n{"amount": 2}\n')
    found, broken, _ = read(path)
    assert broken == {1: "is not JSON", 2: "is no JSON object"}
    assert found["amount"].tolist()[::3] == [1, 2]


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("amount,purpose\n")
    with open_table(path, NAMES) as stream:
        assert stream.columns == NAMES and sum(len(piece.table) for piece in stream.pieces) == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"\n\n", "the file is empty"),
        ("t.xlsx", b"PK", "unknown kind of file"),
        ("t.csv", b"amount,amount\n1,2\n", "more than one column is named 'amount'"),
        ("t.csv", b"amount,\xff\n1,2\n", "is not UTF-8"),
        ("t.csv.gz", gzip.compress(b"amount\n" + b"1\n" * 99_999)[:-40], "broken"),
        ("t.parquet", b"PAR1 no", "not readable as Parquet"),
        ("t.jsonl", b"\n", "the file is empty"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said):
        read(tmp_path / name, ["amount"])
    with pytest.raises(TableError, match="cannot be read: No such file"), open_table(tmp_path / "none.csv", NAMES):
        pass


MEASURE = """
import resource, sys
from pathlib import Path
from distml.scorer.streaming import open_table
with open_table(Path(sys.argv[1]), ["amount", "purpose"], ["amount"]) as stream:
    next(stream.pieces)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = sum(len(piece.table) for piece in stream.pieces)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("suffix", ["csv.gz", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str) -> None:
    """By as many rows as would take hundreds of MiB if they were held."""
    path, line = tmp_path / f"t.{suffix}", "123.456,car" + "x" * 40
    if suffix == "jsonl":
        one = json.dumps({"amount": 1.5, "purpose": "c" * 40})
        path.write_text(f"{one}\n" * 300_000)
    else:
        path.write_bytes(gzip.compress(("amount,purpose\n" + f"{line}\n" * 400_000).encode(), 1))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    rows, mib = map(float, done.stdout.split())
    assert rows >= 289_000
    assert mib < 40
