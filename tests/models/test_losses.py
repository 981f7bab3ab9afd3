import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
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


def test_focal_is_the_papers() -> None:
    """(1 - p)^gamma x -log p of the true class; gamma 0 is cross-entropy (Lin et al., 2017)."""
    logits = torch.stack([LOGITS, -LOGITS, LOGITS**2], -1)
    own = functional.softmax(logits, -1)[torch.arange(7), Y]
    expected = ((1 - own) ** 1.7 * -own.log()).mean()
    torch.testing.assert_close(losses.focal(logits, Y, torch.ones(3).double(), 0.0, 1.7), expected)
    own = torch.where(Y == 1, torch.sigmoid(LOGITS), torch.sigmoid(-LOGITS))
    expected = ((1 - own) ** 1.7 * -own.log()).mean()
    torch.testing.assert_close(losses.focal_binary(LOGITS, Y, EVEN, 0.0, 1.7), expected)
    torch.testing.assert_close(losses.focal_binary(LOGITS, Y, EVEN, 0.1, 0.0), losses.binary(LOGITS, Y, EVEN, 0.1))


def _complement(chances: Tensor, truth: int, gamma: float) -> float:
    """Kim, Lee and Jeon's formula for one row, from probabilities, term by term."""
    wrong = [j for j in range(len(chances)) if j != truth]
    shares = [float(chances[j] / (1 - chances[truth])) for j in wrong]
    entropy = -sum(share * math.log(share) for share in shares)
    return -math.log(chances[truth]) + gamma / (len(chances) - 1) * entropy


@given(
    logits=st.lists(st.floats(-4, 4), min_size=2, max_size=6),
    truth=st.integers(0, 1),
    gamma=st.sampled_from([-1.0, 0.7]),
)
def test_complement_is_the_papers(logits: list[float], truth: int, gamma: float) -> None:
    row = torch.tensor([logits], dtype=torch.float64)
    found = losses.complement(row, torch.tensor([truth]), torch.ones(len(logits)).double(), 0.0, gamma)
    assert float(found) == pytest.approx(_complement(torch.softmax(row[0], 0), truth, gamma), abs=1e-9)
    if len(logits) == 2 or gamma == 0:
        plain = losses.multiclass(row, torch.tensor([truth]), torch.ones(len(logits)).double(), 0.0)
        assert float(found) == pytest.approx(float(plain), abs=1e-12)


@given(shares=st.lists(st.floats(0.05, 1), min_size=2, max_size=6), own=st.floats(0.05, 0.95), way=st.floats(0.1, 1))
def test_with_a_negative_gamma_it_falls_as_the_wrong_classes_become_equally_likely(
    shares: list[float], own: float, way: float
) -> None:
    """The true class's probability stays; the others move towards one another."""
    wrong = torch.tensor(shares, dtype=torch.float64)
    wrong *= (1 - own) / wrong.sum()
    nearer = wrong + way * (wrong.mean() - wrong)
    weights, y = torch.ones(len(shares) + 1).double(), torch.tensor([0])

    def loss(rest: Tensor, gamma: float) -> float:
        row = torch.cat([torch.tensor([own], dtype=torch.float64), rest]).log()
        return float(losses.complement(row[None], y, weights, 0.0, gamma))

    assert loss(nearer, -1.0) <= loss(wrong, -1.0) + 1e-12
    assert loss(nearer, 1.0) >= loss(wrong, 1.0) - 1e-12
    if float(wrong.max() - wrong.min()) > 0.01:
        assert loss(nearer, -1.0) < loss(wrong, -1.0)
        assert loss(wrong, 0.0) == pytest.approx(-math.log(own))


@pytest.mark.parametrize("name", ["focal", "complement", "focal_binary"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_gradients_with_a_gamma_are_autograds_for_each_member(name: str, smoothing: float, scale: float) -> None:
    gamma = torch.tensor([0.5, 2.0], dtype=torch.float64)
    several = scale * torch.stack([LOGITS, -LOGITS, LOGITS**2, 0 * LOGITS], -1)
    logits = scale * LOGITS if name == "focal_binary" else several
    logits = torch.stack([logits, logits.flip(0)]).requires_grad_()
    weights = torch.rand(2, 2 if name == "focal_binary" else 4, dtype=torch.float64)
    y = torch.stack([Y, Y.flip(0)])
    loss, gradient = getattr(losses, name), getattr(losses, f"{name}_gradient")
    loss(logits, y, weights, smoothing, gamma).sum().backward()
    found = gradient(logits.detach(), y, weights, smoothing, gamma)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, logits.grad)


def test_the_squared_loss_is_of_the_standardised_target() -> None:
    y, mean, scale = torch.linspace(5, 9, 7).double(), torch.tensor(7.0).double(), torch.tensor(2.0).double()
    output = LOGITS.clone().requires_grad_()
    loss = losses.squared(output, y, mean, scale)
    torch.testing.assert_close(loss, functional.mse_loss(output, (y - mean) / scale))
    loss.backward()
    torch.testing.assert_close(losses.squared_gradient(LOGITS, y, mean, scale), output.grad)
