"""The scoring network's losses and, for training without autograd, their gradients.

Everything takes leading member dimensions: logits (..., rows) or (..., rows, classes), hyperparameters (...,) for
each member. A loss is the mean over rows of weight x loss of the row.
"""

import torch
from torch import Tensor
from torch.nn import functional

_NEVER = -1e9  # a logit that no class has; minus infinity would make 0 x infinity of 0


def binary(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> Tensor:
    """Weighted cross-entropy of one logit a row.

    logits, y: (..., rows), y of 0 and 1. weights: (..., 2) of the classes. smoothing: moves the targets to
    y (1 - s) + s / 2 (Szegedy et al., 2016).
    """
    target, weight = _binary_terms(logits, y, weights, smoothing)
    return (weight * (functional.softplus(logits) - target * logits)).mean(-1)


def binary_gradient(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> Tensor:
    """The gradient of `binary` with respect to the logits, of their shape."""
    target, weight = _binary_terms(logits, y, weights, smoothing)
    return torch.sigmoid(logits).sub_(target).mul_(weight / logits.shape[-1])


def multiclass(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> Tensor:
    """Weighted cross-entropy over classes.

    logits: (..., rows, classes). y: (..., rows) codes. weights: (..., classes). smoothing as in `binary`, shared by
    all classes.
    """
    target, weight = _class_terms(logits, y, weights, smoothing)
    return -(weight * (target * functional.log_softmax(logits, -1)).sum(-1)).mean(-1)


def multiclass_gradient(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> Tensor:
    """The gradient of `multiclass` with respect to the logits, of their shape."""
    target, weight = _class_terms(logits, y, weights, smoothing)
    return torch.softmax(logits, -1).sub_(target).mul_((weight / logits.shape[-2]).unsqueeze(-1))


def focal_binary(
    logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float
) -> Tensor:
    """Focal loss of one logit a row: cross-entropy x (1 - p)^gamma, p the true class's probability (Lin et al., 2017).

    gamma: (...,) at least 0; 0 is cross-entropy. The rest as in `binary`.
    """
    target, weight = _binary_terms(logits, y, weights, smoothing)
    entropy = functional.softplus(logits) - target * logits
    sign = 2 * y.to(logits.dtype) - 1
    return (weight * torch.exp(_spread(gamma, logits) * functional.logsigmoid(-sign * logits)) * entropy).mean(-1)


def focal_binary_gradient(
    logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float
) -> Tensor:
    """The gradient of `focal_binary` with respect to the logits, of their shape."""
    target, weight = _binary_terms(logits, y, weights, smoothing)
    entropy = functional.softplus(logits) - target * logits
    sign, gamma = 2 * y.to(logits.dtype) - 1, _spread(gamma, logits)
    factor = torch.exp(gamma * functional.logsigmoid(-sign * logits))  # of which the gradient is -gamma p factor sign
    inner = torch.sigmoid(logits) - target - gamma * entropy * torch.sigmoid(sign * logits) * sign
    return inner.mul_(factor * weight / logits.shape[-1])


def focal(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float) -> Tensor:
    """Focal loss over classes, see `focal_binary`; logits, y and weights as in `multiclass`."""
    target, weight = _class_terms(logits, y, weights, smoothing)
    entropy = -(target * functional.log_softmax(logits, -1)).sum(-1)
    return (weight * torch.exp(_spread(gamma, logits) * _log_rest(logits, y)) * entropy).mean(-1)


def focal_gradient(
    logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float
) -> Tensor:
    """The gradient of `focal` with respect to the logits, of their shape."""
    target, weight = _class_terms(logits, y, weights, smoothing)
    logs, gamma = functional.log_softmax(logits, -1), _spread(gamma, logits)
    chances, truth = logs.exp(), _truth(logits, y)
    entropy = -(target * logs).sum(-1)
    factor = torch.exp(gamma * _log_rest(logits, y))  # of which the gradient is -gamma p factor (truth - wrong)
    pull = (gamma * (chances * truth).sum(-1) * entropy).unsqueeze(-1) * (truth - torch.softmax(_wrong(logits, y), -1))
    return (chances - target - pull).mul_((factor * weight / logits.shape[-2]).unsqueeze(-1))


def complement(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float) -> Tensor:
    """Complement cross-entropy of Kim, Lee and Jeon (arXiv 2009.02189): H(y, p) + gamma / (K - 1) x C(p), over rows.

    H(y, p) = -log p_g: cross-entropy; p: the K classes' probabilities, g: the true class.
    C(p) = -sum over j != g of q_j log q_j, q_j = p_j / (1 - p_g): the entropy of the wrong classes among themselves.
    gamma: (...,) -1 in the paper: the loss falls as the wrong classes become equally likely; 0 is cross-entropy.

    logits, y, weights and smoothing (of H) as in `multiclass`. With two classes C is 0.
    """
    target, weight = _class_terms(logits, y, weights, smoothing)
    entropy = -(target * functional.log_softmax(logits, -1)).sum(-1)
    share = _spread(gamma, logits) / (logits.shape[-1] - 1)
    return (weight * (entropy + share * _wrong_entropy(logits, y)[2])).mean(-1)


def complement_gradient(
    logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float, gamma: Tensor | float
) -> Tensor:
    """The gradient of `complement` with respect to the logits, of their shape."""
    target, weight = _class_terms(logits, y, weights, smoothing)
    shares, logs, entropy = _wrong_entropy(logits, y)
    share = _spread(gamma, logits) / (logits.shape[-1] - 1)
    inner = torch.softmax(logits, -1) - target - share.unsqueeze(-1) * shares * (logs + entropy.unsqueeze(-1))
    return inner.mul_((weight / logits.shape[-2]).unsqueeze(-1))


def squared(output: Tensor, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Mean squared error against the standardised target. output, y: (..., rows); mean, scale: (...,)."""
    return (output - (y - mean.unsqueeze(-1)) / scale.unsqueeze(-1)).square().mean(-1)


def squared_gradient(output: Tensor, y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The gradient of `squared` with respect to the output, of its shape."""
    return (output - (y - mean.unsqueeze(-1)) / scale.unsqueeze(-1)).mul_(2 / output.shape[-1])


def _binary_terms(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> tuple[Tensor, Tensor]:
    smoothing = torch.as_tensor(smoothing, dtype=logits.dtype, device=logits.device).unsqueeze(-1)
    truth = y.to(logits.dtype)
    negative, positive = weights[..., :1], weights[..., 1:]
    return truth * (1 - smoothing) + smoothing / 2, negative + (positive - negative) * truth


def _class_terms(logits: Tensor, y: Tensor, weights: Tensor, smoothing: Tensor | float) -> tuple[Tensor, Tensor]:
    smoothing = torch.as_tensor(smoothing, dtype=logits.dtype, device=logits.device)[..., None, None]
    truth = _truth(logits, y)
    return truth * (1 - smoothing) + smoothing / logits.shape[-1], (truth * weights.unsqueeze(-2)).sum(-1)


def _truth(logits: Tensor, y: Tensor) -> Tensor:
    """1 for the true class, else 0, of the logits' shape."""
    codes = torch.arange(logits.shape[-1], device=logits.device)  # functional.one_hot does not run under vmap
    return (y.unsqueeze(-1) == codes).to(logits.dtype)


def _wrong(logits: Tensor, y: Tensor) -> Tensor:
    """The logits with the true class's so low that softmax makes it 0, and 0 times its logarithm 0."""
    return logits.masked_fill(_truth(logits, y) > 0, _NEVER)


def _wrong_entropy(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(the wrong classes' shares q and their logarithms, of the logits' shape, the entropy of q (..., rows))."""
    logs = functional.log_softmax(_wrong(logits, y), -1)
    shares = logs.exp()
    return shares, logs, -(shares * logs).sum(-1)


def _log_rest(logits: Tensor, y: Tensor) -> Tensor:
    """log(1 - p) of the true class's probability p, (..., rows): exact where p is all but 1."""
    return torch.logsumexp(_wrong(logits, y), -1) - torch.logsumexp(logits, -1)


def _spread(gamma: Tensor | float, logits: Tensor) -> Tensor:
    """gamma: (...,) -> (..., 1), to be met by (..., rows)."""
    return torch.as_tensor(gamma, dtype=logits.dtype, device=logits.device).unsqueeze(-1)
