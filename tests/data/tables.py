"""Tables that several tests of the data layer share."""

from pathlib import Path

import pandas as pd

from distml.data.dataset import Dataset, load_dataset
from distml.data.options import DataOptions

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TAIWAN = EXPERIMENTS / "credit_default" / "credit_default_taiwan.csv.gz"
GERMAN = EXPERIMENTS / "credit_german" / "credit_german.csv.gz"


def saved(folder: Path, frame: pd.DataFrame) -> Path:
    """The frame as a CSV file."""
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    return path


def loaded(folder: Path, frame: pd.DataFrame, **options) -> Dataset:
    """The frame as a dataset whose target is its column y."""
    return load_dataset(DataOptions(saved(folder, frame), **{"target": "y", **options}))
