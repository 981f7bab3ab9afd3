import pytest

from distml.errors import DistmlError, MistakesError
from distml.sweep.loading import parse_mapping, read_mapping

BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [f"{to}: &{to} [{', '.join(['*' + of] * 9)}]" for of, to in zip("abcdefgh", "bcdefghi", strict=True)]
)


def mistakes(text: str | bytes) -> str:
    with pytest.raises(MistakesError) as raised:
        parse_mapping(text if isinstance(text, bytes) else text.encode(), "credit.yaml")
    assert "credit.yaml has 1 mistake" in str(raised.value)
    return str(raised.value)


def test_plain_values_are_read() -> None:
    assert parse_mapping(b"name: x\nseed: 7\nshares: [0.5, null, true]\n", "x") == {
        "name": "x",
        "seed": 7,
        "shares": [0.5, None, True],
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_mapping(b"\xef\xbb\xbfname: x", "x") == {"name": "x"}


def test_a_yaml_bomb_is_refused_at_its_first_alias() -> None:
    assert "line 2" in mistakes(BOMB)
    assert "aliases (*a) are not accepted" in mistakes(BOMB)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "line 2  aliases (*x)"),
        ("a: 1\nb: 2\na: 3", "line 3  the key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
        ("no: 1", "the key no is read as False, not as text; put it in quotes"),
        ("2020: numeric", "the key 2020 is read as 2020"),
        ("? [1]\n: 2", "a key must be text"),
        ("a:\n\t- b", "line 2  a tab; YAML indents with spaces"),
        ("a: [1", "expected ',' or ']'"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: !!python/object/apply:os.system [ls]", "tags ("),
        ("a: !!timestamp x", "tags ("),
        ("a: 2024-13-45", "line 1  month must be in 1..12"),
        ("a: " + "9" * 5000, "line 1"),
        ("a: " + "[" * 500, "nested more than 40 deep"),
        ("a: \x00", "not allowed"),
        ("", "is empty"),
        ("# only a comment", "is empty"),
        ("- a\n- b", "holds a list, not a mapping"),
        ("just words", "holds a text, not a mapping"),
        (b"name: caf\xe9", "line 1  byte 0xe9 is not UTF-8"),
        (b"a: 1\n" + b"#" * 2**20, "larger than 1 MiB"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str | bytes, said: str) -> None:
    assert said in mistakes(text)


def test_files_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(DistmlError, match=r"there is no file .*none\.yaml"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(DistmlError, match="is a folder"):
        read_mapping(tmp_path)
