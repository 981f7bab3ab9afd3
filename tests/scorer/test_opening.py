"""Scorers that were damaged, changed, made by others: refused with one message, and never run."""

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from distml.data.table import file_sha256
from distml.data.task import Outline
from distml.data.text import TextFeatures
from distml.errors import DistmlError
from distml.models.registry import default_space, family_names, find_family
from distml.models.space import Choice
from distml.scorer.files import seal
from distml.scorer.opening import changed_versions, open_scorer
from distml.scorer.score import Scorer
from distml.scorer.storage import read_object, write_object
from tests.data.test_preprocessing import FRAME, VARIANTS, prepared


def rewritten(folder: Path, **changes: Any) -> None:
    """scorer.json with other content, and the seal that belongs to it, as someone who means harm would write it."""
    plain = json.loads((folder / "scorer.json").read_text())
    plain.pop("seal")
    plain |= changes
    (folder / "scorer.json").write_text(json.dumps({**plain, "seal": seal(plain)}))


def replaced(folder: Path, name: str) -> None:
    """The checksum of a file as it is now."""
    plain = json.loads((folder / "scorer.json").read_text())
    rewritten(folder, sha256={**plain["sha256"], name: file_sha256(folder / name)})


def file_of(folder: Path, suffix: str) -> str:
    return next(path.name for path in sorted(folder.glob(f"t*{suffix}")))


class Harm:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_no_folder_and_no_scorer(tmp_path: Path) -> None:
    with pytest.raises(DistmlError, match=r"holds no scorer.*distml export NAME"):
        open_scorer(tmp_path / "nowhere")
    (tmp_path / "scorer").mkdir()
    (tmp_path / "scorer" / "scorer.json").write_text("{}")
    with pytest.raises(DistmlError, match=f"It is in {tmp_path / 'scorer'}"):
        open_scorer(tmp_path)


def test_all_missing_and_changed_files_at_once(copy: Path) -> None:
    forest, network = file_of(copy, ".skops"), file_of(copy, ".safetensors")
    (copy / forest).unlink()
    (copy / network).write_bytes((copy / network).read_bytes()[:-1] + b"\x07")
    with pytest.raises(DistmlError) as said:
        open_scorer(copy)
    assert f"{forest}" in str(said.value) and "is missing" in str(said.value)
    assert f"{network}" in str(said.value) and "was changed after the scorer was made" in str(said.value)


def test_a_changed_description(copy: Path) -> None:
    path = copy / "scorer.json"
    path.write_text(path.read_text().replace('"weight": 0.', '"weight": 0.0'))
    with pytest.raises(DistmlError, match="was changed after it was made"):
        open_scorer(copy)
    path.write_text("{ torn")
    with pytest.raises(DistmlError, match="is damaged"):
        open_scorer(copy)
    path.write_text("[]")
    with pytest.raises(DistmlError, match="is damaged"):
        open_scorer(copy)


def test_a_newer_distml(copy: Path) -> None:
    rewritten(copy, format=2, distml="9.9", shape="unheard of")
    with pytest.raises(DistmlError, match=r"made by a newer distml \(9.9; scorer format 2, this one knows 1\)"):
        open_scorer(copy)


def test_a_pickle_in_place_of_a_model_is_not_run(copy: Path, tmp_path: Path) -> None:
    name, mark = file_of(copy, ".skops"), tmp_path / "harm"
    (copy / name).write_bytes(pickle.dumps(Harm(mark)))
    replaced(copy, name)
    with pytest.raises(DistmlError, match="is not a model that distml wrote"):
        open_scorer(copy)
    for suffix in (".safetensors", ".ubj"):
        if list(copy.glob(f"t*{suffix}")):
            name = file_of(copy, suffix)
            (copy / name).write_bytes(pickle.dumps(Harm(mark)))
            replaced(copy, name)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".ubj"])
def test_neither_in_place_of_weights(made: Path, tmp_path: Path, suffix: str) -> None:
    """Whatever members the ensemble has: the readers themselves."""
    from distml.data.task import Outline
    from distml.models.registry import find_family
    from distml.scorer.storage import read_network, read_xgboost

    path, mark = tmp_path / f"t0001{suffix}", tmp_path / "harm"
    path.write_bytes(pickle.dumps(Harm(mark)))
    family = find_family("scoring-network" if suffix == ".safetensors" else "xgboost")
    model = (family.build_plain or family.build)({}, Outline("classification", 3), 0)
    with pytest.raises(DistmlError, match="t0001"):
        (read_network if suffix == ".safetensors" else read_xgboost)(model, path)
    assert not mark.exists()


@pytest.mark.parametrize("held", [os.system, os.path.join, pickle.loads, type("Mine", (), {})()])
def test_a_skops_file_of_anything_else_is_refused(copy: Path, held: Any) -> None:
    name = file_of(copy, ".skops")
    skops.io.dump({"model": held}, copy / name)
    replaced(copy, name)
    with pytest.raises(DistmlError, match="holds what may run code and was not opened"):
        open_scorer(copy)


def test_a_skops_file_that_calls_is_refused(copy: Path) -> None:
    """A schema made up by hand: a constructor named where none belongs."""
    name = file_of(copy, ".skops")
    schema = {
        "__class__": "system", "__module__": "posix", "__loader__": "ObjectNode", "protocol": 2,
        "_skops_version": "0.16",
        "content": {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"touch harm"'},
    }  # fmt: skip
    with zipfile.ZipFile(copy / name, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    replaced(copy, name)
    with pytest.raises(DistmlError):
        open_scorer(copy)


def test_files_outside_the_folder_are_not_reached(copy: Path) -> None:
    plain = json.loads((copy / "scorer.json").read_text())
    plain["members"][0]["model"] = "../../etc/passwd"
    rewritten(copy, members=plain["members"])
    with pytest.raises(DistmlError, match="is not as distml writes it: members"):
        open_scorer(copy)


def test_a_users_class_is_not_imported_unless_trusted(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "harmful", None)
    plain = json.loads((copy / "scorer.json").read_text())
    plain["members"][0]["own_class"] = "harmful.models:Net"
    rewritten(copy, members=plain["members"])
    with pytest.raises(DistmlError, match=r"--trust harmful\.models"):
        open_scorer(copy)
    with pytest.raises(DistmlError, match=r"importing 'harmful\.models' raised"):
        open_scorer(copy, ["harmful"])


def test_other_versions_are_said(scorer: Scorer) -> None:
    assert changed_versions(scorer.manifest) == []
    older = scorer.manifest.model_copy(update={"versions": {"scikit-learn": "0.9"}})
    assert "made with scikit-learn 0.9" in changed_versions(older)[0]


def test_a_text_preprocessor_opens_as_it_was_written(tmp_path: Path) -> None:
    texts = pd.DataFrame({"note": ["paid in full", "late again and again", "never paid", np.nan] * 5})
    for terms in ("words", "bigrams", "characters"):
        fitted = TextFeatures(terms, dimensions=3).fit(texts)
        write_object(fitted, tmp_path / f"{terms}.skops")
        opened = read_object(tmp_path / f"{terms}.skops", ())
        np.testing.assert_array_equal(opened.transform(texts), fitted.transform(texts))


@pytest.mark.filterwarnings("ignore:n_quantiles:UserWarning")
def test_every_preprocessing_variant_opens_as_it_was_written(tmp_path: Path) -> None:
    for number, variant in enumerate(VARIANTS):
        fitted, matrix = prepared(variant)
        write_object(fitted, tmp_path / f"{number}.skops")
        opened = read_object(tmp_path / f"{number}.skops", ())
        np.testing.assert_array_equal(opened.transform(FRAME), matrix, str(variant))


ESTIMATORS = [
    name for name in family_names()
    if name not in {"scoring-network", "xgboost", "bayes-net", "umap"}  # written otherwise, or not installed everywhere
    and "classification" in find_family(name).tasks
]  # fmt: skip


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_family_opens_as_it_was_written(tmp_path: Path, name: str) -> None:
    """At each choice of its space; of few columns, where k-nearest-neighbours keep a tree of the rows."""
    family, outline = find_family(name), Outline(task="classification", features=3, classes=2)
    space = default_space(family, "classification")
    choices = [
        {parameter: option}
        for parameter, domain in space.items() if isinstance(domain, Choice) for option in domain.options
    ]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(240, 3)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] ** 2 > 1).astype(np.int64)
    if family.unlabelled:
        y[::3] = -1
    small = {"n_estimators": 4} if "n_estimators" in space else {}
    for number, params in enumerate([{}, *choices]):
        fitted = family.build({**small, **params}, outline, 0).fit(x, y)
        write_object(fitted, tmp_path / f"{number}.skops")
        opened = read_object(tmp_path / f"{number}.skops", ())
        np.testing.assert_array_equal(opened.predict_proba(x), fitted.predict_proba(x), str(params))
