"""Tables that the experiments need and whose licence keeps them out of this repository."""

import os
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def table(folder: str, name: str) -> Path:
    """A table in its experiment's folder, or in the one that DISTML_DATA names; where it is in neither, skip."""
    places = [EXPERIMENTS / folder, *([Path(named)] if (named := os.environ.get("DISTML_DATA")) else [])]
    found = [place / name for place in places if (place / name).is_file()]
    if not found:
        pytest.skip(f"{name} is not at hand: see experiments/{folder}/README.md")
    return found[0]
