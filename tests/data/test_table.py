import gzip
import hashlib
import json

import pandas as pd
import pytest

from distml.data.table import TableError, file_sha256, read_table

FRAME = pd.DataFrame({"age": [31, 47], "job": ["clerk", "miner"], "wage": [1.5, None]})
LINES = "\n".join(json.dumps(row) for row in [{"age": 31, "job": "clerk", "wage": 1.5}, {"age": 47, "job": "miner"}])


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"])
def test_every_format_gives_the_same_frame(tmp_path, suffix, packed):
    raw = {
        ".csv": lambda: FRAME.to_csv(index=False).encode(),
        ".tsv": lambda: FRAME.to_csv(index=False, sep="\t").encode(),
        ".parquet": FRAME.to_parquet,
    }.get(suffix, LINES.encode)()
    path = tmp_path / f"wages{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    pd.testing.assert_frame_equal(read_table(path), FRAME)


def test_gzip_is_known_by_its_bytes_not_by_its_name(tmp_path):
    path = tmp_path / "wages.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path).to_dict("list") == {"a": [1], "b": [2]}


def test_byte_order_mark_is_no_part_of_a_name(tmp_path):
    assert list(read_table(write(tmp_path / "t.csv", "a,b\n1,2\n", "utf-8-sig")).columns) == ["a", "b"]


def test_json_text_may_hold_line_separators(tmp_path):
    assert read_table(write(tmp_path / "t.jsonl", '{"a": "x\u2028y"}\n\n{"a": "z"}\n'))["a"].tolist() == [
        "x\u2028y",
        "z",
    ]


def test_parquet_index_with_a_name_is_a_column(tmp_path):
    FRAME.set_index("job").to_parquet(tmp_path / "t.parquet")
    assert sorted(read_table(tmp_path / "t.parquet").columns) == ["age", "job", "wage"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b" \n\n", "the file is empty"),
        ("t.csv.gz", gzip.compress(b""), "the file is empty"),
        ("t.csv", b"\xef\xbb\xbf", "the file is empty"),
        ("t.csv", b"a,b\n", "has a header but no rows"),
        ("t.csv", b"a;b\n1;2\n", "separated by semicolons, not commas; save it with commas"),
        ("t.csv", b"a;b\n1,5;2,5\n", "separated by semicolons, not commas; save it with commas"),
        ("t.csv", b"a|b\n1|2\n", "separated by bars (|), not commas; save it with commas"),
        ("t.csv", b"a\tb\n1\t2\n", "separated by tabs; rename it to end in .tsv"),
        ("t.tsv", b"a,b\n1,2\n", "separated by commas; rename it to end in .csv"),
        ("t.csv", "name,a\nx,1\nJos\u00e9,2\n".encode("latin-1"), "line 3 holds the byte 0xe9, which is not UTF-8"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("t.csv", b"a,b\n1,2,3\n1,2,3\n", "more cells than the header has names (2)"),
        ("t.csv", b"a,b,a\n1,2,3\n", "more than one column is named 'a'"),
        ("t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 100)[:-12], "broken gzip"),
        ("t.csv.gz", b"a,b\n1,2\n", "is not gzip in spite of its name"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("t.jsonl", b"[1, 2]\n", "line 1 is not an object"),
        ("t.parquet", b"a,b\n1,2\n", "is not readable as Parquet"),
        ("t.xlsx", b"PK", "unknown kind of file; give .csv, .tsv, .jsonl or .parquet"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "credit.csv", "a,b\n1,2\n")
    with pytest.raises(TableError, match=r"no such file\. Did you mean 'credit\.csv'\?"):
        read_table(tmp_path / "credti.csv")
    with pytest.raises(TableError, match=r"there is no folder"):
        read_table(tmp_path / "nowhere" / "credit.csv")


def test_folder_is_refused(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path / "t.csv")


def test_sha256_is_of_the_bytes_on_disk(tmp_path):
    path = write(tmp_path / "t.csv", "a\n1\n")
    assert file_sha256(path) == hashlib.sha256(b"a\n1\n").hexdigest()
