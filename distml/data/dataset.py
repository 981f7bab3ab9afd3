"""From what the user says about the data to a checked dataset with its splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from distml.data.checks import odd_columns, odd_things
from distml.data.columns import further_values, group_codes, moments, read_features, wrong_columns
from distml.data.layout import Layout, layout_of
from distml.data.options import DataOptions, Kind
from distml.data.queries import nothing_to_rank, odd_queries
from distml.data.splits import Fold, Rows, Splits, resample_rows, split_rows
from distml.data.table import TableError, file_sha256, read_table
from distml.data.target import Target, read_target
from distml.data.task import WITHOUT_TARGET, Task
from distml.errors import Mistake, MistakesError

__all__ = ["DataOptions", "Dataset", "load_dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table ready to be prepared. Rows are numbered as in `frame`: those without a target are not in it.

    frame: the features, their kinds applied
    layout: the features' kinds and categories as the training rows have them
    y: (rows,) int64 codes into `classes`, or float64 values, of a ranking the grades; zeros where there is no target
    queries: (rows,) int64 codes of a ranking's queries; None for other tasks
    classes: the target's labels as the table has them; of two, classes[1] is the positive one; () where it has none
    further: (rows, further targets) float32, nan where a cell is missing
    train, holdout: row numbers; without a target nothing is held out
    folds: (training, validation) row numbers, all of them among `train`; without a target resamples, see resample_rows
    warnings: sentences for the user
    unlabelled: the rows without a target, as `frame` has the others; None where they are left out
    """

    frame: pd.DataFrame
    layout: Layout
    y: np.ndarray
    task: Task
    classes: tuple[Any, ...]
    target: str | None
    further: np.ndarray
    train: np.ndarray
    holdout: np.ndarray
    folds: tuple[Fold, ...]
    sha256: str
    warnings: tuple[str, ...]
    queries: np.ndarray | None = None
    unlabelled: pd.DataFrame | None = None

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of each feature, in their order."""
        return self.layout.kinds

    @property
    def truth(self) -> np.ndarray:
        """What scores hold a prediction against: y or, of a ranking, int64 (rows, 2), the grade and the query."""
        if self.queries is None:
            return self.y
        return np.column_stack([self.y.astype(np.int64), self.queries])


def load_dataset(options: DataOptions) -> Dataset:
    """Read, check and split the table that `options` describes.

    Raises:
        MistakesError: all that is wrong, each under its key in the sweep file ('data.target', 'split.folds', ...).
    """
    subject = str(options.source)
    mistakes = _wrong_shares(options)
    try:
        table = read_table(options.source)
    except TableError as error:
        raise MistakesError(subject, [Mistake("data.source", str(error)), *mistakes]) from None
    mistakes += wrong_columns(options, list(table.columns))
    features = read_features(table, options)
    if not mistakes:
        mistakes += _none_left(features.frame, features.warnings)
    mistakes += features.mistakes
    target, wrong_target = _target(table, options)
    rows, wrong_rows = _rows(table, options, target)
    further, wrong_further = further_values(table, options)
    mistakes += wrong_target + wrong_rows + wrong_further
    if options.unlabelled and target is not None and target.task not in WITHOUT_TARGET and target.known.all():
        mistakes.append(Mistake("data.unlabelled", "every row has a target; leave it out"))
    if mistakes or target is None or rows is None:
        raise MistakesError(subject, mistakes)

    try:
        splits = _splits(options, target, rows)
    except MistakesError as error:
        raise MistakesError(subject, error.mistakes) from None

    warnings = [*features.warnings]
    if lost := int((~target.known).sum()):
        became = "learnt from without it" if options.unlabelled else "left out"
        warnings.append(f"rows without a target are {became}: {lost:,} of {len(table):,}")
    frame = features.frame[target.known].reset_index(drop=True)
    empty = [name for name, missing in frame.iloc[splits.train].isna().all().items() if missing]
    warnings += [f"column {name!r} is empty in all training rows and left out" for name in empty]
    frame = frame.drop(columns=empty)
    if mistakes := _none_left(frame, warnings):
        raise MistakesError(subject, mistakes)
    kinds = {name: kind for name, kind in features.kinds.items() if name not in empty}
    unlabelled = features.frame.loc[~target.known, list(kinds)].reset_index(drop=True) if options.unlabelled else None
    if options.target is None:
        warnings += odd_columns(frame)
    else:
        warnings += odd_things(frame, target.y, target.task, options.target, splits.train, splits.holdout)
    queries = rows.groups if target.task == "ranking" else None
    if queries is not None:
        warnings += odd_queries(target.y, queries)
    return Dataset(
        frame=frame,
        layout=layout_of(seen(frame.iloc[splits.train], unlabelled), kinds),
        y=target.y,
        task=target.task,
        classes=target.classes,
        target=options.target,
        further=further[target.known],
        train=splits.train,
        holdout=splits.holdout,
        folds=splits.folds,
        sha256=file_sha256(options.source),
        warnings=tuple(warnings),
        queries=queries,
        unlabelled=unlabelled,
    )


def seen(frame: pd.DataFrame, unlabelled: pd.DataFrame | None) -> pd.DataFrame:
    """What preprocessing may look at: rows to learn from, and below them those without a target."""
    return frame if unlabelled is None else pd.concat([frame, unlabelled], ignore_index=True)


def _wrong_shares(options: DataOptions) -> list[Mistake]:
    shares = [("split.test", options.test), ("split.validation", options.validation)]
    found = [Mistake(where, f"{share} is not between 0 and 1") for where, share in shares if not 0 < share < 1]
    if options.folds < 1:
        found.append(Mistake("split.folds", f"{options.folds} is not a whole number above 0"))
    return found


def _none_left(frame: pd.DataFrame, warnings: Sequence[str]) -> list[Mistake]:
    if len(frame.columns):
        return []
    because = f" ({'; '.join(warnings)})" if warnings else ""
    return [Mistake("data.source", f"no column is left to learn from{because}")]


def _target(table: pd.DataFrame, options: DataOptions) -> tuple[Target | None, list[Mistake]]:
    if options.target is None and options.task in WITHOUT_TARGET:
        return Target(options.task, np.zeros(len(table)), (), np.ones(len(table), dtype=bool)), []
    if options.target not in table.columns or options.task in WITHOUT_TARGET:
        return None, []  # said by wrong_columns
    try:
        return read_target(table[options.target], options.task, options.positive), []
    except MistakesError as error:
        return None, list(error.mistakes)


def _splits(options: DataOptions, target: Target, rows: Rows) -> Splits:
    if target.task in WITHOUT_TARGET:
        return resample_rows(len(rows.y), resamples=options.folds, left_out=options.validation, seed=options.seed)
    names = [repr(label) for label in target.classes]
    splits = split_rows(
        rows, names, test=options.test, folds=options.folds, validation=options.validation, seed=options.seed
    )
    if target.task == "ranking" and rows.groups is not None and (found := nothing_to_rank(rows.y, rows.groups, splits)):
        raise MistakesError("the split", found)
    return splits


def _rows(table: pd.DataFrame, options: DataOptions, target: Target | None) -> tuple[Rows | None, list[Mistake]]:
    groups = times = None
    mistakes: list[Mistake] = []
    if options.group is not None and options.group in table.columns:
        groups, wrong = group_codes(table, options.group)
        mistakes += wrong
    if options.time is not None and options.time in table.columns:
        times, wrong = moments(table, options.time, options.kinds.get(options.time))
        mistakes += wrong
    if target is None or mistakes:
        return None, mistakes
    known = target.known
    groups, times = (None if entries is None else entries[known] for entries in (groups, times))
    return Rows(target.y, target.task == "classification", groups, times), []
