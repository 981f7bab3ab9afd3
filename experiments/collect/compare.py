"""What cleaning is worth: sweeps on the table as it was collected and on the cleaned one, over several seeds.

    python experiments/collect/compare.py

A seed decides the split and the search. Four arms:

- raw, believed: listings are split as if they were independent, so an application may stand on both sides
- raw: no application on both sides (`data.group: application`)
- clean: one row an application
- never faulty: the German table itself, as a bound on what cleaning can bring back

Intervals: 95 %, bootstrap over seeds; the table is the same for all, so they say nothing of other tables.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("distml"))
ARMS: dict[str, tuple[str, list[str]]] = {
    "raw, believed": ("raw", []),
    "raw": ("raw", ["data.drop=[page]", "data.group=application"]),
    "clean": ("clean", []),
    "never faulty": ("clean", ["data.source=../credit_german/credit_german.csv.gz", "data.drop=[]"]),
}


def run(arm: str, seed: int, runs: Path, settings: list[str]) -> dict[str, float]:
    """The best trial's cross-validated ROC AUC, the winner's on the 20 % held out, and each family's best."""
    file, own = ARMS[arm]
    name = f"collect-{arm.replace(',', '').replace(' ', '-')}-{seed}"
    given = [f"name={name}", f"seed={seed}", *own, *settings]
    options = [word for setting in given for word in ("--set", setting)]
    subprocess.run(
        [PROGRAM, "sweep", HERE / f"{file}.yaml", "--runs", runs, "--no-export", *options],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    shown, board = (
        json.loads(subprocess.check_output([PROGRAM, command, name, "--runs", runs, "--format", "json"]))
        for command in ("show", "leaderboard")
    )
    best = {row["family"]: row["score"] for row in reversed(board) if row["state"] == "finished"}
    return {"found": board[0]["score"], "holdout": shown["holdout"]["roc_auc"], **best}


def interval(values: np.ndarray, sign: str = "") -> str:
    """Mean [least, most]."""
    if len(values) < 3 or np.ptp(values) == 0:
        return f"{values.mean():{sign}.4f}"
    low, high = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of distml sweep")
    args = parser.parse_args()
    scores: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in range(args.seeds):
        for arm in ARMS:
            scores[arm].append(run(arm, seed, args.runs, args.set))
    for what in scores["clean"][0]:
        print(f"\n{what:24} ROC AUC, mean of {args.seeds} seeds    beside raw")
        raw = np.array([score[what] for score in scores["raw"]])
        for arm in ARMS:
            own = np.array([score[what] for score in scores[arm]])
            print(f"{arm:24} {interval(own)}   {interval(own - raw, '+') if arm != 'raw' else ''}".rstrip())


if __name__ == "__main__":
    main()
