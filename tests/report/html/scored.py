"""The German credit table with a logistic regression's predictions, as `distml export` would leave them."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from distml.data.dataset import Dataset, load_dataset
from distml.data.options import DataOptions
from distml.report.html.evaluation import Evaluation, read_evaluation
from distml.sweep.runs import RunFolder
from tests.report.html.large import write_large_sweep
from tests.running.command import GERMAN

TARGET = {"source": str(GERMAN), "target": "creditability", "positive": "bad"}


@cache
def german() -> Dataset:
    return load_dataset(DataOptions(GERMAN, "creditability", "bad"))


@cache
def predicted() -> pd.DataFrame:
    """The columns of evaluation.parquet."""
    data, found = german(), []
    for learn, held in data.folds:
        scores = _model(data).fit(data.frame.iloc[learn], data.y[learn]).predict_proba(data.frame.iloc[held])[:, 1]
        found.append(pd.DataFrame({"row": held, "part": "out-of-fold", "y": data.y[held], "raw": scores}))
    folds = pd.concat(found)
    held = data.holdout
    scores = winner().predict_proba(data.frame.iloc[held])[:, 1]
    both = pd.concat([folds, pd.DataFrame({"row": held, "part": "holdout", "y": data.y[held], "raw": scores})])
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(folds["raw"], folds["y"])
    return both.assign(calibrated=isotonic.predict(both["raw"])).reset_index(drop=True)


@cache
def winner() -> Pipeline:
    data = german()
    return _model(data).fit(data.frame.iloc[data.train], data.y[data.train])


def evaluation(folder: Path) -> Evaluation:
    predicted().to_parquet(folder / "evaluation.parquet")
    return read_evaluation(folder / "evaluation.parquet", "classification")


def write_scored_sweep(runs: Path, trials: int = 30, **spec: Any) -> RunFolder:
    """A made-up sweep over the real table, with real predictions beside it."""
    folder = write_large_sweep(runs, trials, name="german", data=TARGET, **{"sha256": german().sha256, **spec})
    predicted().to_parquet(folder.evaluation)
    return folder


def _model(data: Dataset) -> Pipeline:
    numeric = list(data.frame.select_dtypes("number").columns)
    others = [name for name in data.frame if name not in numeric]
    columns = make_column_transformer((StandardScaler(), numeric), (OneHotEncoder(handle_unknown="ignore"), others))
    return make_pipeline(columns, LogisticRegression(max_iter=1000))
