"""The scoring network: a multi-layer perceptron over prepared columns, as a plain torch module."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from distml.data.task import Task
from distml.models import losses, ranking_losses

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU, "tanh": nn.Tanh}
NORMALISATIONS: dict[str, type[nn.Module] | None] = {"none": None, "layer": nn.LayerNorm, "batch": nn.BatchNorm1d}
OPTIMISERS = ("adamw", "adam", "sgd")
LOSSES: dict[Task, str] = {"classification": "cross-entropy", "ranking": "lambdarank"}  # by default
GAMMAS = {"focal": 2.0, "complement": -1.0}  # of each loss that has one, as its authors advise
SCHEDULES = ("constant", "cosine", "linear")


class ScoringLayers(nn.Module):
    """Linear, normalisation, activation and dropout for each width in `hidden`, then one output layer.

    Without Lightning, whose import takes longer than a small cohort trains; ScoringNetwork is the LightningModule.

    Category codes, the last len(cardinalities) columns, go through embeddings. Two classes share one logit. A
    regression learns the standardised target and predicts in the target's own unit. A ranking gives each document a
    score, of which the order within a query is all that means something.

    Args:
        features: columns of x, category codes included.
        classes: number of classes; ignored for regression and ranking.
        class_weight: 'none', 'balanced' (each class has the same total weight), or the positive class's weight.
        momentum: of sgd; betas: of adam and adamw.
        schedule: the learning rate's shape over the whole training, after the warm-up: constant, or down to 0.
        warmup: share of all steps during which the rate rises linearly from 0.
        loss: of a classification: cross-entropy (by default), focal, or complement cross-entropy (see losses.py); of a
            ranking: lambdarank (by default), ranknet, listnet (see ranking_losses.py), or squared, of the grades.
        gamma: of the focal loss (2 by default) or of complement cross-entropy (-1 by default).
        gradient_clip_val: largest gradient norm, 0 for no limit.
        epochs, batch_size: read by whoever trains the network.
    """

    trains_by_chain = True  # asked of a class's own body: a subclass may compute anything

    class_weights: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(
        self,
        features: int,
        cardinalities: Sequence[int] = (),
        task: Task = "classification",
        classes: int = 2,
        hidden: Sequence[int] = (64, 64),
        activation: Literal["relu", "silu", "gelu", "tanh"] = "relu",
        normalisation: Literal["none", "layer", "batch"] = "none",
        dropout: float = 0.1,
        optimiser: Literal["adamw", "adam", "sgd"] = "adamw",
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        momentum: float = 0.9,
        betas: Sequence[float] = (0.9, 0.999),
        schedule: Literal["constant", "cosine", "linear"] = "constant",
        warmup: float = 0.0,
        class_weight: Literal["none", "balanced"] | float = "none",
        label_smoothing: float = 0.0,
        loss: str | None = None,
        gamma: float | None = None,
        gradient_clip_val: float = 0.0,
        epochs: int = 10,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {  # in a dictionary: plain floats of a module are taken for a part of its model
            "optimiser": optimiser, "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas,
            "schedule": schedule, "warmup": warmup, "class_weight": class_weight,
        }  # fmt: skip
        self.task = task
        self.label_smoothing = label_smoothing
        self.loss = "squared" if task == "regression" else loss or LOSSES[task]
        self.gamma = float(GAMMAS.get(self.loss, 0.0) if gamma is None else gamma)
        if loss == "focal" and self.gamma < 0:
            raise ValueError(f"gamma {gamma!r} is below 0, which the focal loss does not take")
        self.gradient_clip_val = gradient_clip_val
        self.embeddings = nn.ModuleList(nn.Embedding(count, embedding_width(count)) for count in cardinalities)
        width = features - len(cardinalities) + sum(embedding_width(count) for count in cardinalities)
        stack: list[nn.Module] = []
        norm = NORMALISATIONS[normalisation]
        for size in hidden:
            stack.append(nn.Linear(width, size))
            if norm is not None:
                stack.append(norm(size))
            stack += [ACTIVATIONS[activation](), nn.Dropout(dropout)]
            width = size
        stack.append(nn.Linear(width, classes if task == "classification" and classes > 2 else 1))
        self.layers = nn.Sequential(*stack)
        weights = torch.ones(max(classes, 2) if task == "classification" else 0)
        if task == "classification" and not isinstance(class_weight, str):
            weights[1] = class_weight
        self.register_buffer("class_weights", weights)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_scale", torch.ones(()))

    def observe_targets(self, y: Tensor) -> None:
        """Take from the training targets, as FoldArrays has them, what the loss needs: class frequencies, or mean and
        spread."""
        if self.loss == "squared":
            y = y[:, 0] if self.task == "ranking" else y
            spread = y.double().std(correction=0)
            self.target_mean.copy_(y.double().mean())
            self.target_scale.copy_(spread if spread > 0 else torch.ones(()))
        elif self.task == "classification" and self.settings["class_weight"] == "balanced":
            classes = len(self.class_weights)
            counts = torch.bincount(y.long(), minlength=classes).clamp(min=1)
            self.class_weights.copy_(len(y) / (classes * counts))

    def forward(self, x: Tensor) -> Tensor:
        """x: (rows, features) -> logits or standardised values: (rows, classes), or (rows,) where one suffices."""
        if len(self.embeddings):
            numeric = x.shape[-1] - len(self.embeddings)
            codes = x[..., numeric:].long()
            vectors = [embed(codes[..., i]) for i, embed in enumerate(self.embeddings)]
            x = torch.cat([x[..., :numeric], *vectors], -1)
        output = self.layers(x)
        return output.squeeze(-1) if output.shape[-1] == 1 else output

    def predict(self, x: Tensor) -> Tensor:
        """x: (rows, features) -> (rows, classes) probabilities, or (rows,) values."""
        output = self(x)
        if self.task != "classification":
            return output * self.target_scale + self.target_mean
        if output.ndim == x.ndim:
            return torch.softmax(output, -1)
        positive = torch.sigmoid(output)
        return torch.stack([1 - positive, positive], -1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        output = self(x)
        if self.task == "regression":
            return losses.squared(output, y, self.target_mean, self.target_scale)
        if self.task == "ranking":
            return self._ranking_loss(output, y[..., 0], y[..., 1])
        several = output.ndim == x.ndim
        if self.loss == "focal":
            focal = losses.focal if several else losses.focal_binary
            return focal(output, y, self.class_weights, self.label_smoothing, self.gamma)
        if self.loss == "complement" and several:
            return losses.complement(output, y, self.class_weights, self.label_smoothing, self.gamma)
        plain = losses.multiclass if several else losses.binary
        return plain(output, y, self.class_weights, self.label_smoothing)

    def _ranking_loss(self, scores: Tensor, grades: Tensor, queries: Tensor) -> Tensor:
        if self.loss == "squared":
            return losses.squared(scores, grades, self.target_mean, self.target_scale)
        return ranking_losses.LOSSES[self.loss](scores, grades, queries)

    def configure_optimizers(self) -> Any:
        rule, lr, decay = self.settings["optimiser"], self.settings["lr"], self.settings["weight_decay"]
        optimiser: torch.optim.Optimizer
        if rule == "sgd":
            optimiser = torch.optim.SGD(self.parameters(), lr, self.settings["momentum"], weight_decay=decay)
        else:
            kind = torch.optim.AdamW if rule == "adamw" else torch.optim.Adam
            betas = cast("tuple[float, float]", tuple(self.settings["betas"]))
            optimiser = kind(self.parameters(), lr, betas, weight_decay=decay)
        shape = self.rate_shape()
        if shape is None:
            return optimiser
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, shape)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate_shape(self) -> Callable[[int], float] | None:
        """Training step -> share of the peak learning rate; None where it is constant.

        Needs `trainer.estimated_stepping_batches`.
        """
        schedule, warmup = self.settings["schedule"], self.settings["warmup"]
        if schedule == "constant" and not warmup:
            return None
        trainer: Any = self.trainer
        steps = int(trainer.estimated_stepping_batches)
        return partial(rate_at, schedule=schedule, steps=steps, warmup=warmup)


def embedding_width(cardinality: int) -> int:
    """Columns for a category: about 1.6 x cardinality^0.56, at most 50 (the rule of fastai's tabular learner)."""
    return min(50, round(1.6 * cardinality**0.56))


def rate_at(step: int, schedule: str, steps: int, warmup: float) -> float:
    """The learning rate at a step, as a share of its peak.

    >>> [rate_at(step, "linear", steps=8, warmup=0.5) for step in (0, 3, 4, 6)]
    [0.25, 1.0, 1.0, 0.5]
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    done = min(1.0, (step - rising) / max(1, steps - rising))
    return 0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1 - done
