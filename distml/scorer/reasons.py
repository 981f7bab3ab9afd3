"""Why a row has its score: SHAP values of the calibrated probability over the table's own columns."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from distml.data.kinds import apply_kinds
from distml.data.options import Kind
from distml.scorer.errors import ScorerError
from distml.scorer.score import Scorer

ROWS = 32  # of the background: against their mean score a row is explained
_SEED = 0


def background_of(frame: pd.DataFrame, kinds: Mapping[str, Kind], rows: int = ROWS, seed: int = _SEED) -> pd.DataFrame:
    """Made-up rows with the columns' own distributions: each cell is drawn by itself, so that no row is a person's.

    A text may tell of a person by itself: such cells are empty.

    frame: the training rows, their kinds applied.
    """
    frame = frame.assign(**{name: "" for name in frame.columns if kinds[name] == "text"})
    generator = np.random.default_rng(seed)
    drawn = {name: frame[name].to_numpy()[generator.integers(len(frame), size=rows)] for name in frame.columns}
    return pd.DataFrame(drawn)


def explainer(scorer: Scorer, count: int) -> Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]:
    """What gives the `count` strongest reasons of rows whose kinds are applied: columns 'reason_1', ...; of those rows
    that could be scored.

    A reason is 'column=cell +0.0312': by so much the column's cell moves the probability of the positive class (of
    more classes: of the likeliest one; of a regression: the value) away from the background's mean.

    Raises:
        ScorerError: shap is not installed, or the scorer holds no background.
    """
    manifest = scorer.manifest
    if manifest.background is None:
        raise ScorerError(f"{scorer.folder}: was exported without the rows that reasons are told against")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own imports
            import shap
    except ImportError:
        raise ScorerError("reasons need shap: pip install 'distml[reasons]'") from None
    background = apply_kinds(pd.read_parquet(scorer.folder / manifest.background), manifest.layout.kinds)
    return lambda frame, good: _reasons(shap, scorer, background, frame, good, min(count, len(manifest.columns)))


def _reasons(
    shap: Any, scorer: Scorer, background: pd.DataFrame, frame: pd.DataFrame, good: np.ndarray, count: int
) -> pd.DataFrame:
    texts = np.full((len(frame), count), "", dtype=object)
    codes, against, cells = _coded(frame, background)
    for place in np.flatnonzero(good):
        strengths = _strengths(shap, scorer, cells, codes[place], against)
        for rank, column in enumerate(np.argsort(-np.abs(strengths), kind="stable")[:count]):
            name = frame.columns[column]
            texts[place, rank] = f"{name}={_cell(frame[name].iloc[place])} {strengths[column]:+.4f}"
    return pd.DataFrame({f"reason_{rank + 1}": texts[:, rank] for rank in range(count)}, index=frame.index)


def _coded(frame: pd.DataFrame, background: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Rows and background as (rows, columns) places in each column's distinct cells: shap sees numbers alone."""
    codes, cells = [], {}
    for name in frame.columns:
        both = pd.concat([background[name].astype(frame[name].dtype), frame[name]], ignore_index=True)
        places, distinct = pd.factorize(both, use_na_sentinel=False)
        codes.append(places.astype(np.float64))
        cells[name] = np.asarray(distinct)
    places = np.column_stack(codes)
    return places[len(background) :], places[: len(background)], cells


def _strengths(
    shap: Any, scorer: Scorer, cells: dict[str, np.ndarray], row: np.ndarray, against: np.ndarray
) -> np.ndarray:
    """(columns,) SHAP values of one row, the same whatever rows stand beside it."""

    def probability(places: np.ndarray) -> np.ndarray:
        taken = {name: cells[name][places[:, i].astype(np.int64)] for i, name in enumerate(cells)}
        return scorer.probability(pd.DataFrame(taken))

    own = probability(row[None, :])
    likeliest = int(np.argmax(own[0])) if own.ndim == 2 else None

    def score(places: np.ndarray) -> np.ndarray:
        found = probability(places)
        return found if likeliest is None else found[:, likeliest]

    masker = shap.maskers.Independent(against, max_samples=len(against))
    explain = shap.explainers.Permutation(score, masker, seed=_SEED)
    once = 2 * len(row) + 1  # once through the columns and back; many small calls take three times as long
    return np.asarray(explain(row[None, :], max_evals=once, batch_size=once, silent=True).values[0])


def _cell(cell: Any) -> str:
    if pd.isna(cell):
        return "missing"
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.6g}"
    return str(cell)
