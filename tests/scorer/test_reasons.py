"""The strongest reasons of a row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.data.kinds import apply_kinds
from distml.errors import DistmlError
from distml.scorer.opening import open_scorer
from distml.scorer.reasons import ROWS, background_of, explainer
from distml.scorer.score import Scorer
from tests.scorer.test_opening import rewritten


@pytest.mark.long  # shap compiles itself for seconds
def test_reasons_add_up_to_the_distance_from_the_background(scorer: Scorer, german: pd.DataFrame) -> None:
    pytest.importorskip("shap")
    frame, _ = scorer.read(german.iloc[:4])
    told = explainer(scorer, 20)(frame, np.array([True, True, False, True]))
    assert list(told.columns) == [f"reason_{rank}" for rank in range(1, 21)]
    assert (told.iloc[2] == "").all()
    values = told.map(lambda text: float(text.rpartition(" ")[2]) if text else np.nan)
    background = apply_kinds(pd.read_parquet(scorer.folder / "background.parquet"), scorer.manifest.layout.kinds)
    distance = scorer.probability(frame) - scorer.probability(background).mean()
    np.testing.assert_allclose(values.sum(axis=1)[[0, 1, 3]], distance[[0, 1, 3]], atol=20 * 6e-5)
    assert (values.iloc[0].abs().diff().dropna() <= 0).all()
    assert any(text.startswith("purpose=radio/television ") for text in told.iloc[0])
    again = explainer(scorer, 20)(frame.iloc[3:], np.array([True]))
    assert (again.iloc[0] == told.iloc[3]).all()


def test_no_row_of_the_background_is_a_persons(german: pd.DataFrame) -> None:
    kinds = dict.fromkeys(german.columns, "categorical")
    made = background_of(german, kinds, seed=1)
    assert len(made) == ROWS
    assert not made.merge(german, on=list(german.columns)).shape[0]
    assert all(made[name].isin(german[name]).all() for name in german.columns)
    pd.testing.assert_frame_equal(made, background_of(german, kinds, seed=1))
    told = background_of(german, kinds | {"purpose": "text"}, seed=1)
    assert set(told["purpose"]) == {""} and told["housing"].isin(german["housing"]).all()


def test_without_a_background_there_are_no_reasons(copy: Path) -> None:
    rewritten(copy, background=None)
    with pytest.raises(DistmlError, match="without the rows that reasons are told against"):
        explainer(open_scorer(copy), 3)


def test_without_shap_it_says_what_to_install(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shap", None)
    with pytest.raises(DistmlError, match=r"pip install 'distml\[reasons\]'"):
        explainer(scorer, 3)
