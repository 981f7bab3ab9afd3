"""Scores of rankings, against scikit-learn's and against values worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from distml.models.metrics import Evaluator, find_metric, metric_names
from distml.models.ranking import Ranked

DOCUMENT = st.tuples(
    st.sampled_from([0, 0, 0, 1, 2, 4]), st.integers(0, 3), st.sampled_from([-1.0, 0.0, 0.5, 2.0, 3.0])
)


@settings(max_examples=150, deadline=None)
@given(documents=st.lists(DOCUMENT, min_size=1, max_size=40), most=st.sampled_from([1, 3, 10, None]))
def test_scores_are_scikit_learns_mean_over_queries_with_a_relevant_document(
    documents: list[tuple[int, int, float]], most: int | None
) -> None:
    grades, queries, scores = map(np.array, zip(*documents, strict=True))
    ranked = Ranked(np.column_stack([grades, queries]), scores)
    kept = [queries == one for one in np.unique(queries) if (grades[queries == one] > 0).any()]
    # scikit-learn refuses a query of one document: with one more that is irrelevant and last, it scores the same
    gains = [ndcg_score([[*2.0 ** grades[one] - 1, 0]], [[*scores[one], -9]], k=most) for one in kept]
    precisions = [average_precision_score(grades[one] > 0, scores[one]) for one in kept]
    name = "ndcg" if most is None else f"ndcg@{most}"
    if not kept:
        assert np.isnan(ranked.score(name)) and np.isnan(ranked.score("map")) and np.isnan(ranked.score("mrr"))
        return
    assert ranked.score(name) == pytest.approx(np.mean(gains), abs=1e-12)
    assert ranked.score("map") == pytest.approx(np.mean(precisions), abs=1e-12)


def test_a_query_worked_by_hand() -> None:
    """Grades 0, 2, 1 in the order of the scores: DCG = 3 / log2(3) + 1 / log2(4), the best 3 + 1 / log2(3)."""
    ranked = Ranked(np.array([[2, 7], [0, 7], [1, 7]]), np.array([0.5, 0.9, 0.1]))
    assert ranked.score("ndcg") == pytest.approx((3 / np.log2(3) + 1 / 2) / (3 + 1 / np.log2(3)))
    assert ranked.score("ndcg@1") == 0
    assert ranked.score("map") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert ranked.score("mrr") == 0.5


def test_of_equal_scores_the_irrelevant_stand_first_for_the_reciprocal_rank() -> None:
    truth = np.array([[1, 0], [0, 0], [0, 0], [2, 1], [0, 1]])
    assert Ranked(truth, np.zeros(5)).score("mrr") == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_queries_without_a_relevant_document_are_left_out() -> None:
    truth = np.array([[0, 0], [0, 0], [1, 1], [0, 1]])
    scores = np.array([1.0, 2.0, 1.0, 2.0])
    evaluator = Evaluator("ndcg@10", ["mrr"], "ranking", 0)
    assert evaluator(truth, scores) == pytest.approx({"ndcg@10": 1 / np.log2(3), "mrr": 0.5})
    assert np.isnan(evaluator(truth[:2], scores[:2])["ndcg@10"])
    assert np.isnan(evaluator(truth[:0], scores[:0])["ndcg@10"])


def test_names_and_directions() -> None:
    assert metric_names("ranking") == ["map", "mrr", "ndcg", "ndcg@1", "ndcg@10", "ndcg@3", "ndcg@5"]
    assert find_metric("ndcg@17", "ranking").greater_is_better
    for name in ("roc_auc", "rmse", "ndcg@0", "map@5"):
        with pytest.raises(ValueError, match=r"no metric .* for ranking.* There are: map, mrr, .*; ndcg@K with any K"):
            find_metric(name, "ranking")
    with pytest.raises(ValueError, match=r"no metric 'ndcg@10' for classification"):
        find_metric("ndcg@10", "classification")
