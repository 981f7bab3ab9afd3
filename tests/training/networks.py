"""What the tests of network cohorts share: a small table, assignments, and LightningModules of users."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional

from distml.data.task import FoldArrays, Outline, Task
from distml.models.family import Family
from distml.models.metrics import Evaluator
from distml.models.scoring import SCORING_NETWORK
from distml.models.space import Float, Space
from distml.training.cohort import Assignment, Member

FEATURES = 5
torch.set_num_threads(1)  # small products gain nothing from a second one


def fold(
    seed: int = 0, rows: int = 70, task: Task = "classification", classes: int = 2, dtype: Any = np.float32,
    cardinalities: tuple[int, ...] = (),
) -> FoldArrays:  # fmt: skip
    """A small fold whose target follows from the features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows + 40, FEATURES)).astype(dtype)
    signal = x @ rng.normal(size=FEATURES) + 0.5 * rng.normal(size=len(x))
    ranks = signal.argsort().argsort()
    y = (ranks * classes // len(x)).astype(np.int64) if task == "classification" else (3 + 2 * signal).astype(dtype)
    at = np.arange(len(x))
    for column, count in zip(range(FEATURES - len(cardinalities), FEATURES), cardinalities, strict=True):
        x[:, column] = x[:, column].argsort().argsort() * count // len(x)
    return FoldArrays(x[:rows], y[:rows], x[rows:], y[rows:], at[:rows], at[rows:], cardinalities)


def assignment(
    family: Family = SCORING_NETWORK, folds: int = 1, task: Task = "classification", classes: int = 2,
    rows: int = 70, dtype: Any = np.float32, cardinalities: tuple[int, ...] = (),
) -> Assignment:  # fmt: skip
    classes = classes if task == "classification" else 0
    return Assignment(
        family=family,
        outline=Outline(task, FEATURES, cardinalities, classes),
        folds=[fold(seed, rows, task, classes, dtype, cardinalities) for seed in range(folds)],
        evaluator=Evaluator("log_loss" if task == "classification" else "rmse", [], task, classes),
    )


def member(trial: str, seed: int = 1, rungs: tuple[int, ...] = (5,), **params: Any) -> Member:
    usual = {"hidden": (8, 4), "dropout": 0.0, "batch_size": 16, "lr": 0.01}
    return Member(trial, {**usual, **params}, seed, rungs)


class Plain(pl.LightningModule):
    """What a user might write: no hyperparameters saved, plain floats as attributes."""

    def __init__(
        self, features: int, lr: float = 0.01, dropout: float = 0.0, width: int = 6, noise: float = 0.0
    ) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1))
        self.lr, self.noise = lr, noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        x, y = batch
        loss = functional.binary_cross_entropy_with_logits(self(x + self.noise * torch.randn_like(x)), y.to(x.dtype))
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [optimiser], [torch.optim.lr_scheduler.StepLR(optimiser, step_size=2, gamma=0.5)]


PLAIN_SPACE: Space = {"lr": Float(1e-3, 1e-1, log=True), "dropout": Float(0.0, 0.5), "noise": Float(0.0, 0.2)}


def family_of(kind: type, space: Space = PLAIN_SPACE, structural: frozenset[str] = frozenset()) -> Family:
    def build(params: Mapping[str, Any], outline: Outline, seed: int) -> Any:
        torch.default_generator.manual_seed(seed)
        return kind(outline.features, **{name: value for name, value in params.items() if name in space})

    return Family(kind.__name__, "network", build, space, resource="epochs", structural=structural)
