"""One block of lanes of one age, trained from epoch to epoch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from distml.training.cohort import Assignment
from distml.training.modules import queries_of, targets_of, tensor_of
from distml.training.optimisers import Course, Update
from distml.training.order import row_order


@dataclass
class Lane:
    """One member on one fold: one row of every tensor that a cohort keeps."""

    trial: str
    fold: int
    seed: int  # of its own order of rows
    course: Course


class Step(Protocol):
    """A batched training step, bound to the tensors of one block."""

    def __call__(self, index: Tensor, epoch: int, batch: int) -> None:
        """Fill the gradient of all members' weights. index: (members x rows,) places in the table."""


class Learner(Protocol):
    """How networks of one structure are trained as one."""

    def state_of(self, module: Any) -> dict[str, Tensor]:
        """What sets one network apart from others of its structure: 'weights' (size,) and more."""

    def load(self, module: Any, state: Mapping[str, Tensor]) -> None:
        """Put one member's state into a network of the same structure."""

    def course(self, module: Any, steps_per_epoch: int) -> Course:
        """A module's optimiser and schedule."""

    def table(self, x: Tensor) -> Tensor:
        """x: (rows, features) as `bind` wants it."""

    def bind(self, state: Mapping[str, Tensor], gradient: Tensor, x: Tensor, y: Tensor, rows: int) -> Step:
        """A step on batches of `rows` rows of the table x, y; state and gradient: (members, ...)."""


class Table:
    """All folds' training and validation rows, on the device once."""

    def __init__(self, assignment: Assignment, learner: Learner, dtype: torch.dtype, device: torch.device) -> None:
        def put(x: np.ndarray) -> Tensor:
            return tensor_of(x).to(device, dtype)

        folds = assignment.folds
        self.rows = [len(fold.x_train) for fold in folds]
        self.starts = [sum(self.rows[:fold]) for fold in range(len(folds))]
        self.queries = [queries_of(fold) for fold in folds]
        self.x = torch.cat([learner.table(put(fold.x_train)) for fold in folds])
        y = torch.cat([targets_of(assignment, fold) for fold in range(len(folds))]).to(device)
        self.y = y.to(dtype) if y.is_floating_point() else y
        self.valid = [put(fold.x_valid) for fold in folds]


def train_block(
    learner: Learner, table: Table, lanes: Sequence[Lane], state: dict[str, Tensor], first: int, last: int,
    batch_size: int,
) -> None:  # fmt: skip
    """Train lanes from epoch `first` to epoch `last`, in place.

    state: (lanes, ...) tensors as the learner keeps them, and 'slot.0', 'slot.1' of the optimiser. All lanes are at
    epoch `first`, and have equally many training rows and the same kind of optimiser.
    """
    rows = table.rows[lanes[0].fold]
    size = min(batch_size, rows)
    batches, left = divmod(rows, size)
    steps = batches + bool(left)
    weights = state["weights"]
    gradient, slots, held = _split(state)
    whole = learner.bind(held, gradient, table.x, table.y, size)
    rest = learner.bind(held, gradient, table.x, table.y, left) if left else None
    for epoch in range(first, last):
        update = Update([lane.course for lane in lanes], epoch * steps, (epoch + 1) * steps, weights)
        orders = [
            row_order(lane.seed, epoch, rows, table.queries[lane.fold]).int() + table.starts[lane.fold]
            for lane in lanes
        ]
        order = torch.stack(orders).to(table.x.device, non_blocking=True)
        index = order[:, : batches * size].view(len(lanes), batches, size).transpose(0, 1).reshape(batches, -1)
        for batch in range(batches):
            whole(index[batch], epoch, batch)
            update(batch, weights, gradient, slots)
        if rest is not None:
            rest(order[:, batches * size :].reshape(-1), epoch, batches)
            update(batches, weights, gradient, slots)


def bind_block(
    learner: Learner, table: Table, lanes: Sequence[Lane], state: dict[str, Tensor], batch_size: int
) -> Callable[[], None]:
    """One training step of lanes on the first rows of their tables, to be called again and again by a probe."""
    size = min(batch_size, table.rows[lanes[0].fold])
    gradient, slots, held = _split(state)
    step = learner.bind(held, gradient, table.x, table.y, size)
    update = Update([lane.course for lane in lanes], 0, 1, state["weights"])
    starts = torch.tensor([table.starts[lane.fold] for lane in lanes], device=table.x.device)
    index = (starts[:, None] + torch.arange(size, device=table.x.device)).flatten()

    def train() -> None:
        step(index, 0, 0)
        update(0, state["weights"], gradient, slots)

    return train


def _split(state: Mapping[str, Tensor]) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """(room for the gradient, the optimiser's slots, what the learner keeps)."""
    slots = [state[name] for name in sorted(state) if name.startswith("slot.")]
    held = {name: value for name, value in state.items() if not name.startswith("slot.")}
    return torch.empty_like(state["weights"]), slots, held
