"""Shared networks beside separate ones, and ways of pooling beside each other, over several seeds.

    python experiments/shared_tasks/compare.py heads [--rows 24000]
    python experiments/shared_tasks/compare.py bags

A seed decides the split, the first weights and the batches, for all arms alike. Every arm is given the same choices
(learning rate, dropout), of which the best by cross-validation stands for it, and its difference to the first arm is
taken seed by seed. Intervals: 95 %, bootstrap over seeds.

Trains the trials of the sweep files, in the same cohorts, but in this process: starting a sweep takes longer than these
trainings. Run it from the repository's root, so that the networks are found.
"""

import argparse
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from distml.data.arrays import outline, prepare_folds
from distml.data.variant import variant_from
from distml.models.space import Choice, Fixed
from distml.sweep.params import split_params
from distml.sweep.parts import size_of, structure_of
from distml.sweep.preflight import preflight
from distml.sweep.seeds import trial_name, trial_seed
from distml.sweep.spec import SweepSpec
from distml.training.cohort import Assignment, Member
from distml.training.start import start_cohort

HERE = Path(__file__).parent
Scores = dict[str, dict[str, float]]  # what is learnt -> arm -> score
ALL_ROWS, LEARNT = 30_000, 24_000
FEW = ["families.heads.space.epochs=40", "families.heads.space.batch_size=64"]  # as many steps as many rows have
TASKS = {
    "target": ("roc_auc", []),
    "PAY_0": ("r2", ["task=regression"]),
    "LIMIT_BAL": ("r2", ["task=regression"]),
}


def heads(seed: int, rows: int, settings: list[str]) -> Scores:
    """Each target's best score by share of the further targets."""
    found = {}
    for target, (metric, own) in TASKS.items():
        further = [name for name in TASKS if name != target]
        given = [f"data.target={target}", f"data.further_targets={json.dumps(further)}", f"metric={metric}", *own]
        if rows < LEARNT:
            given += [f"split.test={1 - rows / ALL_ROWS}", *FEW]
        trials = trained("heads", [f"seed={seed}", *given, *settings])
        found[f"{target} ({metric})"] = best(trials, lambda family, params: f"share {params['share']:g}")
    return found


def bags(seed: int, rows: int, settings: list[str]) -> Scores:
    """The best score by way of pooling, or by family that sees a bag as one long row."""
    trials = trained("bags", [f"seed={seed}", *settings])
    return {"any default (roc_auc)": best(trials, lambda family, params: str(params.get("pooling", family)))}


def trained(file: str, settings: list[str]) -> Iterator[tuple[str, dict[str, Any], float]]:
    """(family, parameters, cross-validated score) of every point of a sweep file's grid."""
    checked = preflight(SweepSpec.from_file(HERE / f"{file}.yaml", settings))
    seed, numbers = checked.spec.seed, itertools.count()
    for name, (family, space) in checked.families.items():
        cohorts = defaultdict(list)
        for params in points(space):
            cohorts[structure_of(family, params)].append((next(numbers), params))
        for trials in cohorts.values():
            variant = variant_from(split_params(trials[0][1])[1])
            folds = prepare_folds(checked.dataset, variant, seed)
            shape = outline(checked.dataset, folds[0])
            members = []
            for number, params in trials:
                own = split_params(params)[0]
                members.append(Member(trial_name(number), own, trial_seed(seed, 0), (size_of(family, own),)))
            cohort, _ = start_cohort(Assignment(family, shape, folds, checked.evaluator), members[0].params)
            cohort.admit(members)
            params_of = {member.trial: dict(member.params) for member in members}
            for result in cohort.advance():
                if result.state == "finished":
                    yield name, params_of[result.trial], result.scores[checked.metric.name]


def points(space: Any) -> Iterator[dict[str, Any]]:
    """The grid of a space of fixed values and choices."""
    axes = [domain.options if isinstance(domain, Choice) else (domain.value,) for domain in space.values()]
    assert all(isinstance(domain, (Choice, Fixed)) for domain in space.values())
    for values in itertools.product(*axes):
        yield dict(zip(space, values, strict=True))


def best(trials: Iterator[tuple[str, dict[str, Any], float]], arm: Callable[..., str]) -> dict[str, float]:
    """Arm -> the best score of its trials; greater is better."""
    found: dict[str, float] = defaultdict(lambda: -np.inf)
    for family, params, score in trials:
        found[arm(family, params)] = max(found[arm(family, params)], score)
    return dict(found)


def interval(values: np.ndarray, sign: str = "") -> str:
    """Mean [least, most]."""
    if len(values) < 3 or np.ptp(values) == 0:
        return f"{values.mean():{sign}.4f}"
    low, high = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["heads", "bags"])
    parser.add_argument("--rows", type=int, default=LEARNT, help="that the heads learn from")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of distml sweep")
    args = parser.parse_args()
    sys.path.append(str(Path.cwd()))
    one = {"heads": heads, "bags": bags}[args.what]
    seeds = []
    for seed in range(args.seeds):
        seeds.append(one(seed, args.rows, args.set))
        told(seeds, "share 0" if args.what == "heads" else "mean")


def told(seeds: list[Scores], first: str) -> None:
    """Print what the seeds so far say."""
    for label, arms in seeds[0].items():
        base = np.array([seed[label][first] for seed in seeds])
        print(f"\n{label:28} mean of {len(seeds)} seeds            beside {first}")
        for arm in sorted(arms):
            own = np.array([seed[label][arm] for seed in seeds])
            beside = "" if arm == first else f"   {interval(own - base, '+')}"
            print(f"{arm:28} {interval(own)}{beside}", flush=True)


if __name__ == "__main__":
    main()
