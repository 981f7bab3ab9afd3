"""What a result comes from, and what of it has changed."""

import sys
from pathlib import Path

import pytest

from distml.models.custom import family_from_class
from distml.models.registry import find_family
from distml.sweep.provenance import changes, code_of, versions

MODEL = "from sklearn.tree import DecisionTreeClassifier\n\n\nclass Tree(DecisionTreeClassifier): ...\n"


def test_a_users_class_that_was_edited_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited_trees.py"
    file.write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    families = {"mine": family_from_class("edited_trees:Tree", {}), "theirs": find_family("random-forest")}
    before = {"versions": versions(), "code": code_of(families)}
    assert list(before["code"]) == ["mine"]
    assert changes(before, {"versions": versions(), "code": code_of(families)}) == []
    file.write_text(MODEL + "# edited\n")
    after = {"versions": {**versions(), "torch": "0.1"}, "code": code_of(families)}
    assert changes(before, after) == [
        "mine: its class's file has changed", f"torch {versions()['torch']} is 0.1 now",
    ]  # fmt: skip
    assert changes({}, after) == []  # of a sweep that did not write it down
    sys.modules.pop("edited_trees")
