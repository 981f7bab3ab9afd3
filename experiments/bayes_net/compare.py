"""The network beside naive Bayes and logistic regression over seeds, each of which decides the split and the draws.

    python experiments/bayes_net/compare.py

For each family the best trial of a seed by the mean of folds; differences are seed by seed. Intervals: 95 %, bootstrap.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

import distml

HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("distml"))
TREE, BINS = "bayes-net, tree", "bayes-net, no tree"


def run(seed: int, runs: Path, settings: Sequence[str]) -> pd.DataFrame:
    """All finished trials of a seed."""
    name = f"bayes-net-{seed}"
    given = [f"name={name}", f"seed={seed}", *settings]
    options = [word for setting in given for word in ("--set", setting)]
    command = [PROGRAM, "sweep", HERE / "sweep.yaml", "--runs", runs, "--no-export", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return distml.load(name, runs).trials().query("state == 'finished'").assign(seed_of_sweep=seed)


def best(trials: pd.DataFrame, metric: str) -> pd.DataFrame:
    """(seeds, kinds of model) a metric of the trial with the best score."""
    kinds = trials["family"].where(
        trials["family"] != "bayes-net", trials["params.tree"].map({True: TREE, False: BINS})
    )
    winners = trials.assign(kind=kinds).sort_values("score").groupby(["seed_of_sweep", "kind"]).tail(1)
    return winners.pivot_table(index="seed_of_sweep", columns="kind", values=f"metrics.{metric}")


def interval(values: np.ndarray) -> str:
    """Mean [least, most]."""
    if len(values) < 3 or np.ptp(values) == 0:
        return f"{values.mean():+.4f}"
    low, high = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of distml sweep")
    args = parser.parse_args()
    trials = pd.concat([run(seed, args.runs, args.set) for seed in range(args.seeds)], ignore_index=True)
    for metric in ("roc_auc", "brier", "log_loss"):
        found = best(trials, metric)
        print(f"\n{metric + ', best by folds':30} mean ± sd of {args.seeds} seeds   beside {BINS}")
        for kind in found.columns:
            own = found[kind].to_numpy()
            print(f"{kind:30} {own.mean():.4f} ± {own.std(ddof=1):.4f}   {interval(own - found[BINS].to_numpy())}")
    seconds = trials.groupby("family")["seconds"].median()
    print("\nseconds a trial, median:", json.dumps(seconds.round(2).to_dict()))


if __name__ == "__main__":
    main()
