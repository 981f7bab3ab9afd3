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

from distml.errors import Mistake

Fold = tuple[np.ndarray, np.ndarray]  # (training rows, validation rows): int64 places in the whole table

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
        splits = list(TimeSeriesSplit(folds).split(train))
    elif rows.groups is not None:
        splits = _group_folds(rows, train, folds, seed)
    else:
        splitter = StratifiedKFold if rows.classified else KFold
        splits = list(splitter(folds, shuffle=True, random_state=seed).split(train, rows.y[train]))
    return tuple((train[learn], train[valid]) for learn, valid in splits)


def mistakes_before(rows: Rows, names: Sequence[str], *, test: float, folds: int) -> list[Mistake]:
    """What makes the split impossible; `names` are the classes' names."""
    count = len(rows.y)
    need = math.ceil(max(folds, 2) / (1 - test))
    if count < need:
        return [Mistake("split.folds", f"{count} rows are too few for {_parts(test, folds)}; it takes at least {need}")]
    if rows.groups is not None and (groups := len(np.unique(rows.groups))) < max(folds, 2) + 1:
        return [Mistake("data.group", f"{groups} groups are too few for {_parts(test, folds)}, as none is ever split")]
    if rows.classified and rows.groups is None and rows.times is None:
        sizes = np.bincount(rows.y, minlength=len(names))
        few = [
            f"{name} ({size} row{'s' * (size != 1)})" for name, size in zip(names, sizes, strict=True) if size < need
        ]
        if few:
            kind = "class has" if len(few) == 1 else "classes have"
            fix = "use fewer folds, or take those rows out of the table"
            return [
                Mistake(
                    "split.folds",
                    f"{len(few)} {kind} too few rows for {_parts(test, folds)}: {', '.join(few)}; "
                    f"each needs at least {need}: {fix}",
                )
            ]
    return []


def mistakes_after(rows: Rows, names: Sequence[str], folds: Sequence[Fold]) -> list[Mistake]:
    """Folds by group or time that lack a class: nothing could be learnt of it, or (two classes) no score be had."""
    if not rows.classified:
        return []
    found = []
    for number, (learn, valid) in enumerate(folds, start=1):
        for part, where in (("training", learn), ("validation", valid)):
            if part == "validation" and len(names) > 2:
                continue
            lacking = np.flatnonzero(np.bincount(rows.y[where], minlength=len(names)) == 0)
            if len(lacking):
                classes = ", ".join(names[int(code)] for code in lacking)
                found.append(f"the {part} rows of fold {number} have no row of class {classes}")
    return [Mistake("split.folds", f"{found[0]}; use fewer folds or another group or time column")] if found else []


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
            # A class in fewer rows than folds is refused, with its name, by mistakes_after.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            return list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(among, y, groups))
    # GroupKFold evens out the rows and breaks ties by the groups' codes: these are shuffled, not the groups.
    shuffled = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    return list(GroupKFold(folds).split(among, y, shuffled))
