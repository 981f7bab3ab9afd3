"""One scorer of every kind of member, made once for the tests that open it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from distml.scorer.opening import open_scorer
from distml.scorer.score import Scorer
from distml.sweep.export import export_scorer
from tests.sweep.trained import GERMAN, TRIALS, checked_german, write_trained


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer's folder that no test changes."""
    return export_scorer(write_trained(tmp_path_factory.mktemp("runs"), checked_german(), TRIALS)).folder


@pytest.fixture(scope="session")
def scorer(made: Path) -> Scorer:
    return open_scorer(made)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A scorer's folder to be changed."""
    return Path(shutil.copytree(made, tmp_path / "scorer"))


@pytest.fixture(scope="session")
def german() -> pd.DataFrame:
    return pd.read_csv(GERMAN).drop(columns="creditability")
