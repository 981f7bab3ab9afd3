"""The losses of rankings, against values worked by hand from their papers' formulas, and their gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.models.ranking_losses import GRADIENTS, LOSSES

# One query of three documents: grades 2, 0, 1; scores 0.5, 1.0, -1.0, so that they stand second, first and third.
GRADES, SCORES = torch.tensor([2, 0, 1]), torch.tensor([0.5, 1.0, -1.0], dtype=torch.float64)
ONE = torch.zeros(3, dtype=torch.int64)


def _cost(one: float, other: float) -> float:
    """RankNet's of a pair, the first of a higher grade."""
    return math.log(1 + math.exp(-(one - other)))


def test_ranknet_sums_the_cross_entropies_of_all_pairs() -> None:
    found = LOSSES["ranknet"](SCORES, GRADES, ONE)
    assert float(found) == pytest.approx((_cost(0.5, 1.0) + _cost(0.5, -1.0) + _cost(-1.0, 1.0)) / 3)


def test_lambdas_are_weighted_by_what_ndcg_changes_by() -> None:
    """Burges (2010), section 4: the best DCG is 3 / log2(2) + 1 / log2(3)."""
    best = 3 + 1 / math.log2(3)
    first, second, third = 1.0, 1 / math.log2(3), 0.5  # discounts of the places
    delta = {
        (0, 1): (4 - 1) * abs(second - first) / best,
        (0, 2): (4 - 2) * abs(second - third) / best,
        (2, 1): (2 - 1) * abs(third - first) / best,
    }
    lambdas = [0.0, 0.0, 0.0]
    for (one, other), weight in delta.items():
        pull = -weight / (1 + math.exp(float(SCORES[one] - SCORES[other])))
        lambdas[one] += pull
        lambdas[other] -= pull
    found = GRADIENTS["lambdarank"](SCORES, GRADES, ONE)
    assert found.tolist() == pytest.approx([one / 3 for one in lambdas])


def test_listnet_is_the_cross_entropy_of_top_one_probabilities() -> None:
    wanted = [math.exp(grade) for grade in GRADES.tolist()]
    given_ = [math.exp(score) for score in SCORES.tolist()]
    entropy = -sum(a / sum(wanted) * math.log(b / sum(given_)) for a, b in zip(wanted, given_, strict=True))
    assert float(LOSSES["listnet"](SCORES, GRADES, ONE)) == pytest.approx(entropy / 3)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_gradients_are_autograds_for_each_member(name: str, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 12))
    cells = st.lists(st.integers(0, 4), min_size=2 * rows, max_size=2 * rows)
    grades, queries = (torch.tensor(data.draw(cells)).view(2, rows) for _ in range(2))
    # few different scores, so that some are equal
    scores = (0.5 * torch.tensor(data.draw(cells)).view(2, rows).double()).requires_grad_()
    LOSSES[name](scores, grades, queries).sum().backward()
    found = GRADIENTS[name](scores.detach(), grades, queries)
    assert scores.grad is not None
    torch.testing.assert_close(found, scores.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_two_queries_in_a_batch_are_the_sum_of_each_alone(name: str) -> None:
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn(9, generator=generator, dtype=torch.float64)
    grades = torch.randint(0, 5, (9,), generator=generator)
    queries = torch.tensor([3, 1, 3, 3, 1, 1, 3, 1, 3])
    together = 9 * LOSSES[name](scores, grades, queries)
    parts = [queries == one for one in (1, 3)]
    alone = sum(int(part.sum()) * LOSSES[name](scores[part], grades[part], queries[part]) for part in parts)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", ["ranknet", "lambdarank"])
def test_of_documents_of_one_grade_nothing_is_learnt(name: str) -> None:
    for grade in (0, 2):
        assert not GRADIENTS[name](SCORES, torch.full((3,), grade), ONE).any()


@pytest.mark.parametrize("name", LOSSES)
def test_the_best_order_costs_least_and_scores_far_apart_stay_finite(name: str) -> None:
    right, wrong = (4 * torch.tensor(order, dtype=torch.float64) for order in ([2, 0, 1], [0, 2, 1]))
    assert LOSSES[name](right, GRADES, ONE) < LOSSES[name](wrong, GRADES, ONE)
    for loss in (LOSSES[name], GRADIENTS[name]):
        assert torch.isfinite(loss(1e4 * wrong, torch.tensor([31, 0, 1]), ONE)).all()
