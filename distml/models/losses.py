"""The scoring network's losses and, for training without autograd, their gradients.

Everything takes leading member dimensions: logits (..., rows) or (..., rows, classes), hyperparameters (...,) for
each member. A loss is the mean over rows of weight x loss of the row.
"""

import torch
from torch import Tensor
from torch.nn import functional


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
    codes = torch.arange(logits.shape[-1], device=logits.device)  # functional.one_hot does not run under vmap
    truth = (y.unsqueeze(-1) == codes).to(logits.dtype)
    return truth * (1 - smoothing) + smoothing / logits.shape[-1], (truth * weights.unsqueeze(-2)).sum(-1)
