import pytest
import torch
from torch.nn import functional

from distml.models import losses

LOGITS = torch.randn(7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 1, 0, 1, 0, 0])
EVEN = torch.ones(2, dtype=torch.float64)


def test_binary_is_torchs_cross_entropy() -> None:
    expected = functional.binary_cross_entropy_with_logits(LOGITS, Y.double())
    torch.testing.assert_close(losses.binary(LOGITS, Y, EVEN, 0.0), expected)


def test_a_positive_weight_is_torchs() -> None:
    weight = torch.tensor(3.0, dtype=torch.float64)
    expected = functional.binary_cross_entropy_with_logits(LOGITS, Y.double(), pos_weight=weight)
    torch.testing.assert_close(losses.binary(LOGITS, Y, torch.tensor([1.0, 3.0]).double(), 0.0), expected)


def test_multiclass_is_torchs_cross_entropy() -> None:
    logits = torch.stack([LOGITS, -LOGITS, LOGITS**2], -1)
    expected = functional.cross_entropy(logits, Y, label_smoothing=0.2)
    torch.testing.assert_close(losses.multiclass(logits, Y, torch.ones(3).double(), 0.2), expected)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradients_are_autograds(outputs: int, smoothing: float) -> None:
    weights = torch.rand(max(outputs, 2), dtype=torch.float64)
    logits = LOGITS if outputs == 1 else torch.stack([LOGITS, -LOGITS, LOGITS**2], -1)
    loss, gradient = (
        (losses.binary, losses.binary_gradient) if outputs == 1 else (losses.multiclass, losses.multiclass_gradient)
    )
    logits = logits.clone().requires_grad_()
    loss(logits, Y, weights, smoothing).backward()
    torch.testing.assert_close(gradient(logits.detach(), Y, weights, smoothing), logits.grad)


def test_the_squared_loss_is_of_the_standardised_target() -> None:
    y, mean, scale = torch.linspace(5, 9, 7).double(), torch.tensor(7.0).double(), torch.tensor(2.0).double()
    output = LOGITS.clone().requires_grad_()
    loss = losses.squared(output, y, mean, scale)
    torch.testing.assert_close(loss, functional.mse_loss(output, (y - mean) / scale))
    loss.backward()
    torch.testing.assert_close(losses.squared_gradient(LOGITS, y, mean, scale), output.grad)
