"""Train random configurations of the scoring network on three tables, all to the end, and keep their curves.

    python experiments/learning_curves/record.py california_housing.csv.gz    # scikit-learn's table, as CSV

Of each configuration the validation score after every epoch is kept. The rate of learning is constant, so that a
shorter training's curve is the beginning of a longer one's.
"""

import argparse
import csv
import gzip
import io
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from distml.data.arrays import outline, prepare_folds
from distml.data.dataset import DataOptions, load_dataset
from distml.data.variant import Variant
from distml.models.metrics import Evaluator
from distml.models.registry import find_family
from distml.models.space import Fixed, Float, Space, Value
from distml.sweep.parts import structure_of
from distml.sweep.seeds import trial_name, trial_seed
from distml.sweep.tune.searchers import make_searcher
from distml.training.cohort import Assignment, Member
from distml.training.stacked import StackedCohort

CURVES = Path(__file__).with_name("curves.csv.gz")
CREDIT = Path(__file__).parents[1]
FAMILY = find_family("scoring-network")
SPACES: Mapping[str, Space] = {
    "default": FAMILY.space,
    # Wide enough that many configurations fail: our own choice of ranges.
    "wide": {
        **FAMILY.space,
        "lr": Float(1e-4, 1e-1, log=True),
        "weight_decay": Float(1e-5, 1e-1, log=True),
        "dropout": Float(0.0, 0.99),
    },
}
SEARCHED = ("hidden", "lr", "weight_decay", "dropout")
CONFIGURATIONS, EPOCHS, SEED = 300, 27, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("california", type=Path, help="california_housing.csv.gz")
    california = parser.parse_args().california
    rows = [row for space in SPACES for row in record_space(space, california)]
    write(rows)


def tables(california: Path) -> dict[str, DataOptions]:
    taiwan = CREDIT / "credit_default" / "credit_default_taiwan.csv.gz"
    german = CREDIT / "credit_german" / "credit_german.csv.gz"
    codes = dict.fromkeys(("SEX", "EDUCATION", "MARRIAGE"), "categorical")
    return {
        "credit_default": DataOptions(taiwan, "target", positive=1, drop=("ID",), kinds=codes, folds=1),
        "credit_german": DataOptions(german, "creditability", positive="bad", folds=1),
        "california_housing": DataOptions(california, "MedHouseVal", task="regression", folds=1),
    }


def record_space(space: str, california: Path) -> list[list[str]]:
    """One row for each table and configuration."""
    rows = []
    for table, options in tables(california).items():
        start = time.perf_counter()
        metric = "r2" if options.task == "regression" else "roc_auc"
        configurations, curves = record(options, metric, SPACES[space])
        for number, params in enumerate(configurations, start=1):
            searched = [json.dumps(params[name]) if name == "hidden" else f"{params[name]:.6g}" for name in SEARCHED]
            scores = [f"{score:.5f}" for score in curves[trial_name(number)]]
            scores += ["nan"] * (EPOCHS - len(scores))  # diverged
            rows.append([space, table, metric, str(number), *searched, *scores])
        print(f"{space}, {table}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return rows


def record(options: DataOptions, metric: str, space: Space) -> tuple[list[dict[str, Value]], dict[str, list[float]]]:
    """(the configurations, trial -> its validation score after each epoch until it diverges)."""
    dataset = load_dataset(options)
    folds = prepare_folds(dataset, Variant(), 0)
    shape = outline(dataset, folds[0])
    assignment = Assignment(FAMILY, shape, folds, Evaluator(metric, (), shape.task, shape.classes))
    searcher = make_searcher("random", {**space, "epochs": Fixed(EPOCHS)}, mode="max", seed=SEED)
    configurations = [dict(searcher.suggest(trial_name(number)) or {}) for number in range(1, CONFIGURATIONS + 1)]
    cohorts: dict[str, list[Member]] = defaultdict(list)
    for number, params in enumerate(configurations, start=1):
        member = Member(trial_name(number), params, trial_seed(SEED, number), tuple(range(1, EPOCHS + 1)))
        cohorts[structure_of(FAMILY, params)].append(member)
    curves: dict[str, list[float]] = defaultdict(list)
    for members in cohorts.values():
        cohort = StackedCohort(assignment, members[0].params)
        cohort.admit(members)
        for _ in range(EPOCHS):
            for result in cohort.advance():
                if math.isfinite(score := result.scores.get(metric, math.nan)):
                    curves[result.trial].append(score)
    return configurations, curves


def write(rows: list[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    epochs = [f"epoch_{epoch}" for epoch in range(1, EPOCHS + 1)]
    writer.writerow(["space", "table", "metric", "configuration", *SEARCHED, *epochs])
    writer.writerows(rows)
    CURVES.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    main()
