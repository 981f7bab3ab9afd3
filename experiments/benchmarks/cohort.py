"""Trials a minute of cohorts, beside a process a trial and beside one process for all.

    make bench-cohort

distml's time is that of the whole command, from its start to its leaderboard; the peers' time leaves their start-up
out. All arms train the same network on the same table in one run, in turn, so that a busy machine slows all of them.
"""

import argparse
import itertools
import json
import statistics
import sys
import time

from measuring import TABLE, machine, run_python, run_sweep, spread

EPOCHS, BATCH, WIDTH = 5, 256, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trials", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--ray-trials", type=int, default=16)
    parser.add_argument("--optuna-trials", type=int, default=8)
    args = parser.parse_args()
    seen: dict[str, list[float]] = {}
    for repeat in range(args.repeats):
        peers = {"plain Ray Tune": peer("ray", args.ray_trials), "Optuna": peer("optuna", args.optuna_trials)}
        for name, rate in peers.items():
            seen.setdefault(f"{name}, trials a minute", []).append(rate)
        seconds = {}
        for trials in args.trials:
            seconds[trials], score = sweep(trials, seed=repeat)
            rate = 60 * trials / seconds[trials]
            seen.setdefault(f"distml, {trials} trials, trials a minute", []).append(rate)
            for name, theirs in peers.items():
                seen.setdefault(f"distml, {trials} trials, times {name}", []).append(rate / theirs)
            print(f"  {trials} trials in {seconds[trials]:.1f} s, best AUC {score:.4f}", file=sys.stderr)
        first, last = args.trials[0], args.trials[-1]
        seen.setdefault(f"time for {last} over time for {first}", []).append(seconds[last] / seconds[first])
        seen.setdefault("steady state, share of the matrix product's rate", []).append(steady_share())
    table = {name: spread(values) for name, values in seen.items()}
    print(json.dumps({"machine": machine(), "repeats": args.repeats, **table}, indent=2))


def peer(kind: str, trials: int) -> float:
    """Trials a minute of one of the peers."""
    return float(json.loads(run_python("peers.py", kind, str(trials))[1])["trials_per_minute"])


def sweep(trials: int, seed: int) -> tuple[float, float]:
    """(seconds of the whole command, best AUC). The tiny holdout leaves as many rows to train on as the peers have."""
    space = {
        "hidden": [[WIDTH, WIDTH]], "epochs": EPOCHS, "batch_size": BATCH,
        "lr": {"low": 1e-4, "high": 1e-2, "log": True}, "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
        "dropout": {"low": 0.0, "high": 0.5},
    }  # fmt: skip
    content = {
        "name": "cohorts", "seed": seed, "split": {"test": 0.01, "folds": 1, "validation": 0.2},
        "families": {"scoring-network": {"space": space}}, "budget": {"trials": trials},
        "search": {"algorithm": "random", "scheduler": "none"},
    }  # fmt: skip
    seconds, _, board, _ = run_sweep(content)
    finished = [row["score"] for row in board if row["state"] == "finished"]
    assert len(finished) >= 0.95 * trials, f"only {len(finished)} of {trials} trials finished"
    return seconds, max(finished)


def steady_share() -> float:
    """The floating-point rate of a cohort that trains, over that of a large matrix product, both on one thread."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return float(run_python("-c", "import cohort; print(cohort.measure_share())", **one)[1])


def measure_share(members: int = 64, repeats: int = 5) -> float:
    import numpy as np
    import torch

    from distml.data.arrays import outline, prepare_folds
    from distml.data.dataset import DataOptions, load_dataset
    from distml.data.variant import Variant
    from distml.models.metrics import Evaluator
    from distml.models.registry import find_family
    from distml.training.cohort import Assignment, Member
    from distml.training.start import start_cohort

    torch.set_num_threads(1)
    dataset = load_dataset(DataOptions(TABLE, "target", drop=("ID",), test=0.01, folds=1))
    folds = prepare_folds(dataset, Variant(), 0)
    family = find_family("scoring-network")
    assignment = Assignment(family, outline(dataset, folds[0]), folds, Evaluator("roc_auc", (), "classification", 2))
    fixed = {"hidden": (WIDTH, WIDTH), "batch_size": BATCH, "lr": 1e-3, "weight_decay": 1e-4, "dropout": 0.2}
    cohort, _ = start_cohort(assignment, {**fixed, "epochs": repeats + 1})
    rungs = tuple(range(1, repeats + 2))
    cohort.admit([Member(f"t{i:04d}", {**fixed, "epochs": repeats + 1}, i, rungs) for i in range(members)])
    cohort.advance()
    rows, features = folds[0].x_train.shape
    widths = [features, WIDTH, WIDTH, 1]
    products = [a * b for a, b in itertools.pairwise(widths)]
    # Forward, gradients of weights and of inputs: 2 operations a multiplication each; the table needs no gradient.
    work = members * rows * (3 * 2 * sum(products) - 2 * products[0])
    ours, theirs = [], []
    size = 2048
    left, right = np.random.default_rng(0).normal(size=(2, size, size)).astype(np.float32)
    for _ in range(repeats):
        start = time.perf_counter()
        cohort.advance()
        ours.append(work / (time.perf_counter() - start))
        start = time.perf_counter()
        left @ right
        theirs.append(2 * size**3 / (time.perf_counter() - start))
    return statistics.median(ours) / statistics.median(theirs)


if __name__ == "__main__":
    main()
