"""Rankings in cohorts: batches of whole queries, networks by written-out losses, estimators by grade or by query."""

from typing import Any

import numpy as np
import pytest
import torch
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import nn

from distml.data.task import FoldArrays, Outline
from distml.models.metrics import Evaluator
from distml.models.ranking_losses import LOSSES
from distml.models.registry import find_family
from distml.training.chain import Chain
from distml.training.cohort import Assignment, Member
from distml.training.estimators import EstimatorCohort
from distml.training.learners import stacking
from distml.training.modules import make_module
from distml.training.order import row_order
from distml.training.ranked import fit_ranking
from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from distml.training.start import start_cohort
from tests.training.networks import FEATURES, Plain, family_of, member

ALL = [*LOSSES, "squared"]


def ranking(family: Any = None, folds: int = 1, rows: int = 120, dtype: Any = np.float32) -> Assignment:
    """Documents whose grade follows from their features, queries mixed, of very different sizes."""
    made = []
    for seed in range(folds):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(rows + 80, FEATURES)).astype(dtype)
        signal = x @ np.array([1.0, -0.5, 0.3, 0.0, 0.0]) + 0.2 * rng.normal(size=len(x))
        grades = (signal.argsort().argsort() * 5 // len(x)).astype(np.int64)
        queries = np.concatenate([rng.integers(0, 9, rows) ** 2, 100 + rng.integers(0, 8, 80)])
        y, at = np.column_stack([grades, queries]), np.arange(len(x))
        made.append(FoldArrays(x[:rows], y[:rows], x[rows:], y[rows:], at[:rows], at[rows:]))
    return Assignment(
        family=family or find_family("scoring-network"),
        outline=Outline("ranking", FEATURES, (), 0),
        folds=made,
        evaluator=Evaluator("ndcg@10", ["map"], "ranking", 0),
    )


def test_rows_of_a_query_stand_side_by_side_in_an_order_of_their_own() -> None:
    queries = torch.tensor([0, 2, 1, 1, 2, 0, 2, 0, 1, 2])
    orders = [row_order(seed, epoch, 10, queries) for seed in (1, 2) for epoch in (0, 1, 2)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(10))
        assert len(torch.unique_consecutive(queries[order])) == 3
    assert len({tuple(queries[order].tolist()) for order in orders}) > 1
    assert len({tuple(order.tolist()) for order in orders}) == 6
    assert torch.equal(orders[0], row_order(1, 0, 10, queries))


@pytest.mark.parametrize("loss", ALL)
def test_the_written_out_gradient_is_autograds(loss: str) -> None:
    made = ranking(dtype=np.float64)
    params = {"hidden": (6, 3), "loss": loss, "dropout": 0.0}
    modules = [make_module(made, params, seed, 0, 1).double() for seed in range(3)]
    x, y = torch.from_numpy(made.folds[0].x_train), torch.from_numpy(made.folds[0].y_train)
    found = []
    for learner in (Chain(modules[0], by_numpy=False), stacking(made, params)):
        states = [learner.state_of(module) for module in modules]
        state = {name: torch.stack([each[name] for each in states]) for name in states[0]}
        gradient = torch.zeros_like(state["weights"])
        index = torch.arange(3 * 30) % 70
        learner.bind(state, gradient, learner.table(x), y, 30)(index, 0, 0)
        for module, row, each in zip(modules, gradient, states, strict=True):
            learner.load(module, {**each, "weights": row})
            found.append(torch.cat([weight.detach().flatten().clone() for weight in module.parameters()]))
            learner.load(module, each)
    assert all(bool(one.any()) for one in found)
    for one, other in zip(found[:3], found[3:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("loss", ALL)
def test_every_member_equals_its_solo_run_and_learns_the_order(loss: str) -> None:
    made = ranking(folds=2, dtype=np.float64)
    recipe = {"loss": loss, "batch_size": 32}
    members = [member(f"t{seed}", seed, (8,), lr=lr, **recipe) for seed, lr in enumerate((0.003, 0.01))]
    together, alone = StackedCohort(made, members[0].params, torch.float64), SoloCohort(made, torch.float64)
    for cohort in (together, alone):
        cohort.admit(members)
    results = list(zip(together.advance(), alone.advance(), strict=True))
    for one, other in results:
        assert one.scores == pytest.approx(other.scores, rel=1e-9)
        x = made.folds[0].x_valid
        np.testing.assert_allclose(together.predict(one.trial, x), alone.predict(one.trial, x), rtol=1e-6, atol=1e-8)
    chance = made.evaluator(made.folds[0].y_valid, made.folds[0].x_valid[:, 4])["ndcg@10"]
    assert results[1][0].scores["ndcg@10"] > max(0.8, chance + 0.1)


class Margin(Plain):
    """A user's own: a hinge on pairs of one query, from y as a ranking's batches have it."""

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        scores, grades, queries = self(x), y[..., 0], y[..., 1]
        pairs = (grades[:, None] > grades[None]) & (queries[:, None] == queries[None])
        return (pairs * nn.functional.relu(1 - scores[:, None] + scores[None])).mean()


def test_a_users_own_loss_trains_as_one_network() -> None:
    made = ranking(family_of(Margin), folds=2)
    cohort, reason = start_cohort(made, {"lr": 0.01, "batch_size": 40})
    assert reason.startswith("trains as one network: batched by torch.func")
    cohort.admit([member("t0", 1, (2, 12), lr=0.02, batch_size=40)])
    first, last = (cohort.advance()[0].scores["ndcg@10"] for _ in range(2))
    assert last > max(first, 0.8)


def test_xgboost_is_told_the_queries_and_others_learn_the_grade() -> None:
    fold = ranking().folds[0]
    x, truth = fold.x_train, fold.y_train
    ranker = xgboost.XGBRanker(n_estimators=8, n_jobs=1, random_state=0, lambdarank_pair_method="topk")
    order = np.argsort(truth[:, 1], kind="stable")
    peer = xgboost.XGBRanker(**ranker.get_params()).fit(x[order], truth[order, 0], qid=truth[order, 1])
    fit_ranking(ranker, x, truth)
    np.testing.assert_array_equal(ranker.predict(fold.x_valid), peer.predict(fold.x_valid))
    values = HistGradientBoostingRegressor(max_iter=5, random_state=0)
    fit_ranking(values, x, truth)
    again = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(x, truth[:, 0])
    np.testing.assert_allclose(values.predict(fold.x_valid), again.predict(fold.x_valid))


@pytest.mark.parametrize("name", ["xgboost", "random-forest", "k-nearest-neighbours", "hist-gradient-boosting"])
def test_families_rank_better_than_chance(name: str) -> None:
    size = {"xgboost": "n_estimators", "random-forest": "n_estimators", "hist-gradient-boosting": "max_iter"}.get(name)
    params = {size: 20} if size else {}
    more = {"min_child_weight": 0.1} if name == "xgboost" else {}
    made = ranking(find_family(name), folds=2)
    cohort = EstimatorCohort(made)
    cohort.admit([Member("t0", {**params, **more}, 1, (20 if size else 1,))])
    [result] = cohort.advance()
    assert result.state == "finished", result.failure
    assert result.scores["ndcg@10"] > 0.75
    assert cohort.validation("t0").prediction.shape == (160,)
