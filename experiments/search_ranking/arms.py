"""What each loss and each family ranks like, over several splits of the queries.

    python experiments/search_ranking/arms.py

A seed decides the split and the search. An arm is a family and what it minimises; of each seed its best trial and its
median one count, by the mean over folds. Intervals: 95 %, bootstrap over seeds, of the difference to the arm that
learns grades as values.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from distml.data.dataset import load_dataset
from distml.models.ranking import Ranked
from distml.sweep.spec import SweepSpec

HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("distml"))
BESIDE = "hist-gradient-boosting"


def run(seed: int, runs: Path, settings: Sequence[str]) -> list[dict[str, Any]]:
    """The leaderboard of one sweep."""
    name = f"search-ranking-{seed}"
    options = [word for setting in (f"name={name}", f"seed={seed}", *settings) for word in ("--set", setting)]
    subprocess.run(
        [PROGRAM, "sweep", HERE / "sweep.yaml", "--runs", runs, "--no-export", *options],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    board = [PROGRAM, "leaderboard", name, "--runs", runs, "--format", "json"]
    return list(json.loads(subprocess.check_output(board)))


def arms(trials: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Arm -> the scores of its finished trials."""
    found: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial["state"] == "finished":
            told = trial["params"].get("loss") or trial["params"].get("objective") or ""
            found[f"{trial['family']} {told}".strip()].append(trial["score"])
    return found


def without_learning(settings: Sequence[str]) -> Iterator[tuple[str, float]]:
    """What a random order of all documents scores, the mean of 20, and the order by the one column that does best."""
    dataset = load_dataset(SweepSpec.from_file(HERE / "sweep.yaml", settings).data_options)
    random = np.random.default_rng(0)
    chance = [_score(dataset.truth, random.random(len(dataset.y))) for _ in range(20)]
    yield "in random order", float(np.mean(chance))
    columns = {name: dataset.frame[name].to_numpy() for name in dataset.layout.of("numeric")}
    alone = {name: _score(dataset.truth, values) for name, values in columns.items()}
    best = max(alone, key=lambda name: alone[name])
    yield f"by {best} alone", alone[best]


def _score(truth: np.ndarray, scores: np.ndarray) -> float:
    return Ranked(truth, scores).score("ndcg@10")


def interval(values: np.ndarray) -> str:
    """Mean [least, most]."""
    if len(values) < 3 or np.ptp(values) == 0:
        return f"{values.mean():+.3f}"
    low, high = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of distml sweep")
    args = parser.parse_args()
    found = [arms(run(seed, args.runs, args.set)) for seed in range(args.seeds)]
    names = sorted(set.intersection(*map(set, found)))
    best = {name: np.array([max(seed[name]) for seed in found]) for name in names}
    middle = {name: np.array([np.median(seed[name]) for seed in found]) for name in names}
    trials = {name: sum(len(seed[name]) for seed in found) for name in names}
    print(f"{'':32} trials   best ± sd       median ± sd     best beside {BESIDE}")
    for name in sorted(names, key=lambda name: -best[name].mean()):
        shown = "   ".join(
            f"{one[name].mean():.3f} ± {one[name].std(ddof=min(1, len(found) - 1)):.3f}" for one in (best, middle)
        )
        beside = interval(best[name] - best[BESIDE]) if BESIDE in best else ""
        print(f"{name:32} {trials[name]:6}   {shown}   {beside}")
    for what, score in without_learning(args.set):
        print(f"{what:32}          {score:.3f}")


if __name__ == "__main__":
    main()
