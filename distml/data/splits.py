"""Which rows are learnt from and which are held out: stratified, by group, or in order of time."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from distml.errors import Mistake, MistakesError

Fold = tuple[np.ndarray, np.ndarray]  # (training rows, validation rows): int64 places in the whole table

_NAMED = 8  # classes named in a message
_LEAST_RESAMPLED = 10
_PARTS = 20  # a share of the groups is some of at most so many parts
_STRATIFIED_GROUPS = 500  # StratifiedGroupKFold takes 40 us a group and fold; more groups than this even out anyway


@dataclass(frozen=True, eq=False)
class Rows:
    """What a split looks at, an entry for each row of the table.

    y: (rows,) class codes where `classified`, else values
    groups: (rows,) codes; no group stands on both sides of a split
    times: (rows,) sortable; the later rows stand on a split's second side
    """

    y: np.ndarray
    classified: bool
    groups: np.ndarray | None = None
    times: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Splits:
    """Row numbers: those that are learnt from, those held out, and the former in folds."""

    train: np.ndarray
    holdout: np.ndarray
    folds: tuple[Fold, ...]


def split_rows(rows: Rows, names: Sequence[str], *, test: float, folds: int, validation: float, seed: int) -> Splits:
    """The holdout and the folds; `names` are the classes' names.

    Raises:
        MistakesError: rows, classes or groups are too few, or a part lacks a class.
    """
    _refuse(_too_few(rows, names, test, folds))
    train, holdout = split_holdout(rows, test=test, seed=seed)
    if rows.groups is not None and (left := len(np.unique(rows.groups[train]))) < max(folds, 2):
        _refuse(
            [Mistake("split.folds", f"{left} groups are left beside the holdout, too few for {_parts(test, folds)}")]
        )
    splits = Splits(train, holdout, make_folds(rows, train, folds=folds, validation=validation, seed=seed))
    _refuse(_lacking(rows, names, splits))
    return splits


def resample_rows(rows: int, *, resamples: int, left_out: float, seed: int) -> Splits:
    """Resamples in the place of folds, for tasks without a target: nothing is held out, as nothing is predicted.

    Each is a draw of the rows without replacement (a row that stood there twice would look like a cluster), and is
    learnt from and described at once: its training rows are its validation rows (Ben-Hur et al., 2002).

    Raises:
        MistakesError: too few rows.
    """
    size = round((1 - left_out) * rows)
    if size < _LEAST_RESAMPLED:
        what = f"{size} of the {rows} rows are too few for a resample; it takes at least {_LEAST_RESAMPLED}"
        _refuse([Mistake("split.validation", what)])
    random = np.random.default_rng(seed)
    drawn = [np.sort(random.permutation(rows)[:size]) for _ in range(resamples)]
    return Splits(np.arange(rows), np.arange(0), tuple((some, some) for some in drawn))


def split_holdout(rows: Rows, *, test: float, seed: int) -> Fold:
    """(training rows, holdout).

    Without groups and times these are train_test_split(range, test_size=test, random_state=seed, stratify=classes).
    """
    return _share(rows, np.arange(len(rows.y)), test, seed)


def make_folds(rows: Rows, train: np.ndarray, *, folds: int, validation: float, seed: int) -> tuple[Fold, ...]:
    """The training rows in `folds` folds; folds = 1: one split that holds out the share `validation`.

    In order of time each fold learns from all the rows before its validation rows (an expanding window).
    """
    if folds == 1:
        return (_share(rows, train, validation, seed),)
    if rows.times is not None:
        train = train[np.argsort(rows.times[train], kind="stable")]
        places = list(TimeSeriesSplit(folds).split(train))
    elif rows.groups is not None:
        places = _group_folds(rows, train, folds, seed)
    else:
        splitter = StratifiedKFold if rows.classified else KFold
        places = list(splitter(folds, shuffle=True, random_state=seed).split(train, rows.y[train]))
    return tuple((train[learn], train[valid]) for learn, valid in places)


def _refuse(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise MistakesError("the split", mistakes)


def _too_few(rows: Rows, names: Sequence[str], test: float, folds: int) -> list[Mistake]:
    count, need = len(rows.y), math.ceil(max(folds, 2) / (1 - test))
    if count < need:
        return [Mistake("split.folds", f"{count} rows are too few for {_parts(test, folds)}; it takes at least {need}")]
    if rows.groups is not None and (groups := len(np.unique(rows.groups))) <= max(folds, 2):
        return [Mistake("data.group", f"{groups} groups are too few for {_parts(test, folds)}, as none is ever split")]
    if not rows.classified or rows.groups is not None or rows.times is not None:
        return []
    sizes = np.bincount(rows.y, minlength=len(names)).tolist()
    few = [f"{name} ({size} row{'s' * (size != 1)})" for name, size in zip(names, sizes, strict=True) if size < need]
    if not few:
        return []
    classes = "1 class has" if len(few) == 1 else f"{len(few)} classes have"
    what = f"{classes} too few rows for {_parts(test, folds)}: {', '.join(few[:_NAMED])}{', ...' * (len(few) > _NAMED)}"
    return [Mistake("split.folds", f"{what}; each needs at least {need}: use fewer folds, or take those rows out")]


def _lacking(rows: Rows, names: Sequence[str], splits: Splits) -> list[Mistake]:
    """Parts without a class: nothing could be learnt of it there or, of two classes, no score be had."""
    if not rows.classified:
        return []
    parts = [("training", number, learn) for number, (learn, _) in enumerate(splits.folds, start=1)]
    if len(names) == 2:
        parts += [("validation", number, valid) for number, (_, valid) in enumerate(splits.folds, start=1)]
        parts += [("held-out", 0, splits.holdout)]
    for part, number, places in parts:
        missing = np.flatnonzero(np.bincount(rows.y[places], minlength=len(names)) == 0)
        if len(missing):
            classes = ", ".join(names[int(code)] for code in missing)
            fold = f" of fold {number}" if number else ""
            return [
                Mistake("split.folds", f"no {part} row{fold} is of class {classes}; use fewer folds or a larger test")
            ]
    return []


def _parts(test: float, folds: int) -> str:
    return f"a holdout of {test:.0%} and {folds} folds" if folds > 1 else f"a holdout of {test:.0%} and validation rows"


def _share(rows: Rows, among: np.ndarray, share: float, seed: int) -> Fold:
    """`among` in two, the second about `share` of it."""
    if rows.times is not None:
        among = among[np.argsort(rows.times[among], kind="stable")]
        cut = len(among) - max(1, round(share * len(among)))
        return among[:cut], among[cut:]
    if rows.groups is not None:
        limit = min(len(np.unique(rows.groups[among])), _PARTS)
        part = Fraction(share).limit_denominator(limit)
        parts = max(2, part.denominator)
        taken = min(max(1, part.numerator), parts - 1)
        held = np.sort(np.concatenate([valid for _, valid in _group_folds(rows, among, parts, seed)[:taken]]))
        return np.delete(among, held), among[held]
    stratify = rows.y[among] if rows.classified else None
    train, held = train_test_split(among, test_size=share, random_state=seed, stratify=stratify)
    return train, held


def _group_folds(rows: Rows, among: np.ndarray, folds: int, seed: int) -> list[Fold]:
    """Places in `among`, parted so that no group is split; where groups are few, classes keep their shares."""
    assert rows.groups is not None
    y = rows.y[among]
    _, groups = np.unique(rows.groups[among], return_inverse=True)
    few = groups.max() < _STRATIFIED_GROUPS
    if rows.classified and few and np.bincount(y).max() >= folds:
        with warnings.catch_warnings():
            # A class in fewer rows than folds is refused, with its name, by _lacking.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            return list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(among, y, groups))
    # GroupKFold evens out the rows and breaks ties by the groups' codes: these are shuffled, not the groups.
    shuffled = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    return list(GroupKFold(folds).split(among, y, shuffled))
