"""Where a result comes from: versions and the source's revision."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

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
