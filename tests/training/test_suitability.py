"""Modules that do not stack are recognised before they train, with the reason in words."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from distml.training.suitability import why_not_stackable
from tests.training.networks import PLAIN_SPACE, Plain, assignment, family_of

PARAMS = {"lr": 0.01, "dropout": 0.1, "noise": 0.1, "batch_size": 16}


class Normalised(Plain):
    def __init__(self, features: int, **rest: float) -> None:
        super().__init__(features, **rest)
        self.net[1] = nn.BatchNorm1d(6)


class Branching(Plain):
    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)
        return loss * 2 if loss > 0.1 else loss


class Counting(Plain):
    def __init__(self, features: int, **rest: float) -> None:
        super().__init__(features, **rest)
        self.register_buffer("steps", torch.zeros(()))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.steps += 1
        return super().training_step(batch, batch_idx)


class Manual(Plain):
    def __init__(self, features: int, **rest: float) -> None:
        super().__init__(features, **rest)
        self.automatic_optimization = False


class TwoOptimisers(Plain):
    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(self.net[0].parameters()), torch.optim.Adam(self.net[3].parameters())], []


class OtherOptimiser(Plain):
    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters())


class TwoGroups(Plain):
    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([{"params": self.net[0].parameters()}, {"params": self.net[3].parameters(), "lr": 1}])


class HalfTrained(Plain):
    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.net[0].parameters())


class Plateau(Plain):
    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters())
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "monitor": "loss"}}


class Hooked(Plain):
    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.net[0].weight.grad.clamp_(-1, 1)


class Itemising(Plain):
    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)
        return loss / loss.item()


class FloatOnly(Plain):
    """Its smoothing goes to a function that takes nothing but a float."""

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        logits = self(x)
        return functional.cross_entropy(torch.stack([-logits, logits], -1), y, label_smoothing=self.noise)


class Rootless(Plain):
    """The gradient of a root has no value at 0."""

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return super().training_step(batch, batch_idx) + (0 * self.net[0].weight).sum().sqrt()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Rootless, "no finite gradient on the first rows"),
        (Normalised, "BatchNorm1d (net.1) keeps running statistics"),
        (Branching, "as plain numbers"),
        (Counting, "changes the buffers steps"),
        (Manual, "optimises manually"),
        (TwoOptimisers, "2 optimisers"),
        (OtherOptimiser, "RMSprop"),
        (TwoGroups, "2 parameter groups"),
        (HalfTrained, "leaves out some of its weights"),
        (Plateau, "watches a score"),
        (Hooked, "on_before_optimizer_step"),
        (Itemising, "as plain numbers"),
        (FloatOnly, "as plain numbers"),
    ],
)
def test_what_does_not_stack_is_told_in_words(kind: type, words: str) -> None:
    reason = why_not_stackable(assignment(family_of(kind, PLAIN_SPACE)), PARAMS)
    assert reason is not None and words in reason, reason


def test_what_stacks_is_let_through() -> None:
    assert why_not_stackable(assignment(family_of(Plain)), PARAMS) is None
    assert why_not_stackable(assignment(), {}) is None
    assert why_not_stackable(assignment(), {"normalisation": "batch"}) is not None
