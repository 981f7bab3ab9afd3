"""Further targets: columns that are learnt beside the target and are no inputs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import outline, prepare_folds
from distml.data.variant import Variant
from distml.errors import MistakesError
from tests.data.tables import loaded

ROWS = 60
FRAME = pd.DataFrame(
    {
        "x": np.random.default_rng(0).normal(size=ROWS),
        "y": np.arange(ROWS) % 2,
        "limit": np.arange(ROWS) * 10.0,
        "late": np.where(np.arange(ROWS) % 3, "no", "yes"),
        "job": np.where(np.arange(ROWS) % 2, "clerk", "smith"),
        "place": np.arange(ROWS) % 4,
    }
)


def test_further_targets_are_numbers_beside_the_folds_and_no_inputs(tmp_path: Path) -> None:
    frame = FRAME.assign(limit=FRAME["limit"].where(FRAME.index != 7), y=FRAME["y"].where(FRAME.index != 3))
    dataset = loaded(tmp_path, frame, further_targets=("limit", "late"), positive=1)
    assert set(dataset.frame) == {"x", "job", "place"}
    assert dataset.further.dtype == np.float32 and dataset.further.shape == (ROWS - 1, 2)
    assert dataset.further[3].tolist() == [40.0, 0.0]  # the row without a target is gone
    assert np.isnan(dataset.further[6, 0])
    folds = prepare_folds(dataset, Variant(), 0)
    for fold in folds:
        np.testing.assert_array_equal(fold.further_train, dataset.further[fold.train_rows])
    assert outline(dataset, folds[0]).further == 2


def test_without_them_there_are_none(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, FRAME, positive=1)
    fold = prepare_folds(dataset, Variant(), 0)[0]
    assert fold.further_train is None and outline(dataset, fold).further == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"further_targets": ("limt",)}, "'limt' is not a column. Did you mean 'limit'?"),
        ({"further_targets": ("y",)}, "'y' is the target; take it off the list"),
        ({"further_targets": ("limit",), "drop": ("limit",)}, "'limit' is named by data.drop, too"),
        ({"further_targets": ("place",), "group": "place"}, "'place' is named by data.group, too"),
        ({"further_targets": ("job",)}, "'job' holds categorical cells"),
        ({"further_targets": ("limit",), "target": None, "task": "clustering"}, "has no use in clustering"),
    ],
)
def test_mistakes(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(MistakesError) as caught:
        loaded(tmp_path, FRAME, **{"positive": None if "target" in options else 1, **options})
    (mistake,) = [one for one in caught.value.mistakes if one.where == "data.further_targets"]
    assert mistake.what.startswith(said)
