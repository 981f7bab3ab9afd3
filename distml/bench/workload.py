"""What every arm trains: the scoring network and a random forest on a made-up table, the same on every machine."""

import numpy as np

from distml.bench.record import Model, Workload
from distml.data.task import FoldArrays, Outline
from distml.models.family import Params
from distml.models.metrics import Evaluator
from distml.models.registry import find_family
from distml.training.cohort import Assignment, Member

FULL = Workload(
    rows=24_000, validation_rows=6_000, features=24, hidden=(64, 64), epochs=5, batch_size=256, trees=30
)  # the shape of the credit-card table that distml's cohorts are measured on
QUICK = FULL.model_copy(update={"rows": 6_000, "validation_rows": 1_500, "epochs": 2, "trees": 10})


def table(workload: Workload) -> FoldArrays:
    """Standard normal columns; the class follows from a sum of them and of products of neighbours.

    About one row in five is positive, as in a scoring task.
    """
    rng = np.random.default_rng(workload.seed)
    rows = workload.rows + workload.validation_rows
    x = rng.standard_normal((rows, workload.features), dtype=np.float32)
    weights = rng.standard_normal(workload.features) / np.sqrt(workload.features)
    score = x @ weights + 0.5 * (x * np.roll(x, 1, axis=1)) @ weights
    y = (rng.random(rows) < 1 / (1 + np.exp(1.7 - 1.5 * score))).astype(np.int64)
    first, places = workload.rows, np.arange(rows)
    return FoldArrays(
        x_train=x[:first], y_train=y[:first], x_valid=x[first:], y_valid=y[first:],
        train_rows=places[:first], valid_rows=places[first:],
    )  # fmt: skip


def assignment(workload: Workload, model: Model, device: str, threads: int) -> Assignment:
    """What a cohort of this model trains on. device: 'cpu' or 'cuda'."""
    return Assignment(
        family=find_family(model),
        outline=Outline("classification", workload.features),
        folds=(table(workload),),
        evaluator=Evaluator("roc_auc", (), "classification", 2),
        device=device,
        threads=threads,
    )


def members(workload: Workload, model: Model, count: int, batch_size: int | None, seed: int) -> list[Member]:
    """Trials whose hyperparameters are drawn from the model's space by `seed`; structural ones are fixed."""
    rng = np.random.default_rng(seed)
    return [_member(workload, model, number, batch_size, rng) for number in range(count)]


def _member(workload: Workload, model: Model, number: int, batch_size: int | None, rng: np.random.Generator) -> Member:
    params: Params
    if model == "scoring-network":
        params = {
            "hidden": workload.hidden, "epochs": workload.epochs, "batch_size": batch_size or workload.batch_size,
            "lr": float(10 ** rng.uniform(-4, -2)), "weight_decay": float(10 ** rng.uniform(-6, -2)),
            "dropout": float(rng.uniform(0.0, 0.5)),
        }  # fmt: skip
    else:
        params = {
            "n_estimators": workload.trees, "max_depth": 12, "min_samples_leaf": 20,
            "max_features": float(rng.uniform(0.2, 0.4)),
        }  # fmt: skip
    return Member(f"t{number:04d}", params, int(rng.integers(2**31)), (size(workload, model),))


def size(workload: Workload, model: Model) -> int:
    """A trial's epochs or trees."""
    return workload.epochs if model == "scoring-network" else workload.trees


def operations(workload: Workload) -> float:
    """Floating-point operations of training the network once: its matrix products and no more.

    Forward, gradients of weights and of inputs, 2 operations a multiplication each; the table needs no gradient.
    """
    first = workload.features * (workload.hidden[0] if workload.hidden else 1)
    return workload.rows * workload.epochs * (3 * 2 * workload.multiplications - 2 * first)
