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
    calibrated: (rows,); the same as `raw` where nothing was calibrated
    """

    rows: np.ndarray
    y: np.ndarray
    raw: np.ndarray
    calibrated: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Both parts; one without rows is empty. classes: 0 for regression."""

    out_of_fold: Part
    holdout: Part
    classes: int


def read_evaluation(path: Path, task: str) -> Evaluation:
    """Read `evaluation.parquet`.

    Columns: row, part ('out-of-fold' or 'holdout'), y, raw and calibrated; of more than two classes raw_0, raw_1, ...

    Raises:
        DistmlError: it cannot be read, lacks columns, or holds no row of the holdout.
    """
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DistmlError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); make it again: distml export"
        ) from None
    several = sorted((str(name) for name in frame if str(name).startswith("raw_")), key=lambda name: int(name[4:]))
    lacking = [name for name in ("row", "part", "y", *([] if several else ["raw"])) if name not in frame]
    if lacking or not (frame["part"] == "holdout").any():
        what = f"lacks {', '.join(lacking)}" if lacking else "holds no row of the holdout"
        raise DistmlError(f"{path} {what}; make it again: distml export")
    out_of_fold, holdout = (_part(frame[frame["part"] == part], several) for part in PARTS)
    classes = 0 if task == "regression" else len(several) or 2
    return Evaluation(out_of_fold, holdout, classes)


def _part(frame: "pandas.DataFrame", several: list[str]) -> Part:
    raw = frame[several].to_numpy(dtype=np.float64) if several else frame["raw"].to_numpy(dtype=np.float64)
    calibrated = raw if several or "calibrated" not in frame else frame["calibrated"].to_numpy(dtype=np.float64)
    return Part(frame["row"].to_numpy(dtype=np.int64), frame["y"].to_numpy(), raw, calibrated)
