"""Train random configurations of the scoring network on three tables, all to the end, and keep their curves.

    python experiments/learning_curves/record.py california_housing.csv.gz    # scikit-learn's table, as CSV

The configurations come from the network's own search space. Of each, the validation score after every epoch is kept.
The rate of learning is constant, so that a shorter training's curve is the beginning of a longer one's.
"""

import argparse
import csv
import gzip
import io
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from distml.data.arrays import outline, prepare_folds
from distml.data.dataset import DataOptions, load_dataset
from distml.data.variant import Variant
from distml.models.metrics import Evaluator
from distml.models.registry import find_family
from distml.models.space import Fixed, Value
from distml.sweep.parts import structure_of
from distml.sweep.seeds import trial_name, trial_seed
from distml.sweep.tune.searchers import make_searcher
from distml.training.cohort import Assignment, Member
from distml.training.stacked import StackedCohort

HERE = Path(__file__).parent
CURVES = HERE / "curves.csv.gz"
FAMILY = find_family("scoring-network")
SEARCHED = ("hidden", "lr", "weight_decay", "dropout")
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("california", type=Path, help="california_housing.csv.gz")
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()
    credit = HERE.parent
    tables = {
        "credit_default": DataOptions(
            credit / "credit_default" / "credit_default_taiwan.csv.gz", "target", positive=1, drop=("ID",), folds=1,
            kinds=dict.fromkeys(("SEX", "EDUCATION", "MARRIAGE"), "categorical"),
        ),
        "credit_german": DataOptions(
            credit / "credit_german" / "credit_german.csv.gz", "creditability", positive="bad", folds=1
        ),
        "california_housing": DataOptions(args.california, "MedHouseVal", task="regression", folds=1),
    }  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    epochs = range(1, args.epochs + 1)
    writer.writerow(["table", "metric", "configuration", *SEARCHED, *(f"epoch_{epoch}" for epoch in epochs)])
    for table, options in tables.items():
        start = time.perf_counter()
        metric = "r2" if options.task == "regression" else "roc_auc"
        configurations, curves = record(options, metric, args.configurations, args.epochs)
        for number, params in enumerate(configurations, start=1):
            searched = [json.dumps(params[name]) if name == "hidden" else f"{params[name]:.6g}" for name in SEARCHED]
            scores = [f"{score:.5f}" for score in curves[trial_name(number)]]
            writer.writerow([table, metric, number, *searched, *scores])
        print(f"{table}: {len(configurations)} curves in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    CURVES.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def record(
    options: DataOptions, metric: str, count: int, epochs: int
) -> tuple[list[dict[str, Value]], dict[str, list[float]]]:
    """(the configurations, trial -> its validation score after each epoch)."""
    dataset = load_dataset(options)
    folds = prepare_folds(dataset, Variant(), 0)
    shape = outline(dataset, folds[0])
    assignment = Assignment(FAMILY, shape, folds, Evaluator(metric, (), shape.task, shape.classes))
    searcher = make_searcher("random", {**FAMILY.space, "epochs": Fixed(epochs)}, mode="max", seed=SEED)
    configurations = [dict(searcher.suggest(trial_name(number)) or {}) for number in range(1, count + 1)]
    cohorts: dict[str, list[Member]] = defaultdict(list)
    for number, params in enumerate(configurations, start=1):
        member = Member(trial_name(number), params, trial_seed(SEED, number), tuple(range(1, epochs + 1)))
        cohorts[structure_of(FAMILY, params)].append(member)
    curves: dict[str, list[float]] = defaultdict(list)
    for members in cohorts.values():
        cohort = StackedCohort(assignment, members[0].params)
        cohort.admit(members)
        for _ in range(epochs):
            for result in cohort.advance():
                curves[result.trial].append(result.scores[metric])
    return configurations, curves


if __name__ == "__main__":
    main()
