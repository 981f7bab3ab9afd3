"""Rows without a target: left out, or looked at by preprocessing and by families that learn from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.data.arrays import prepare_folds, prepare_whole
from distml.data.dataset import DataOptions, load_dataset
from distml.data.preprocessing import Variant
from distml.errors import MistakesError
from tests.data.tables import loaded, saved


def table() -> pd.DataFrame:
    """120 rows with a target, and 30 without one, of which alone some are blue and all are 1,000 larger."""
    known, x = np.arange(150) < 120, np.arange(150.0)
    colour = np.where(known, np.where(x % 2, "red", "green"), "blue")
    y = pd.Series(np.where(x % 3 == 0, 1, 0)).where(pd.Series(known)).astype("Int64")
    mixed = np.random.default_rng(0).permutation(150)
    return pd.DataFrame({"x": x + 1000 * ~known, "colour": colour, "y": y}).iloc[mixed]


def test_they_take_part_in_preprocessing_and_in_nothing_else(tmp_path: Path) -> None:
    plain, learnt = loaded(tmp_path, table()), loaded(tmp_path, table(), unlabelled=True)
    assert plain.unlabelled is None and learnt.unlabelled is not None and len(learnt.unlabelled) == 30
    assert "rows without a target are learnt from without it: 30 of 150" in learnt.warnings
    np.testing.assert_array_equal(plain.train, learnt.train)
    np.testing.assert_array_equal(plain.y, learnt.y)
    assert plain.layout.categories["colour"] == ("green", "red")
    assert learnt.layout.categories["colour"] == ("blue", "green", "red")
    for fold, (train, valid) in zip(prepare_folds(learnt, Variant(), 0), learnt.folds, strict=True):
        assert fold.x_unlabelled is not None
        assert fold.x_unlabelled.shape == (30, 4) and fold.x_train.shape == (len(train), 4)
        assert len(fold.y_train) == len(train) and len(fold.x_valid) == len(valid)
        together = np.concatenate([fold.x_train, fold.x_unlabelled])
        np.testing.assert_allclose(together[:, 0].mean(), 0, atol=1e-5)  # scaled by all of them
        assert fold.x_unlabelled[:, 1].tolist() == [1] * 30 and not fold.x_train[:, 1].any()  # blue
    assert prepare_whole(plain, Variant(), 0).x_unlabelled is None


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"drop": ("z",)}, "every row has a target; leave it out"),
        ({"group": "z"}, "rows without a target stand on no side of a split by group"),
        ({"time": "z"}, "rows without a target stand on no side of a split by time"),
    ],
)
def test_where_they_make_no_sense(tmp_path: Path, options: dict[str, object], what: str) -> None:
    frame = table().assign(z=np.arange(150))
    path = saved(tmp_path, frame.dropna() if "drop" in options else frame)
    with pytest.raises(MistakesError) as caught:
        load_dataset(DataOptions(path, "y", unlabelled=True, **options))  # type: ignore[arg-type]
    assert what in {mistake.where: mistake.what for mistake in caught.value.mistakes}["data.unlabelled"]


def test_without_any_target_there_is_nothing_to_say_of_it(tmp_path: Path) -> None:
    with pytest.raises(MistakesError, match=r"data\.unlabelled.*has no use in clustering"):
        load_dataset(DataOptions(saved(tmp_path, table()), None, drop=("y",), task="clustering", unlabelled=True))
