"""Queries and the graded relevance of their documents: what a ranking learns, and what it cannot learn from."""

from collections.abc import Sequence

import numpy as np

from distml.data.splits import Splits
from distml.errors import Mistake

HIGHEST = 31  # the highest grade: gains are 2^grade - 1


def wrong_grades(name: str, grades: np.ndarray) -> str | None:
    """Why these numbers are no grades of relevance; None where they are. name: of their column."""
    wrong = grades[(grades < 0) | (grades > HIGHEST) | (grades % 1 != 0)]
    if not len(wrong):
        return None
    return (
        f"grades of relevance are whole numbers from 0, not relevant, to {HIGHEST}; {name!r} holds {wrong[0]:g}: "
        "cut it into grades, or say task: regression"
    )


def nothing_to_rank(grades: np.ndarray, queries: np.ndarray, splits: Splits) -> list[Mistake]:
    """Parts from which no order could be learnt, or on which none could be scored; grades and queries: (rows,)."""
    for number, (learn, valid) in enumerate(splits.folds, start=1):
        if not mixed(grades[learn], queries[learn]).any():
            what = f"no query among the training rows of fold {number} has documents of different grades"
            return [Mistake("data.group", f"{what}: there is no order to learn. Is it the column of the queries?")]
        if not (grades[valid] > 0).any():
            return [Mistake("split.folds", f"no validation row of fold {number} is relevant; use fewer folds")]
    if not (grades[splits.holdout] > 0).any():
        return [Mistake("split.test", "no row of the holdout is relevant; use a larger test")]
    return []


def odd_queries(grades: np.ndarray, queries: np.ndarray) -> Sequence[str]:
    """Sentences for the user on queries that tell little; grades and queries: (rows,)."""
    best = np.zeros(queries.max() + 1)
    np.maximum.at(best, queries, grades)
    known = np.bincount(queries) > 0
    barren, same = int((known & (best == 0)).sum()), int(known.sum() - mixed(grades, queries).sum())
    found = []
    if barren:
        found.append(f"queries without a relevant document are left out of scores: {barren:,} of {known.sum():,}")
    if same > barren:
        found.append(f"queries whose documents are all of one grade teach no order: {same:,} of {known.sum():,}")
    return found


def mixed(grades: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """(codes,) whether a query has documents of different grades.

    >>> mixed(np.array([0, 2, 1, 1]), np.array([0, 0, 1, 1])).tolist()
    [True, False]
    """
    lowest = np.full(queries.max() + 1, np.inf)
    highest = np.full(queries.max() + 1, -np.inf)
    np.minimum.at(lowest, queries, grades)
    np.maximum.at(highest, queries, grades)
    return np.asarray(lowest < highest)
