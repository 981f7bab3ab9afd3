"""LightningModules as cohorts meet them: made from a member's parameters, told of their training, asked to predict."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distml.data.task import FoldArrays, Outline
from distml.models.family import Params
from distml.training.cohort import Assignment
from distml.training.order import fold_seed

_BATCH_SIZE = 256


@dataclass
class TrainingFacts:
    """What a module may ask its trainer about, where the cohort stands in for one."""

    max_epochs: int
    num_training_batches: int
    current_epoch: int = 0
    global_step: int = 0

    @property
    def estimated_stepping_batches(self) -> int:
        return self.max_epochs * self.num_training_batches


def make_module(assignment: Assignment, params: Params, seed: int, fold: int, epochs: int, plain: bool = False) -> Any:
    """A member's network for one fold, untrained: its weights follow from (seed, fold).

    plain: a torch module will do, where the family has one.

    A module with a method `observe_targets` is shown the fold's training targets once, as its training step gets them.
    """
    resource = assignment.family.resource
    given = {resource: epochs, **params} if resource else dict(params)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(fold_seed(seed, fold))  # torch.manual_seed without its 0.5 ms for CUDA
        build = assignment.family.build_plain if plain else None
        module = (build or assignment.family.build)(given, assignment.outline, fold_seed(seed, fold))
    if hasattr(module, "observe_targets"):
        module.observe_targets(targets_of(assignment, fold))
    return module


def targets_of(assignment: Assignment, fold: int) -> Tensor:
    """What a training step learns from: (rows,), or (rows, 1 + further) floats, the target first, for a family that
    takes further targets where there are some."""
    arrays = assignment.folds[fold]
    y = tensor_of(arrays.y_train)
    if arrays.further_train is None or not assignment.family.takes_further:
        return y
    return torch.column_stack([y.to(torch.float32), tensor_of(arrays.further_train)])


def tensor_of(array: np.ndarray) -> Tensor:
    """The array as a tensor; a copy where it lies in memory that is shared and cannot be written."""
    return torch.from_numpy(np.require(array, requirements="W"))


def queries_of(fold: FoldArrays) -> Tensor | None:
    """(rows,) the queries of a ranking's training rows, as codes from 0 on; None for other tasks."""
    if fold.y_train.ndim == 1:
        return None
    return torch.from_numpy(np.unique(fold.y_train[:, 1], return_inverse=True)[1])


def batch_size_of(params: Params, module: Any) -> int:
    """The batch size that the parameters or the module name."""
    return int(params.get("batch_size") or getattr(module, "hparams", {}).get("batch_size", _BATCH_SIZE))  # type: ignore[arg-type]


def batches_of(fold: FoldArrays, batch_size: int) -> int:
    """Training steps an epoch; the last batch holds what rows are left."""
    return math.ceil(len(fold.x_train) / batch_size)


def write_checkpoint(module: Any, params: Params, outline: Outline, path: Path) -> None:
    """Write an ordinary Lightning checkpoint, which `load_from_checkpoint(path)` of the module's class opens.

    Where the module saved no hyperparameters of its own, those it was made from are written.
    """
    import pytorch_lightning as pl  # takes seconds, which most processes can do without

    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path, weights_only=True)
    if not module.hparams:
        told = {name: getattr(outline, name) for name in ("features", "classes", "cardinalities", "task", "further")}
        held = torch.load(path, weights_only=True)
        held["hyper_parameters"] = {**told, **params}
        torch.save(held, path)
