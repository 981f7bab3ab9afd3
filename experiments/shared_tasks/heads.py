"""Multi-task learning: one body, a head for the target and one for each further target (Caruana, 1997)."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional


class Heads(pl.LightningModule):
    """Learns the target and, with the weight `share`, the further targets of `data.further_targets`.

    The loss is the target's (cross-entropy of two classes, or the squared error) plus share x the mean squared error of
    the further targets, values being standardised on the training rows; their missing cells count for nothing. With a
    share of 0 it is a separate network for the target, with idle heads beside it.
    """

    def __init__(
        self, features: int, classes: int, task: str, further: int, width: int = 64, lr: float = 1e-3,
        weight_decay: float = 0.01, dropout: float = 0.0, share: float = 0.0,
    ) -> None:  # fmt: skip
        if classes > 2:
            raise ValueError(f"{classes} classes; this one tells two apart, or predicts a value")
        super().__init__()
        self.task, self.further = task, further
        self.lr, self.weight_decay, self.share = lr, weight_decay, share
        self.layers = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, 1 + further),
        )  # fmt: skip
        self.register_buffer("mean", torch.zeros(1 + further))
        self.register_buffer("scale", torch.ones(1 + further))

    def observe_targets(self, y: Tensor) -> None:
        """y: (rows,), or (rows, 1 + further). Classes stay as they are."""
        values = y.reshape(len(y), -1).double()
        known = ~values.isnan()
        count = known.sum(0).clamp(min=1)
        mean = values.nan_to_num().sum(0) / count
        scale = (((values - mean).nan_to_num() ** 2).sum(0) / count).sqrt()
        first = 0 if self.task == "regression" else 1
        self.mean[first:] = mean[first:].float()
        self.scale[first:] = torch.where(scale > 0, scale, 1.0)[first:].float()

    def forward(self, x: Tensor) -> Tensor:
        """(rows,) logits or values of the target."""
        return self.layers(x)[:, 0] * self.scale[0] + self.mean[0]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, y = batch
        output = self.layers(x)
        y = (y.reshape(len(y), 1 + self.further).to(output.dtype) - self.mean) / self.scale
        if self.task == "regression":
            loss = functional.mse_loss(output[:, 0], y[:, 0])
        else:
            loss = functional.binary_cross_entropy_with_logits(output[:, 0], y[:, 0])
        if not self.further:
            return loss
        known = ~y[:, 1:].isnan()
        error = torch.where(known, output[:, 1:] - y[:, 1:].nan_to_num(), 0.0)
        return loss + self.share * error.square().sum() / known.sum().clamp(min=1)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
