"""The scorer's predictions for rows it was not trained on, as `distml export` leaves them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distml.errors import DistmlError

if TYPE_CHECKING:
    import pandas

PARTS = ("out-of-fold", "holdout")


@dataclass(frozen=True, eq=False)
class Part:
    """Predictions of one part of the table.

    rows: (rows,) numbers among the table's rows that have a target
    y: (rows,) class codes or values
    raw: before calibration: (rows,) probability of the positive class, or values; of more classes (rows, classes)
    calibrated: like `raw`, and the same where nothing was calibrated
    """

    rows: np.ndarray
    y: np.ndarray
    raw: np.ndarray
    calibrated: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Both parts; one without rows is empty. classes: 0 for regression and ranking."""

    out_of_fold: Part
    holdout: Part
    classes: int


def read_evaluation(path: Path, task: str) -> Evaluation:
    """Read `evaluation.parquet`.

    Columns: row, part ('out-of-fold' or 'holdout'), y, raw, calibrated; of more classes raw_0, ..., calibrated_0, ...

    Raises:
        DistmlError: it cannot be read, lacks columns, or holds no row of the holdout.
    """
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise DistmlError(f"{path} cannot be read ({why}); make it again: distml export") from None
    several = sum(str(name).startswith("raw_") for name in frame)
    scores = {
        kind: [f"{kind}_{code}" for code in range(several)] if several else [kind] for kind in ("raw", "calibrated")
    }
    lacking = [name for name in ("row", "part", "y", *scores["raw"], *scores["calibrated"]) if name not in frame]
    if lacking or not (frame["part"] == "holdout").any():
        what = f"lacks {', '.join(lacking)}" if lacking else "holds no row of the holdout"
        raise DistmlError(f"{path} {what}; make it again: distml export")
    out_of_fold, holdout = (_part(frame[frame["part"] == part], scores) for part in PARTS)
    return Evaluation(out_of_fold, holdout, 0 if task in ("regression", "ranking") else several or 2)


def _part(frame: "pandas.DataFrame", scores: dict[str, list[str]]) -> Part:
    raw, calibrated = (frame[scores[kind]].to_numpy(dtype=np.float64) for kind in ("raw", "calibrated"))
    if raw.shape[1] == 1:
        raw, calibrated = raw[:, 0], calibrated[:, 0]
    return Part(frame["row"].to_numpy(dtype=np.int64), frame["y"].to_numpy(), raw, calibrated)
