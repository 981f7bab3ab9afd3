"""The cohort for modules that do not stack: Lightning's own Trainer, one member after another."""

import logging
import shutil
import tempfile
import time
import warnings
import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from distml.models.network_output import predictions
from distml.training.cohort import Assignment, Failure, Member, RungResult, State, member_from
from distml.training.failures import failure_of
from distml.training.modules import batch_size_of, make_module, queries_of, targets_of, tensor_of, write_checkpoint
from distml.training.order import fold_seed, row_order, step_seed
from distml.training.scores import score_folds
from distml.training.usage import peak_memory_mib
from distml.training.validation import Validation


@dataclass
class _Standing:
    """Where a member stands; its networks between rungs are Lightning checkpoints in the cohort's folder."""

    member: Member
    state: State = "running"
    rung: int = 0
    told: bool = False
    failure: Failure | None = None
    modules: list[Any] = field(default_factory=list)  # a fold each, trained to the last rung reached


class SoloCohort:
    """Trains each member's folds by pl.Trainer from rung to rung, with the batches that a stacked cohort would give."""

    def __init__(self, assignment: Assignment, dtype: torch.dtype = torch.float32) -> None:
        torch.set_num_threads(assignment.threads)
        self.assignment = assignment
        self.dtype = dtype
        self._folder = Path(tempfile.mkdtemp(prefix="distml-solo-"))
        weakref.finalize(self, shutil.rmtree, self._folder)
        self._standings: dict[str, _Standing] = {}

    def admit(self, members: Sequence[Member]) -> None:
        """Raises ValueError for one with ancestors: weights are taken over in batched networks alone."""
        if any(member.ancestors for member in members):
            raise ValueError("population-based training needs networks that train as one; these train solo")
        self._standings.update((member.trial, _Standing(member)) for member in members)

    def advance(self) -> list[RungResult]:
        return [self._advance(one) for one in self._standings.values() if not one.told]

    def release(self, trials: Collection[str]) -> None:
        for trial in trials:
            if self._standings.pop(trial, None) is not None:
                for path in self._folder.glob(f"{trial}-*.ckpt"):
                    path.unlink()

    def save(self, path: Path) -> bool:
        """Write all members' checkpoints, and how far they have come, as one archive."""
        rungs = {trial: (one.member, one.state, one.rung, one.told) for trial, one in self._standings.items()}
        held = {
            "standings": [(vars(member), state, rung, told) for member, state, rung, told in rungs.values()],
            "checkpoints": {file.name: file.read_bytes() for file in sorted(self._folder.glob("*.ckpt"))},
        }
        partial = path.with_name(path.name + ".partial")
        torch.save(held, partial)
        partial.replace(path)
        return True

    def restore(self, path: Path) -> list[str]:
        held = torch.load(path, weights_only=True)
        for name, content in held["checkpoints"].items():
            (self._folder / name).write_bytes(content)
        for fields, state, rung, told in held["standings"]:
            one = _Standing(member_from(fields), state, rung, told)
            self._standings[one.member.trial] = one
            if rung:
                one.modules = [self._restored(one, fold) for fold in range(len(self.assignment.folds))]
        return list(self._standings)

    def validation(self, trial: str) -> Validation:
        rows = [fold.valid_rows for fold in self.assignment.folds]
        return Validation.of_folds(zip(rows, self._fold_predictions(self._standings[trial]), strict=True))

    def predict(self, trial: str, x: np.ndarray) -> np.ndarray:
        rows = tensor_of(x).to(self.dtype)
        return np.stack([predictions(one, rows, self.assignment.outline) for one in self._standings[trial].modules])

    def export(self, trial: str, fold: int, path: Path) -> None:
        """Write one member's network of one fold as an ordinary Lightning checkpoint."""
        params = self._standings[trial].member.params
        write_checkpoint(self.module_of(trial, fold), params, self.assignment.outline, path)

    def module_of(self, trial: str, fold: int) -> Any:
        """One member's network of one fold, as a LightningModule of its own on the CPU."""
        return self._standings[trial].modules[fold].cpu().eval()

    def _advance(self, one: _Standing) -> RungResult:
        start, resource = time.perf_counter(), one.member.rungs[one.rung]
        scores: dict[str, float] = {}
        folds: tuple[float, ...] = ()
        try:
            one.modules = [self._train(one, fold, resource) for fold in range(len(self.assignment.folds))]
            scores, folds = score_folds(self.assignment, self._fold_predictions(one))
            one.rung += 1
            if one.rung == len(one.member.rungs):
                one.state = "finished"
        except FloatingPointError:
            one.state = "diverged"
        except Exception as error:  # a module's own code may raise anything; that is this trial's result
            one.state, one.failure = "failed", failure_of(error)
        one.told = one.state != "running"
        seconds = time.perf_counter() - start
        reached = one.member.rungs[one.rung - 1] if one.rung else 0
        on_gpu = self.assignment.device == "cuda"
        return RungResult(
            one.member.trial, reached, one.state, scores, folds, seconds, seconds if on_gpu else None,
            peak_memory_mib(torch.device(self.assignment.device)), one.failure,
        )  # fmt: skip

    def _fold_predictions(self, one: _Standing) -> Iterator[np.ndarray]:
        for module, fold in zip(one.modules, self.assignment.folds, strict=True):
            yield predictions(module, tensor_of(fold.x_valid).to(self.dtype), self.assignment.outline)

    def _train(self, one: _Standing, fold: int, epochs: int) -> Any:
        """Train one fold's network up to `epochs`, from its checkpoint at the rung before."""
        member = one.member
        module = self._made(member, fold)
        rows = _Rows(self.assignment, fold, self.dtype)
        reached = member.rungs[one.rung - 1] if one.rung else 0
        size, queries = batch_size_of(member.params, module), queries_of(self.assignment.folds[fold])
        order = _BatchOrder(fold_seed(member.seed, fold), len(rows), size, reached, queries)
        checkpoint = self._checkpoint(one, fold)
        with _silence():
            trainer = pl.Trainer(
                max_epochs=member.rungs[-1], devices=1,
                accelerator="gpu" if self.assignment.device == "cuda" else "cpu",
                callbacks=[_StopAt(epochs, member.seed)], gradient_clip_val=_clip_of(module),
                logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
                default_root_dir=self._folder,
            )  # fmt: skip
            resumed = str(checkpoint) if one.rung else None
            # A generator of its own, since the loader draws from it at moments that differ between rungs.
            loader = DataLoader(rows, sampler=order, batch_size=None, generator=torch.Generator())
            trainer.fit(module, loader, ckpt_path=resumed, weights_only=True)
            trainer.save_checkpoint(checkpoint)
        return module

    def _made(self, member: Member, fold: int) -> Any:
        return make_module(self.assignment, member.params, member.seed, fold, member.rungs[-1]).to(self.dtype)

    def _restored(self, one: _Standing, fold: int) -> Any:
        module = self._made(one.member, fold)
        module.load_state_dict(torch.load(self._checkpoint(one, fold), weights_only=True)["state_dict"])
        return module

    def _checkpoint(self, one: _Standing, fold: int) -> Path:
        return self._folder / f"{one.member.trial}-{fold}.ckpt"


class _Rows(Dataset[tuple[Tensor, Tensor]]):
    """A fold's training rows, taken a batch at a time."""

    def __init__(self, assignment: Assignment, fold: int, dtype: torch.dtype) -> None:
        y = targets_of(assignment, fold)
        self.x = tensor_of(assignment.folds[fold].x_train).to(dtype)
        self.y = y.to(dtype) if y.is_floating_point() else y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.x[rows], self.y[rows]


class _BatchOrder(Sampler[Tensor]):
    """Each epoch's batches as index tensors. Lightning calls set_epoch, but not before the first epoch of a fit."""

    def __init__(self, seed: int, rows: int, batch_size: int, epoch: int, queries: Tensor | None) -> None:
        self.seed, self.rows, self.batch_size, self.epoch, self.queries = seed, rows, batch_size, epoch, queries

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.split(row_order(self.seed, self.epoch, self.rows, self.queries), self.batch_size))


class _StopAt(pl.Callback):
    """Ends a fit at a rung while the schedule still sees the whole training; seeds what is drawn in each epoch."""

    def __init__(self, epochs: int, seed: int) -> None:
        self.epochs, self.seed = epochs, seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(step_seed(self.seed, trainer.current_epoch))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


def _clip_of(module: Any) -> float | None:
    return getattr(module, "gradient_clip_val", None) or None


@contextmanager
def _silence() -> Iterator[None]:
    """Lightning's chatter, meant for one long training at a terminal, kept out of a sweep of thousands."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", module="lightning_fabric")
            yield
    finally:
        logger.setLevel(level)
