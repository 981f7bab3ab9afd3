"""What one would write today: the same network by plain Ray Tune, and by Optuna in one process.

    python peers.py ray 16      a process a trial, as Ray's and Lightning's guides show it
    python peers.py optuna 8    one trial after another, every core for each

Each prints one JSON line: trials a minute, with the search's own start-up left out.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

TABLE = Path(__file__).parents[1] / "credit_default" / "credit_default_taiwan.csv.gz"
EPOCHS, BATCH, WIDTH = 5, 256, 64


class Network(pl.LightningModule):
    """Two hidden layers, dropout, AdamW."""

    def __init__(self, features: int, lr: float, weight_decay: float, dropout: float, report: Any = None) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for width in (features, WIDTH):
            layers += [torch.nn.Linear(width, WIDTH), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
        self.net = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1))
        self.lr, self.decay, self.report = lr, weight_decay, report
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.auc = 0.0

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        x, y = batch
        return torch.nn.functional.binary_cross_entropy_with_logits(self.net(x).squeeze(-1), y)

    def validation_step(self, batch: Any, index: int) -> None:
        self.seen.append((batch[1], self.net(batch[0]).squeeze(-1)))

    def on_validation_epoch_end(self) -> None:
        labels, scores = (torch.cat(part).cpu() for part in zip(*self.seen, strict=True))
        self.auc, self.seen = float(roc_auc_score(labels, scores)), []
        if self.report and not self.trainer.sanity_checking:
            self.report(self.auc)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay)


def data() -> list[torch.Tensor]:
    frame = pd.read_csv(TABLE)
    y = frame.pop("target").to_numpy(np.float32)
    x = StandardScaler().fit_transform(frame.drop(columns="ID")).astype(np.float32)
    return [torch.from_numpy(part) for part in train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)]


def train(parts: list[torch.Tensor], params: dict[str, float], report: Callable[[float], None] | None = None) -> float:
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    x_train, x_valid, y_train, y_valid = parts
    module = Network(x_train.shape[1], **params, report=report)
    pl.Trainer(
        max_epochs=EPOCHS, accelerator="auto", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(
        module,
        DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH, shuffle=True),
        DataLoader(TensorDataset(x_valid, y_valid), batch_size=4096),
    )  # fmt: skip
    return module.auc


def by_ray(trials: int) -> tuple[float, float]:
    """(seconds, best AUC); a GPU's share is BENCH_GPUS."""
    import ray
    from ray import tune

    gpus = float(os.environ.get("BENCH_GPUS", "0"))

    def trial(config: dict[str, float]) -> None:
        torch.set_num_threads(1)
        train(data(), config, lambda auc: tune.report({"auc": auc}))

    ray.init("local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")  # not a cluster left behind
    start = time.perf_counter()
    results = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1, "gpu": gpus}),
        param_space={
            "lr": tune.loguniform(1e-4, 1e-2), "weight_decay": tune.loguniform(1e-6, 1e-2),
            "dropout": tune.uniform(0.0, 0.5),
        },
        tune_config=tune.TuneConfig(num_samples=trials, metric="auc", mode="max"),
        run_config=tune.RunConfig(verbose=0),
    ).fit()  # fmt: skip
    return time.perf_counter() - start, results.get_best_result().metrics["auc"]


def by_optuna(trials: int) -> tuple[float, float]:
    """(seconds, best AUC)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parts = data()

    def objective(trial: optuna.Trial) -> float:
        return train(parts, {
            "lr": trial.suggest_float("lr", 1e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        })  # fmt: skip

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    start = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    return time.perf_counter() - start, study.best_value


if __name__ == "__main__":
    kind, number = sys.argv[1], int(sys.argv[2])
    seconds, auc = {"ray": by_ray, "optuna": by_optuna}[kind](number)
    print(json.dumps({"trials_per_minute": 60 * number / seconds, "best_auc": auc}))
