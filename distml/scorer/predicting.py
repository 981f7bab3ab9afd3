"""`distml predict`: a table scored piece by piece, written in its order."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from distml.scorer.errors import ScorerError
from distml.scorer.files import Points, Threshold
from distml.scorer.reading import Notes, check_columns
from distml.scorer.score import Scorer
from distml.scorer.streaming import Piece, open_table

_AHEAD = 2  # pieces read for each thread: bounds the memory, whatever the table's size

# (rows with their kinds applied, (rows,) whether each could be scored) -> columns of reasons
Explain = Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]


@dataclass(frozen=True)
class Asked:
    """How a table is to be scored."""

    threshold: Threshold | None = None  # None: the scorer's own
    points: Points | None = None
    keep: tuple[str, ...] = ()  # columns of the table that are written in front
    explain: Explain | None = None


@dataclass
class Done:
    """What came of it."""

    notes: Notes = field(default_factory=Notes)
    ignored: list[str] = field(default_factory=list)  # columns that the scorer does not know


def predict(scorer: Scorer, path: Path, out: TextIO, asked: Asked, threads: int | None = None) -> Done:
    """Score a table and write CSV: a line for each row, in their order, whatever becomes of a row.

    threads: pieces scored at once; by default a thread for each core that this process may use.

    Raises:
        TableError: the table cannot be read.
        ScorerError: it lacks columns.
    """
    columns = scorer.manifest.columns
    wanted = list(dict.fromkeys([*(column.name for column in columns), *asked.keep]))
    numeric = [column.name for column in columns if column.kind == "numeric" and column.name not in asked.keep]
    done = Done()
    threads = threads or len(os.sched_getaffinity(0))
    if asked.explain is not None:
        threads = 1  # shap draws from NumPy's one generator
    with (
        open_table(path, wanted, numeric) as stream,
        ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,)) as pool,
    ):
        done.ignored = [name for name in check_columns(scorer.manifest, stream.columns) if name not in asked.keep]
        if lost := [name for name in asked.keep if name not in stream.columns]:
            raise ScorerError(f"{path}: has no column {', '.join(map(repr, lost))} to keep")
        first = True
        for scored, notes in _in_order(pool, stream.pieces, scorer, asked, _AHEAD * threads):
            scored.to_csv(out, index=False, header=first, lineterminator="\n")
            done.notes.add(notes)
            first = False
        if first:
            empty = pd.DataFrame({name: pd.Series([], dtype=object) for name in wanted})
            _score(scorer, Piece(empty), asked)[0].to_csv(out, index=False, lineterminator="\n")
    return done


def _in_order(
    pool: ThreadPoolExecutor, pieces: Iterator[Piece], scorer: Scorer, asked: Asked, most: int
) -> Iterator[tuple[pd.DataFrame, Notes]]:
    """Results in the order of the pieces, of which at most so many are under way."""
    waiting: deque[Future[tuple[pd.DataFrame, Notes]]] = deque()
    for piece in pieces:
        waiting.append(pool.submit(_score, scorer, piece, asked))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _score(scorer: Scorer, piece: Piece, asked: Asked) -> tuple[pd.DataFrame, Notes]:
    notes = Notes()
    frame, problems = scorer.read(piece.table, notes, piece.broken)
    scored = scorer.scored(frame, problems, asked.threshold, asked.points)
    notes.problems.update(why for why in scored["problem"] if why)
    kept = {name: piece.table[name].astype(object) for name in asked.keep}
    parts: Sequence[pd.DataFrame] = [pd.DataFrame(kept, index=scored.index), scored]
    if asked.explain is not None:
        parts = [*parts, asked.explain(frame, (scored["problem"] == "").to_numpy())]
    return pd.concat(parts, axis=1), notes
