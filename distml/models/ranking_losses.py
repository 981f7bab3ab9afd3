"""Losses of rankings and, for training without autograd, their gradients: RankNet, LambdaRank, ListNet.

Everything takes leading member dimensions: scores (..., rows), grades and queries (..., rows). Documents compare within
their query alone, which masks over all pairs of the batch's rows see to, so that a batch may hold several queries; of
one that it holds a piece of, the piece is the list. A loss is the sum over queries that its authors give, divided by
the rows of the batch.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional


def ranknet(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """RankNet (Burges et al., 2005; sections 2 and 2.1 of Burges, 2010): the sum over pairs of one query, i of a higher
    grade than j, of C = log(1 + exp(-(s_i - s_j))), which is the cross-entropy of P_ij = 1 / (1 + exp(-(s_i - s_j)))
    against 1; sigma is 1."""
    return _pairwise(scores, _pairs(grades, queries).to(scores.dtype))


def ranknet_gradient(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """The gradient of `ranknet` with respect to the scores, of their shape."""
    return _pairwise_gradient(scores, _pairs(grades, queries).to(scores.dtype))


def lambdarank(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """LambdaRank (Burges et al., 2006; section 4 of Burges, 2010): RankNet, each pair weighted by |delta NDCG|.

    |delta NDCG| is what NDCG changes by when i and j trade places in the order of the scores, and all others stay:
    |2^grade_i - 2^grade_j| x |1 / log2(1 + r_i) - 1 / log2(1 + r_j)| / max DCG, over the whole list, r the places as
    they are. It is held constant, so that the gradient is the paper's
    lambda_ij = -|delta NDCG| / (1 + exp(s_i - s_j)), added for i and taken off for j. What is minimised by it has no
    closed form; the value stands for it and falls with it.
    """
    with torch.no_grad():
        weights = _delta_ndcg(scores, grades, queries)
    return _pairwise(scores, weights)


def lambdarank_gradient(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """The lambdas, which are the gradient of `lambdarank`, of the scores' shape."""
    return _pairwise_gradient(scores, _delta_ndcg(scores, grades, queries))


def listnet(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """ListNet (Cao et al., 2007), with top-one probabilities: the sum over queries of the cross-entropy
    -sum over j of P_y(j) log P_z(j), where P(j) = exp(x_j) / sum over k of exp(x_k), x the grades for P_y, the scores
    for P_z."""
    same = _same(queries)
    logs = scores - _log_sum(scores, same)
    return -(_shares(grades.to(scores.dtype), same) * logs).mean(-1)


def listnet_gradient(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """The gradient of `listnet` with respect to the scores, of their shape: P_z - P_y over the batch's rows."""
    same = _same(queries)
    return (_shares(scores, same) - _shares(grades.to(scores.dtype), same)).div_(scores.shape[-1])


Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: Mapping[str, Loss] = {"lambdarank": lambdarank, "ranknet": ranknet, "listnet": listnet}
GRADIENTS: Mapping[str, Loss] = {
    "lambdarank": lambdarank_gradient,
    "ranknet": ranknet_gradient,
    "listnet": listnet_gradient,
}


def _pairwise(scores: Tensor, weights: Tensor) -> Tensor:
    """sum over i, j of weight_ij log(1 + exp(-(s_i - s_j))), over the batch's rows. weights: (..., rows, rows)."""
    return (weights * functional.softplus(-_differences(scores))).sum((-1, -2)) / scores.shape[-1]


def _pairwise_gradient(scores: Tensor, weights: Tensor) -> Tensor:
    lambdas = torch.sigmoid(_differences(scores).neg_()).mul_(weights)
    return (lambdas.sum(-2) - lambdas.sum(-1)).div_(scores.shape[-1])


def _differences(scores: Tensor) -> Tensor:
    """(..., rows, rows) s_i - s_j."""
    return scores.unsqueeze(-1) - scores.unsqueeze(-2)


def _same(queries: Tensor) -> Tensor:
    """(..., rows, rows) whether two documents are of one query."""
    return queries.unsqueeze(-1) == queries.unsqueeze(-2)


def _pairs(grades: Tensor, queries: Tensor) -> Tensor:
    """(..., rows, rows) whether i is of a higher grade than j, and of the same query."""
    return _same(queries) & (grades.unsqueeze(-1) > grades.unsqueeze(-2))


def _delta_ndcg(scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
    """(..., rows, rows) |delta NDCG| where i is of a higher grade than j, and of the same query; else 0."""
    same, gains = _same(queries), torch.exp2(grades.to(scores.dtype))
    ideal = (gains - 1) * _discounts(grades.to(scores.dtype), same)
    best = (same.to(scores.dtype) @ ideal.unsqueeze(-1)).squeeze(-1)  # of each document's query
    discounts = _discounts(scores, same)
    change = (gains / best.clamp_min(1)).unsqueeze(-1) - (gains / best.clamp_min(1)).unsqueeze(-2)
    moved = (discounts.unsqueeze(-1) - discounts.unsqueeze(-2)).abs_()
    return moved.mul_(change.clamp_min_(0)).mul_(same.to(scores.dtype))


def _discounts(values: Tensor, same: Tensor) -> Tensor:
    """(..., rows) 1 / log2(1 + place) by descending value within a query; of equal values the first row goes first."""
    rows = torch.arange(values.shape[-1], device=values.device)
    one, other = values.unsqueeze(-1), values.unsqueeze(-2)
    ahead = (other > one) | ((other == one) & (rows.unsqueeze(-2) < rows.unsqueeze(-1)))
    return 1 / torch.log2((ahead & same).sum(-1).to(values.dtype) + 2)


def _log_sum(values: Tensor, same: Tensor) -> Tensor:
    """(..., rows) the logarithm of the sum of exp(value) over each document's query."""
    spread = values.unsqueeze(-2).expand(same.shape)
    return torch.logsumexp(spread.masked_fill(~same, -torch.inf), -1)


def _shares(values: Tensor, same: Tensor) -> Tensor:
    """(..., rows) top-one probabilities: softmax within each query."""
    return torch.exp(values - _log_sum(values, same))
