"""Learning rates and momenta of a member's steps, asked for ahead of its training."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler


class Schedule(Protocol):
    """What one member's steps take."""

    def between(self, first: int, last: int) -> np.ndarray:
        """(last - first, 2): learning rate and first-moment coefficient of the steps [first, last)."""


@dataclass(frozen=True)
class Turns:
    """When a scheduler is turned: every `frequency` steps or epochs, as Lightning does."""

    steps_per_epoch: int
    interval: str = "epoch"
    frequency: int = 1

    def before(self, step: int) -> int:
        """How often by this step."""
        epochs, batch = divmod(step, self.steps_per_epoch)
        if self.interval == "epoch":
            return epochs // self.frequency
        return epochs * (self.steps_per_epoch // self.frequency) + batch // self.frequency


@dataclass(frozen=True)
class Formula:
    """A rate that is a function of the turn alone; without a shape, a constant one."""

    lr: float
    moment: float
    turns: Turns
    shape: Callable[[int], float] | None = None  # turn -> share of lr

    def between(self, first: int, last: int) -> np.ndarray:
        if self.shape is None:
            return np.tile((self.lr, self.moment), (last - first, 1))
        turns = [self.turns.before(step) for step in range(first, last)]
        by_turn = {turn: float(self.lr * self.shape(turn)) for turn in sorted(set(turns))}
        return np.array([(by_turn[turn], self.moment) for turn in turns])


@dataclass
class Stepped:
    """Any of torch's schedulers, followed by stepping it. `rates` holds what was met so far."""

    now: Callable[[], tuple[float, float]]
    optimiser: torch.optim.Optimizer
    scheduler: LRScheduler
    turns: Turns
    rates: list[tuple[float, float]] = field(default_factory=list)

    def between(self, first: int, last: int) -> np.ndarray:
        while len(self.rates) < last:
            self.rates.append(self.now())
            if self.turns.before(len(self.rates)) > self.turns.before(len(self.rates) - 1):
                self.optimiser.step()  # without gradients: the scheduler wants to be second
                self.scheduler.step()
        return np.array(self.rates[first:last])
