"""How far up a ranking brings what is relevant."""

from collections.abc import Sequence

import numpy as np

from distml.models.ranking import Ranked
from distml.report import text
from distml.report.html.evaluation import Evaluation, Part
from distml.report.html.rows import SweepRows
from distml.report.page import Section, Table

_MEASURES = ("ndcg@1", "ndcg@3", "ndcg@5", "ndcg@10", "ndcg", "map", "mrr")


def order(evaluation: Evaluation, rows: SweepRows | None, why_not: str) -> Section:
    """The measures of a ranking on both parts, and on the holdout in random order, to know what is nothing."""
    heading = "The order within queries"
    if rows is None or rows.options.group is None:
        return Section("order", heading, why_not)
    queries = np.unique(rows.frame[rows.options.group].to_numpy(), return_inverse=True)[1]
    held = evaluation.holdout
    chance = np.random.default_rng(0).permutation(len(held))
    columns = [
        measured(evaluation.out_of_fold, queries, evaluation.out_of_fold.calibrated),
        measured(held, queries, held.calibrated),
        measured(held, queries, chance),
    ]
    lead = (
        f"{len(np.unique(queries[held.rows])):,} queries of the holdout. A score is a mean over queries that have a "
        "relevant document; gains are 2^grade - 1, and for map and mrr any grade above 0 is relevant."
    )
    cells = [
        [name, *(text.score(value) for value in values)]
        for name, *values in zip(_MEASURES, *columns, strict=True)
    ]  # fmt: skip
    headings = ["measure", "out-of-fold", "holdout", "holdout in random order"]
    return Section("order", heading, lead, [Table("Scores of the order", headings, cells, headings[1:])])


def measured(part: Part, queries: np.ndarray, scores: np.ndarray) -> Sequence[float]:
    """Each measure of one part; nan where it has no rows. queries: of each of the table's rows."""
    ranked = Ranked(np.column_stack([part.y.astype(np.int64), queries[part.rows]]), scores)
    return [ranked.score(name) for name in _MEASURES]
