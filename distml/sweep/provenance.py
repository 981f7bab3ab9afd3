"""Where a result comes from: versions, the source's revision, the user's own code."""

import hashlib
import importlib.metadata
import inspect
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distml.models.family import Family

_PACKAGES = ("distml", "ray", "torch", "pytorch-lightning", "scikit-learn", "optuna", "pandas", "numpy")


def versions() -> dict[str, str]:
    """Package -> version, without importing any of them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def git_revision(folder: Path) -> str | None:
    """The commit that a folder is at, with '-dirty' where it has changes; None outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match="],
            cwd=folder, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def code_of(families: Mapping[str, Family]) -> dict[str, str]:
    """Family -> SHA-256 of the file that holds its class, for a user's own; what the file imports is not looked at."""
    found = {}
    for name, family in families.items():
        kind = getattr(family.build, "kind", None)  # of a user's class alone
        if kind is not None and (file := inspect.getsourcefile(kind)) is not None:
            found[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return found


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What may make scores differ between two openings of a sweep; a sentence each.

    >>> before = {"versions": {"torch": "2.12"}, "code": {"mine": "a1"}}
    >>> changes(before, {"versions": {"torch": "2.13"}, "code": {"mine": "b2"}})
    ["mine: its class's file has changed", 'torch 2.12 is 2.13 now']
    """
    code, versions_before = before.get("code") or {}, before.get("versions") or {}
    changed = [name for name, digest in now["code"].items() if code.get(name, digest) != digest]
    updated = [
        f"{package} {versions_before[package]} is {version} now"
        for package, version in now["versions"].items()
        if versions_before.get(package, version) != version
    ]
    return [*(f"{name}: its class's file has changed" for name in changed), *updated]
