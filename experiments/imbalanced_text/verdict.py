"""What each loss is worth over its seeds, and how much more or less than plain cross-entropy.

    distml sweep experiments/imbalanced_text/sweep.yaml
    python experiments/imbalanced_text/verdict.py

An arm is a loss and a weighing of classes; its trials differ in nothing but their seeds. Intervals: 95 %, bootstrap
over seeds (BCa); the folds are the same for all, so they say nothing of other tables.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

import distml

ARM = ["params.loss", "params.class_weight"]
PLAIN = ("cross-entropy", "none")


def verdicts(trials: pd.DataFrame, metric: str) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """(arm, seeds, [mean, least, most], the same of its difference to plain cross-entropy) of each arm."""
    arms = {key: part[f"metrics.{metric}"].to_numpy() for key, part in trials.groupby(ARM)}
    for key, scores in sorted(arms.items(), key=lambda arm: -arm[1].mean()):
        found = bootstrap((scores,), np.mean, rng=0).confidence_interval
        apart = np.zeros(3)
        if key != PLAIN:
            between = bootstrap((scores, arms[PLAIN]), _difference, rng=0).confidence_interval
            apart = np.array([_difference(scores, arms[PLAIN]), *between])
        yield ", ".join(map(str, key)), len(scores), np.array([scores.mean(), *found]), apart


def _difference(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(one, axis=axis) - np.mean(other, axis=axis)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="imbalanced-text")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    trials = distml.load(args.name, args.runs).trials()
    trials = trials[trials["state"] == "finished"]
    few = trials.groupby(ARM).filter(lambda arm: len(arm) < 2)[ARM].to_numpy().tolist()
    if few or PLAIN not in trials.groupby(ARM).groups:
        sys.exit(f"each arm, plain cross-entropy's too, needs two trials; one alone: {few}; extend the sweep")
    for metric in ("f1_macro", "balanced_accuracy", "accuracy", "log_loss"):
        print(f"\n{metric:24} seeds    mean                       beside cross-entropy")
        for arm, seeds, own, apart in verdicts(trials, metric):
            print(f"{arm:24} {seeds:5}    {_written(own)}    {_written(apart, '+')}")


def _written(figures: np.ndarray, sign: str = "") -> str:
    mean, least, most = (f"{figure:{sign}.4f}" for figure in figures)
    return f"{mean} [{least}, {most}]"


if __name__ == "__main__":
    main()
