"""A scorer's folder, checked and opened: nothing in it is run, nothing is used that was changed."""

import importlib.metadata
import json
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from distml.data.table import file_sha256
from distml.data.task import Outline
from distml.errors import Mistake, MistakesError
from distml.models.family import Family
from distml.models.probabilities import predicted
from distml.models.registry import find_family
from distml.scorer.errors import ScorerError
from distml.scorer.files import FORMAT, MANIFEST, Manifest, Member, seal
from distml.scorer.score import Part, Scorer
from distml.scorer.storage import read_network, read_object, read_xgboost
from distml.scorer.trust import is_trusted

# Sums of products, whose last bits depend on how many rows are scored at once: in doubles none of them is printed.
_IN_DOUBLES = ("logistic-regression", "naive-bayes", "perceptron", "self-training", "support-vector-machine")
_MATTERS = ("scikit-learn", "torch", "xgboost", "skops")


def open_scorer(folder: str | Path, trust: Collection[str] = ()) -> Scorer:
    """Open the scorer in a folder.

    trust: modules of a user's own classes that may be imported, where the scorer has such.

    Raises:
        ScorerError: no scorer, a newer one, or a file in it that is not what it should be.
        MistakesError: files that are missing or have changed, all of them.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    preparers = {name: read_object(folder / name, trust) for name in {one.preprocessing for one in manifest.members}}
    parts = [
        Part(
            weight=member.weight,
            prepare=preparers[member.preprocessing].transform,
            predict=_open_member(folder, manifest, member, trust),
        )
        for member in manifest.members
    ]
    return Scorer(manifest, parts, folder)


def read_manifest(folder: Path) -> Manifest:
    """What `scorer.json` says.

    Raises:
        ScorerError: it is missing, changed, of another kind, or of a newer distml.
    """
    path = folder / MANIFEST
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(plain, dict):
            raise ValueError("it is no object")
    except (FileNotFoundError, NotADirectoryError):
        near = f" It is in {folder / 'scorer'}." if (folder / "scorer" / MANIFEST).is_file() else ""
        made = "" if near else " `distml export NAME` makes one."
        raise ScorerError(f"{folder}: holds no scorer, for there is no {MANIFEST} in it.{near}{made}") from None
    except OSError as error:
        raise ScorerError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ScorerError(f"{path}: is damaged ({error}); copy the scorer again, or export it again") from None
    version = plain.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ScorerError(
            f"{folder}: was made by a newer distml ({plain.get('distml')}; scorer format {version}, this one knows "
            f"{FORMAT}); update distml"
        )
    stated = plain.pop("seal", None)
    try:
        manifest = Manifest(**plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ScorerError(f"{path}: is not as distml writes it: {where}: {first['msg']}") from None
    if stated != seal(plain):
        raise ScorerError(f"{path}: was changed after it was made; copy the scorer again, or export it again")
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    needed = {name for member in manifest.members for name in (member.preprocessing, member.model)}
    needed |= {manifest.background} if manifest.background else set()
    found = []
    for name in sorted(needed | set(manifest.sha256)):
        if not (folder / name).is_file():
            found.append(Mistake(name, "is missing; copy the scorer again, or export it again"))
        elif name not in manifest.sha256:
            found.append(Mistake(name, f"has no checksum in {MANIFEST}; export the scorer again"))
        elif file_sha256(folder / name) != manifest.sha256[name]:
            found.append(Mistake(name, "was changed after the scorer was made; copy it again, or export it again"))
    if found:
        raise MistakesError(str(folder), found)


def changed_versions(manifest: Manifest) -> list[str]:
    """Libraries that are not here in the version that the scorer was made with; a sentence each."""
    said = []
    for package in _MATTERS:
        if package in manifest.versions:
            try:
                here = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue  # where it is needed, opening says so
            if here != manifest.versions[package]:
                said.append(f"made with {package} {manifest.versions[package]}, here is {here}: scores may differ")
    return said


def _open_member(
    folder: Path, manifest: Manifest, member: Member, trust: Collection[str]
) -> Callable[[np.ndarray], np.ndarray]:
    """(rows, features) float32 -> what predicted gives."""
    family, outline, path = _family_of(member, trust), manifest.outline_of(member), folder / member.model
    if family.engine == "network":
        return _open_network(member, family, outline, path)
    if member.model.endswith(".ubj"):
        model = family.build(_with_tuples(member.params), outline, member.seed)
        read_xgboost(model, path)
    else:
        model = read_object(path, trust)
    in_doubles = member.own_class is None and member.family in _IN_DOUBLES
    return partial(_estimated, model, outline, np.dtype(np.float64 if in_doubles else np.float32))


def _open_network(member: Member, family: Family, outline: Outline, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import torch  # takes a second, which scorers without networks do without

    torch.set_num_threads(1)  # blocks of rows are scored side by side, each on a thread of its own
    build = family.build_plain or family.build
    module = build(_with_tuples(member.params), outline, member.seed)
    read_network(module, path)
    if member.own_class is None:
        module.double()
    return partial(_network_output, module, outline, torch.float64 if member.own_class is None else torch.float32)


def _family_of(member: Member, trust: Collection[str]) -> Family:
    if member.own_class is None:
        try:
            return find_family(member.family)
        except ValueError as error:
            raise ScorerError(f"{member.trial}: {error}") from None
    module = member.own_class.partition(":")[0]
    if not is_trusted(module, trust):
        raise ScorerError(
            f"{member.trial} is of a class of your own, {member.own_class}, which opening would import and run. "
            f"Where you trust it: --trust {module}"
        )
    from distml.models.custom import family_from_class

    try:
        return family_from_class(member.own_class, {})
    except ValueError as error:
        raise ScorerError(f"{member.trial}: {error}") from None


def _estimated(model: Any, outline: Outline, dtype: "np.dtype[Any]", x: np.ndarray) -> np.ndarray:
    return predicted(model, x.astype(dtype, copy=False), outline)


def _network_output(module: Any, outline: Outline, dtype: Any, x: np.ndarray) -> np.ndarray:
    import torch

    from distml.models.network_output import predictions

    return predictions(module, torch.from_numpy(x).to(dtype), outline)


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_tuples(item) for name, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
