"""A user's own LightningModules: one that suits a cohort, one that does not."""

import pytorch_lightning as pl
import torch
from torch import nn


class Plain(pl.LightningModule):
    """A linear model with one hidden layer."""

    def __init__(self, features: int, classes: int, width: int = 8, lr: float = 0.01, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *self.first(features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes)
        )
        self.lr = lr

    def first(self, features: int, width: int) -> list[nn.Module]:
        return [nn.Linear(features, width)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self(x), 1)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Normalised(Plain):
    """The same with BatchNorm, whose running statistics belong to one network alone."""

    def first(self, features: int, width: int) -> list[nn.Module]:
        return [nn.Linear(features, width), nn.BatchNorm1d(width)]
