"""Records on disk: whole, edited, cut short, of another version, of something else."""

import json
import math
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from distml.bench.record import (
    EDITED,
    Measured,
    Published,
    PublishedFigure,
    checksum,
    read,
    read_measured,
    schema,
    write,
)
from distml.errors import DistmlError, MistakesError
from tests.bench.records import arm, record

HARDWARE = Path(__file__).parents[2] / "experiments" / "hardware"
PUBLISHED = Published(
    label="theirs", source="A paper, 2022", url="https://example.org", read="2026-11-23",
    figures=(PublishedFigure(what="speed-up", value=2.0, unit="times", hardware="A100"),),
)  # fmt: skip


@pytest.fixture
def path(tmp_path):
    """A record as `distml bench` writes it."""
    file = tmp_path / "deep" / "a.json"
    write(record(arm([100.0, 101.0, 99.0, 100.5, 98.0])), file)
    return file


def change(path, **changes):
    """Edit a record's file; the text before."""
    text = path.read_text()
    path.write_text(json.dumps({**json.loads(text), **changes}))
    return text


def test_what_was_written_is_read_again(path):
    found = read(path)
    assert isinstance(found, Measured)
    assert found == record(arm([100.0, 101.0, 99.0, 100.5, 98.0]))
    assert [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_a_record_edited_by_hand_shows_it(path):
    content = json.loads(path.read_text())
    content["arms"][0]["trials_per_hour"]["median"] = 100_000.0
    path.write_text(json.dumps(content))
    assert EDITED in read(path).marks


def test_a_record_without_its_checksum_shows_it(path):
    content = json.loads(path.read_text())
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert EDITED in read(path).marks


def test_layout_and_order_are_no_edits(path):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(sorted(content.items(), reverse=True))))
    assert read(path).marks == ()


def test_the_checksum_is_over_canonical_json():
    assert checksum({"b": 1, "a": "ä"}) == checksum({"a": "ä", "b": 1, "checksum": "x"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        checksum({"a": math.inf})


def test_a_record_of_a_future_version_says_so(path):
    change(path, version=2)
    with pytest.raises(DistmlError, match="of version 2; this distml reads version 1"):
        read(path)


def test_a_record_that_is_nested_without_end_is_none(path):
    path.write_text("[" * 100_000)
    with pytest.raises(DistmlError, match="nested too deeply"):
        read(path)


def test_a_record_that_is_cut_short_says_so(path):
    text = path.read_text()
    for length in (1, len(text) // 3, len(text) // 2, len(text) - 3):
        path.write_text(text[:length])
        with pytest.raises(DistmlError, match="ends in the middle"):
            read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends in the middle"),
        ("[1, 2]", "is no throughput record"),
        ('{"format": "else"}', "is no throughput record"),
        ("key: value\nmore: {", "is not JSON"),
        ("\x00\xff", "is no record|is not JSON"),
    ],
)
def test_what_is_no_record_is_refused_in_a_sentence(tmp_path, text, said):
    file = tmp_path / "x.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DistmlError, match=said):
        read(file)


def test_what_is_not_there_names_the_command(tmp_path):
    with pytest.raises(DistmlError, match="make one with: distml bench"):
        read(tmp_path / "none.json")
    with pytest.raises(DistmlError, match="is a folder"):
        read(tmp_path)


def test_all_mistakes_of_a_record_are_told_at_once(path):
    content = json.loads(path.read_text())
    content["surprise"] = 1
    content["arms"][0]["processes"] = 0
    content["machine"]["cores"] = "two"
    path.write_text(json.dumps(content))
    with pytest.raises(MistakesError) as error:
        read(path)
    assert {one.where for one in error.value.mistakes} == {"surprise", "arms[0].processes", "machine.cores"}
    assert "'two': input should be a valid integer" in str(error.value)


@pytest.mark.parametrize(("field", "value"), [("repeats", []), ("trials_per_hour", None)])
def test_an_arm_that_was_measured_has_figures(path, field, value):
    content = json.loads(path.read_text())
    arm = content["arms"][0]
    arm[field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(MistakesError) as error:
        read(path)
    (mistake,) = error.value.mistakes
    assert mistake.where == "arms[0]"
    assert mistake.what == f"{arm['name']}: state is 'measured', and there are no {field}; measure again: distml bench"


def test_published_figures_have_a_source_and_are_no_measurement(tmp_path):
    write(PUBLISHED, tmp_path / "p.json")
    assert read(tmp_path / "p.json") == PUBLISHED
    with pytest.raises(DistmlError, match="published figures"):
        read_measured(tmp_path / "p.json")
    with pytest.raises(ValidationError):
        Published(**{**PUBLISHED.model_dump(), "source": None})
    change(tmp_path / "p.json", label="ours")
    assert EDITED in read(tmp_path / "p.json").label


def test_a_record_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DistmlError, match="Choose another place with --output FILE"):
        write(PUBLISHED, tmp_path / "file" / "a.json")


def test_written_records_suit_the_schema(path, tmp_path):
    write(PUBLISHED, tmp_path / "p.json")
    for file in (path, tmp_path / "p.json"):
        jsonschema.validate(json.loads(file.read_text()), schema())
    broken = json.loads(path.read_text())
    broken["arms"][0]["state"] = "guessed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())


def test_the_committed_schema_is_the_present_one():
    assert json.loads((HARDWARE / "record.schema.json").read_text()) == json.loads(json.dumps(schema()))


@pytest.mark.parametrize("file", sorted(HARDWARE.glob("*/*.json")), ids=lambda file: file.stem)
def test_committed_records_are_whole(file):
    found = read(file)
    assert EDITED not in getattr(found, "marks", ()) and EDITED not in found.label
    jsonschema.validate(json.loads(file.read_text()), schema())
