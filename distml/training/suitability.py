"""Whether a LightningModule can be one of a batched network, found out before anything trains.

What suits: one optimiser (SGD, Adam or AdamW) over all trained weights in one group, a schedule that depends on steps
alone, a training_step(batch, batch_idx) on batch = (x, y) that returns the loss, runs under torch.func.vmap, and
leaves the module's buffers alone; no hooks around the optimiser's step. Floats among the parameters may differ
between members if the training step takes them as tensors.
"""

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from distml.models.family import Params
from distml.training.chain import Chain
from distml.training.cohort import Assignment
from distml.training.learners import stacking
from distml.training.modules import TrainingFacts, batch_size_of, batches_of, make_module, targets_of, tensor_of
from distml.training.optimisers import UnsuitableError, read_course
from distml.training.order import noise_seed
from distml.training.stacking import Stacking, loss_of, quiet, with_shared_dropout

_HOOKS = (
    "backward", "configure_gradient_clipping", "configure_model", "lr_scheduler_step", "manual_backward",
    "on_after_backward", "on_after_batch_transfer", "on_before_backward", "on_before_batch_transfer",
    "on_before_optimizer_step", "on_before_zero_grad", "on_fit_start", "on_train_batch_end", "on_train_batch_start",
    "on_train_epoch_end", "on_train_epoch_start", "on_train_start", "optimizer_step", "optimizer_zero_grad",
    "train_dataloader", "transfer_batch_to_device",
)  # fmt: skip
_ROWS = 8  # of the batch on which a module is tried out
_TOLERANCE = 1e-3


def why_not_stackable(assignment: Assignment, params: Params) -> str | None:
    """One sentence on why members of this structure cannot train as one network; None where they can."""
    module = quiet(make_module(assignment, params, 0, 0, 1))
    batches = batches_of(assignment.folds[0], batch_size_of(params, module))
    module.trainer = TrainingFacts(1, batches)
    reason = _by_looking(module)
    if reason is not None:
        return reason
    try:
        read_course(module, batches)
    except UnsuitableError as error:
        return str(error)
    return None if Chain.suits(module) else _by_trying(assignment, params, module)


def _by_looking(module: Any) -> str | None:
    if not module.automatic_optimization:
        return "it optimises manually"
    for name, part in module.named_modules():
        if getattr(part, "track_running_stats", False):
            return f"{type(part).__name__} ({name}) keeps running statistics of its batches"
        if isinstance(part, nn.RNNBase):
            return f"{type(part).__name__} ({name}) has no batched kernel"
    kind, plain = type(module), pl.LightningModule
    overridden = [hook for hook in _HOOKS if getattr(kind, hook, None) is not getattr(plain, hook, None)]
    if overridden:
        return f"it overrides {', '.join(overridden)}, which a batched step would leave out"
    return None


def _by_trying(assignment: Assignment, params: Params, module: Any) -> str | None:
    """Compare one batched step of two members with the steps of each alone, given the same noise."""
    fold = assignment.folds[0]
    x, y = tensor_of(fold.x_train[:_ROWS]), targets_of(assignment, 0)[:_ROWS]
    batched = stacking(assignment, params)
    modules = [with_shared_dropout(one) for one in (module, quiet(_other_member(assignment, params)))]
    modules[1].trainer = batched.facts
    alone = []
    for one in modules:
        before = copy.deepcopy(dict(one.named_buffers()))
        alone.append(_gradient(batched, one, x, y))
        changed = [name for name, value in one.named_buffers() if not torch.equal(value, before[name])]
        if changed:
            return f"its training step changes the buffers {', '.join(changed)}"
    try:
        together = _batched_gradient(batched, modules, x, y)
    except Exception as error:  # whatever vmap or the module says
        return _in_words(error)
    if not all(bool(torch.isfinite(one).all()) for one in alone):
        return "its loss has no finite gradient on the first rows"
    if not torch.allclose(together, torch.stack(alone), rtol=_TOLERANCE, atol=_TOLERANCE):
        return "its batched training step gives other gradients than its own"
    return None


def _other_member(assignment: Assignment, params: Params) -> Any:
    """A module of the same structure with another seed and, as far as it takes them, other floats."""
    other = dict(params)
    for name, value in params.items():
        if isinstance(value, float) and name not in assignment.family.structural:
            trial = {**other, name: 0.5 * value if value else 0.1}
            with contextlib.suppress(ValueError):  # a value that the module refuses tells nothing
                make_module(assignment, trial, 1, 0, 1)
                other = trial
    return make_module(assignment, other, 1, 0, 1)


def _gradient(batched: Stacking, module: Any, x: Tensor, y: Tensor) -> Tensor:
    torch.default_generator.manual_seed(noise_seed(0, 0))
    loss = loss_of(module.training_step((x, y), 0))
    weights = dict(module.named_parameters())
    found = torch.autograd.grad(loss, [weights[name] for name in batched.shapes], allow_unused=True)
    zeros = [torch.zeros(shape) for shape in batched.shapes.values()]
    return torch.cat([(zero if one is None else one).flatten() for zero, one in zip(zeros, found, strict=True)])


def _batched_gradient(batched: Stacking, modules: list[Any], x: Tensor, y: Tensor) -> Tensor:
    rows = [batched.state_of(one) for one in modules]
    state: Mapping[str, Tensor] = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    gradient = torch.zeros_like(state["weights"])
    index = torch.arange(len(x)).repeat(len(modules))
    batched.bind(state, gradient, x, y, len(x))(index, 0, 0)
    return gradient


def _in_words(error: Exception) -> str:
    text = str(error)
    if "data-dependent control flow" in text:
        return "its training step needs values of tensors as plain numbers (a branch, .item(), a float argument)"
    first = text.strip().splitlines()[0] if text.strip() else ""
    return f"its training step does not run under vmap ({type(error).__name__}: {first})"
