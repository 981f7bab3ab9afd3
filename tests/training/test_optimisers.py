"""Vectors of hyperparameters against torch's own optimisers and schedulers, member by member."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from distml.models.layers import ScoringLayers
from distml.training.modules import TrainingFacts
from distml.training.optimisers import Update, read_course, scoring_course, slot_count

STEPS, EPOCH = 12, 4


class Weights(torch.nn.Module):
    """The least that configures an optimiser."""

    def __init__(self, make: Any, plan: Any, clip: float = 0.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64))
        self.make, self.plan, self.gradient_clip_val = make, plan, clip
        self.trainer = TrainingFacts(3, EPOCH)

    def configure_optimizers(self) -> Any:
        optimiser = self.make(self.parameters())
        return self.plan(optimiser) if self.plan else optimiser


def per_step(make: Any) -> Any:
    return lambda optimiser: {
        "optimizer": optimiser, "lr_scheduler": {"scheduler": make(optimiser), "interval": "step"},
    }  # fmt: skip


RULES = {
    "sgd": lambda w: torch.optim.SGD(w, 0.1),
    "momentum": lambda w: torch.optim.SGD(w, 0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda w: torch.optim.SGD(w, 0.05, momentum=0.8, nesterov=True),
    "adam": lambda w: torch.optim.Adam(w, 0.03, (0.8, 0.95), weight_decay=0.02),
    "adamw": lambda w: torch.optim.AdamW(w, 0.03, (0.9, 0.99), eps=1e-3, weight_decay=0.3),
}
PLANS = {
    "constant": None,
    "lambda": per_step(lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step))),
    "lambda per epoch": lambda o: ([o], [lr_scheduler.LambdaLR(o, lambda epoch: 0.5**epoch)]),
    "step": lambda o: ([o], [lr_scheduler.StepLR(o, 1, 0.3)]),
    "cosine": per_step(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
    "one-cycle": per_step(lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=STEPS + 1)),
}


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("rule", RULES)
def test_each_member_moves_as_under_torchs_own_optimiser(rule: str, plan: str, clip: float) -> None:
    if (rule, plan) == ("sgd", "one-cycle"):
        plan = "cosine"  # one-cycle wants a momentum to cycle
    modules = [Weights(RULES[rule], PLANS[plan], clip) for _ in range(2)]
    modules[1].make = lambda weights: _slower(RULES[rule](weights))
    courses = [read_course(module, EPOCH) for module in modules]
    weights = torch.stack([module.weight.detach().clone() for module in modules])
    slots = [torch.zeros_like(weights) for _ in range(slot_count(courses[0].kind))]
    for first in range(0, STEPS, EPOCH):
        update = Update(courses, first, first + EPOCH, weights)
        for step in range(EPOCH):
            update(step, weights, torch.sin(weights * 3 + 1), slots)
    for module, found in zip(modules, weights, strict=True):
        torch.testing.assert_close(found, _by_torch(module), rtol=1e-10, atol=1e-12)


def test_rates_do_not_depend_on_the_pieces_in_which_they_are_asked_for() -> None:
    whole = read_course(Weights(RULES["adam"], PLANS["one-cycle"]), EPOCH).schedule.between(0, STEPS)
    late = read_course(Weights(RULES["adam"], PLANS["one-cycle"]), EPOCH).schedule.between(5, STEPS)
    assert (whole[5:] == late).all()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_the_scoring_networks_course_is_what_its_own_optimiser_says(
    schedule: str, optimiser: str, warmup: float
) -> None:
    network = ScoringLayers(
        3, schedule=schedule, optimiser=optimiser, warmup=warmup, lr=0.02, weight_decay=0.1,  # type: ignore[arg-type]
        momentum=0.7, betas=(0.8, 0.9), gradient_clip_val=2.0,
    )  # fmt: skip
    network.trainer = TrainingFacts(3, EPOCH)  # type: ignore[assignment]
    ours, torchs = scoring_course(network, EPOCH), read_course(network, EPOCH)
    assert replace(ours, schedule=torchs.schedule) == torchs
    assert (ours.schedule.between(0, STEPS) == torchs.schedule.between(0, STEPS)).all()


def _slower(optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
    optimiser.param_groups[0]["lr"] *= 0.5
    return optimiser


def _by_torch(module: Weights) -> torch.Tensor:
    answer = module.configure_optimizers()
    scheduler, per_epoch = None, True
    if isinstance(answer, dict):
        optimiser, scheduler, per_epoch = answer["optimizer"], answer["lr_scheduler"]["scheduler"], False
    elif isinstance(answer, tuple):
        optimiser, scheduler = answer[0][0], answer[1][0]
    else:
        optimiser = answer
    for step in range(STEPS):
        module.weight.grad = torch.sin(module.weight.detach() * 3 + 1)
        if module.gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(module.parameters(), module.gradient_clip_val)
        optimiser.step()
        if scheduler is not None and (not per_epoch or (step + 1) % EPOCH == 0):
            scheduler.step()
    return module.weight.detach()
