"""Evolutionary search beside TPE and random search, at the same number of trees or epochs, over several seeds.

    python experiments/evolution/compare.py                     decision trees
    python experiments/evolution/compare.py population.yaml     networks, and population-based training, too

A seed decides the split and the search, so the three are compared seed by seed. Intervals: 95 %, bootstrap over seeds.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("distml"))
ALGORITHMS = ("evolution", "tpe", "random")
ARMS = {
    "sweep.yaml": {name: f"search.algorithm={name}" for name in ALGORITHMS},
    "population.yaml": {
        "pbt": "search.scheduler=pbt",
        **{name: f"search={{algorithm: {name}, scheduler: none}}" for name in ALGORITHMS},
    },
}


def run(file: str, arm: str, seed: int, runs: Path, settings: Sequence[str]) -> dict[str, float]:
    """Cross-validated score of the best trial, and what the holdout says of it."""
    name = f"{Path(file).stem}-{arm}-{seed}"
    given = [f"name={name}", f"seed={seed}", ARMS[file][arm], *settings]
    options = [word for setting in given for word in ("--set", setting)]
    subprocess.run(
        [PROGRAM, "sweep", HERE / file, "--runs", runs, "--no-export", *options],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shown, board = (
        json.loads(subprocess.check_output([PROGRAM, command, name, "--runs", runs, "--format", "json"]))
        for command in ("show", "leaderboard")
    )
    return {"found": board[0]["score"], "holdout": shown["holdout"]["roc_auc"]}


def interval(values: np.ndarray) -> str:
    """Mean [least, most]."""
    if len(values) < 3 or np.ptp(values) == 0:
        return f"{values.mean():+.4f}"
    low, high = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", choices=ARMS, default="sweep.yaml")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of distml sweep")
    args = parser.parse_args()
    scores: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS[args.file]}
    for seed in range(args.seeds):
        for arm in scores:
            scores[arm].append(run(args.file, arm, seed, args.runs, args.set))
    for what in ("found", "holdout"):
        print(f"\n{what:10} roc_auc   mean of {args.seeds} seeds             beside random")
        random = np.array([score[what] for score in scores["random"]])
        for arm in scores:
            own = np.array([score[what] for score in scores[arm]])
            print(f"{arm:20} {interval(own)}   {interval(own - random)}")


if __name__ == "__main__":
    main()
