"""Optimisers over members: each has its own learning rate, decay and moments; one pass updates them all in place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from distml.models.layers import ScoringLayers
from distml.training.schedules import Formula, Schedule, Stepped, Turns

Kind = Literal["sgd", "adam", "adamw"]
_KINDS: dict[type, Kind] = {torch.optim.SGD: "sgd", torch.optim.Adam: "adam", torch.optim.AdamW: "adamw"}
_TORCHS_EPS = 1e-8  # the default of Adam and AdamW
_UNSUPPORTED = ("amsgrad", "maximize", "dampening", "differentiable", "decoupled_weight_decay")


class UnsuitableError(Exception):
    """Why a module cannot be one of a batched network, in one sentence."""


@dataclass(frozen=True)
class Course:
    """One member's optimiser and schedule."""

    kind: Kind
    nesterov: bool
    weight_decay: float
    second: float  # beta2
    eps: float
    clip: float  # largest gradient norm; inf for none
    schedule: Schedule


def scoring_course(network: ScoringLayers, steps_per_epoch: int) -> Course:
    """What read_course would find for the scoring network, from its settings.

    Making one of torch's optimisers for it would import torch's compiler: most of a second in each process.
    """
    held = network.settings
    kind: Kind = held["optimiser"]
    first, second = held["betas"]
    turns = Turns(steps_per_epoch, "step")
    return Course(
        kind=kind,
        nesterov=False,
        weight_decay=float(held["weight_decay"]),
        second=0.0 if kind == "sgd" else float(second),
        eps=0.0 if kind == "sgd" else _TORCHS_EPS,
        clip=float(network.gradient_clip_val or math.inf),
        schedule=Formula(
            float(held["lr"]), float(held["momentum"] if kind == "sgd" else first), turns, network.rate_shape()
        ),
    )


def read_course(module: Any, steps_per_epoch: int) -> Course:
    """Read optimiser, schedule and gradient clipping from a LightningModule's own configuration.

    Raises:
        UnsuitableError: the module trains by something that is not stacked.
    """
    optimiser, plan = _configured(module.configure_optimizers())
    kind = _KINDS.get(type(optimiser))
    if kind is None:
        raise UnsuitableError(f"its optimiser is {type(optimiser).__name__}; Adam, AdamW and SGD can be stacked")
    if len(optimiser.param_groups) > 1:
        raise UnsuitableError(f"its optimiser has {len(optimiser.param_groups)} parameter groups; one can be stacked")
    group = optimiser.param_groups[0]
    for name in _UNSUPPORTED:
        if group.get(name) and not (name == "decoupled_weight_decay" and kind == "adamw"):
            raise UnsuitableError(f"its optimiser uses {name}, which is not stacked")
    trained = {id(weight) for weight in module.parameters() if weight.requires_grad}
    if {id(weight) for weight in group["params"] if weight.requires_grad} != trained:
        raise UnsuitableError("its optimiser leaves out some of its weights")
    scheduler = plan.get("scheduler")
    if isinstance(scheduler, ReduceLROnPlateau) or plan.get("monitor"):
        raise UnsuitableError("its schedule watches a score; schedules that depend on steps alone can be stacked")
    clip = getattr(module, "gradient_clip_val", None)
    group["params"] = []  # the scheduler needs the rates, not the weights

    def now() -> tuple[float, float]:
        return float(group["lr"]), float(group["momentum"] if kind == "sgd" else group["betas"][0])

    turns = Turns(steps_per_epoch, plan.get("interval", "epoch"), plan.get("frequency", 1))
    schedule: Schedule = Formula(*now(), turns)
    if type(scheduler) is LambdaLR:
        schedule = Formula(float(scheduler.base_lrs[0]), now()[1], turns, scheduler.lr_lambdas[0])
    elif scheduler is not None:
        schedule = Stepped(now, optimiser, scheduler, turns)
    return Course(
        kind=kind,
        nesterov=bool(group.get("nesterov", False)),
        weight_decay=float(group["weight_decay"]),
        second=float(group["betas"][1]) if kind != "sgd" else 0.0,
        eps=float(group.get("eps", 0.0)),
        clip=float(clip) if clip else math.inf,
        schedule=schedule,
    )


def _configured(answer: Any) -> tuple[torch.optim.Optimizer, dict[str, Any]]:
    """The one optimiser and its scheduler's plan, in any of the forms that Lightning takes."""
    schedulers: Any = []
    if isinstance(answer, dict):
        schedulers = answer.get("lr_scheduler", [])
        answer = answer.get("optimizer")
    elif isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], (list, tuple)):
        answer, schedulers = answer
    optimisers = list(answer) if isinstance(answer, (list, tuple)) else [answer]
    if len(optimisers) != 1 or not isinstance(optimisers[0], torch.optim.Optimizer):
        raise UnsuitableError(f"configure_optimizers gives {len(optimisers)} optimisers or none; one can be stacked")
    plans = schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]
    if len(plans) > 1:
        raise UnsuitableError(f"it has {len(plans)} schedules; one can be stacked")
    plan = plans[0] if plans else {}
    return optimisers[0], dict(plan) if isinstance(plan, dict) else {"scheduler": plan}


class Update:
    """Steps [first, last) of a block of members of one age: (members, size) tensors, updated in place.

    The moments' bias corrections and the rates of all steps are worked out beforehand, in float64.
    """

    def __init__(self, courses: Sequence[Course], first: int, last: int, like: Tensor) -> None:
        self.kind: Kind = courses[0].kind
        self.nesterov = courses[0].nesterov
        rates = np.stack([course.schedule.between(first, last) for course in courses], axis=1)  # (steps, members, 2)
        lr, moment = rates[..., 0], rates[..., 1]
        decay = np.array([course.weight_decay for course in courses])
        clip = np.array([course.clip for course in courses])

        def spread(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values[..., None])).to(like)

        self.clip = spread(clip) if np.isfinite(clip).any() else None
        self.decay = spread(decay) if self.kind != "adamw" and decay.any() else None
        self.moment, self.lr = spread(moment), spread(lr)
        if self.kind == "sgd":
            return
        second = np.array([course.second for course in courses])
        count = np.arange(first + 1, last + 1)[:, None]
        root = np.sqrt(1 - second**count)
        self.size = spread(lr * root / (1 - moment**count))
        self.eps = spread(np.array([course.eps for course in courses]) * root)
        self.new_first, self.new_second = spread(1 - moment), spread(1 - second)
        self.keep = spread(1 - lr * decay) if self.kind == "adamw" else None
        self.room = torch.empty_like(like)

    def __call__(self, step: int, weights: Tensor, gradient: Tensor, slots: Sequence[Tensor]) -> None:
        """weights, gradient, slots: (members, size). step counts from this update's first. The gradient is used up."""
        if self.clip is not None:
            norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient.mul_((self.clip / (norm + 1e-6)).clamp_(max=1.0))  # as torch.nn.utils.clip_grad_norm_
        if self.decay is not None:
            gradient.addcmul_(weights, self.decay)
        if self.kind == "sgd":
            slots[0].mul_(self.moment[step]).add_(gradient)
            way = gradient.addcmul_(slots[0], self.moment[step]) if self.nesterov else slots[0]
            weights.addcmul_(way, self.lr[step], value=-1)
            return
        if self.keep is not None:
            weights.mul_(self.keep[step])
        # m / (sqrt(v / c2) + eps) / c1, with both corrections drawn into the step size and eps
        slots[0].lerp_(gradient, self.new_first[step])
        torch.mul(gradient, gradient, out=self.room)
        slots[1].lerp_(self.room, self.new_second)
        torch.sqrt(slots[1], out=self.room).add_(self.eps[step])
        torch.div(slots[0], self.room, out=self.room).mul_(self.size[step])
        weights.sub_(self.room)


def slot_count(kind: Kind) -> int:
    """How many values of state the optimiser keeps for each weight."""
    return 1 if kind == "sgd" else 2
