"""Learning curves with few labels: what rows without one add, and what it is worth to ask for the right ones.

    python experiments/few_labels/curves.py german --seeds 40
    python experiments/few_labels/curves.py taiwan --seeds 10

A seed decides the holdout and the first labels; methods are compared seed by seed, on the same ones. With so few labels
there are none to choose hyperparameters by: each method has one fixed setting. Intervals: 95 %, bootstrap over seeds.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy.stats import bootstrap
from sklearn.model_selection import train_test_split

from distml.data.arrays import outline, prepare_whole
from distml.data.dataset import DataOptions, load_dataset
from distml.data.task import FoldArrays, Outline
from distml.data.variant import Numeric, Variant
from distml.models.metrics import batched_roc_auc
from distml.models.probabilities import predicted
from distml.models.registry import find_family
from distml.training.estimators import learnt_from, training_conditions

EXPERIMENTS = Path(__file__).parents[1]
TABLES: dict[str, dict[str, Any]] = {
    "german": {
        "source": EXPERIMENTS / "credit_german" / "credit_german.csv.gz", "target": "creditability", "positive": "bad",
    },
    "taiwan": {
        "source": EXPERIMENTS / "credit_default" / "credit_default_taiwan.csv.gz", "target": "target", "positive": 1,
        "drop": ("ID",), "kinds": {"SEX": "categorical", "EDUCATION": "categorical", "MARRIAGE": "categorical"},
    },
}  # fmt: skip
SHARES = (0.01, 0.02, 0.05, 0.1)  # of the training rows have their label
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "logistic regression": ("logistic-regression", {"C": 0.1}),
    "nearest neighbours": ("k-nearest-neighbours", {"n_neighbors": 5}),
    "random forest": ("random-forest", {"n_estimators": 100, "min_samples_leaf": 3}),
    "self-training": ("self-training", {"C": 0.1, "threshold": 0.9}),
    "label spreading": ("label-spreading", {"n_neighbors": 10, "alpha": 0.2}),
}
ASKING = {"asking, logistic regression": "logistic regression", "asking, random forest": "random forest"}
# Plain supervised learning by the same kind of model, on as many labels drawn at random.
TWINS = {"self-training": "logistic regression", "label spreading": "nearest neighbours", **ASKING}
ALL = {"all labels, logistic regression": "logistic regression", "all labels, random forest": "random forest"}


def prepared(table: str, seed: int, numeric: Numeric) -> tuple[FoldArrays, Outline]:
    """All training rows and the holdout; preprocessing needs no labels, so it sees all training rows from the start."""
    dataset = load_dataset(DataOptions(**TABLES[table], seed=seed))
    whole = prepare_whole(dataset, Variant(numeric=numeric), seed)
    return whole, outline(dataset, whole)


def first_labels(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(rows,) whether a row's label is known: a stratified share of them, a row of each class at least."""
    known = np.zeros(len(y), dtype=bool)
    chosen, _ = train_test_split(np.arange(len(y)), train_size=share, stratify=y, random_state=seed)
    known[chosen] = True
    return known


def fitted(method: str, whole: FoldArrays, shape: Outline, known: np.ndarray, seed: int) -> Any:
    """A method's model, of the known labels and, where it makes use of them, of the other rows."""
    name, params = METHODS[method]
    family = find_family(name)
    x, y = whole.x_train, whole.y_train
    given = replace(whole, x_train=x[known], y_train=y[known], x_unlabelled=x[~known] if not known.all() else None)
    model = family.build(params, shape, seed)
    with training_conditions(1):
        model.fit(*learnt_from(family, given))
    return model


def area(model: Any, shape: Outline, x: np.ndarray, y: np.ndarray) -> float:
    """ROC AUC; nan without rows."""
    if not len(y):
        return float("nan")
    with training_conditions(1):
        return float(batched_roc_auc(y, predicted(model, x, shape)[None, :, 1])[0])


def most_uncertain(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` probabilities nearest to a half, those in doubt first."""
    return np.argsort(np.abs(probabilities - 0.5), kind="stable")[:count]


def asked(method: str, whole: FoldArrays, shape: Outline, budgets: list[int], seed: int) -> Iterator[np.ndarray]:
    """Which labels are known at each budget, when each is asked for where the model of those before is in doubt.

    The first budget is spent at random; from then on a model is trained for each tenth of the last one.
    """
    known = first_labels(whole.y_train, budgets[0] / len(whole.y_train), seed)
    yield known.copy()
    step = max(1, budgets[-1] // 10)
    for budget in budgets[1:]:
        while (left := budget - int(known.sum())) > 0:
            model = fitted(method, whole, shape, known, seed)
            places = np.flatnonzero(~known)
            with training_conditions(1):
                doubt = most_uncertain(predicted(model, whole.x_train[places], shape)[:, 1], min(step, left))
            known[places[doubt]] = True
        yield known.copy()


def measured(table: str, seed: int, numeric: Numeric = "standard") -> Iterator[dict[str, Any]]:
    """One row a method and a share of labels: ROC AUC on the holdout, and on the rows whose labels were hidden.

    Not on the hidden ones where the method chose which to leave hidden: those it left are not like the others.
    """
    whole, shape = prepared(table, seed, numeric)
    y, everything = whole.y_train, np.ones(len(whole.y_train), dtype=bool)

    def row(name: str, method: str, share: float, known: np.ndarray) -> dict[str, Any]:
        start = time.perf_counter()
        model = fitted(method, whole, shape, known, seed)
        seconds = time.perf_counter() - start
        rest = known | (name in ASKING)
        return {
            "table": table, "seed": seed, "method": name, "share": share, "labels": int(known.sum()),
            "bad": float(y[known].mean()), "holdout": area(model, shape, whole.x_valid, whole.y_valid),
            "hidden": area(model, shape, whole.x_train[~rest], y[~rest]), "seconds": seconds,
        }  # fmt: skip

    first = {share: first_labels(y, share, seed) for share in SHARES}
    for share, known in first.items():
        for method in METHODS:
            yield row(method, method, share, known)
    budgets = [int(known.sum()) for known in first.values()]
    for name, method in ASKING.items():
        for share, known in zip(SHARES, asked(method, whole, shape, budgets, seed), strict=True):
            yield row(name, method, share, known)
    for name, method in ALL.items():
        yield row(name, method, 1.0, everything)


def self_given(table: str, share: float, seed: int, numeric: Numeric = "standard") -> dict[str, float]:
    """What self-training made of the rows without a label: the share that it gave one, how many of those it called bad,
    and how many of them are.
    """
    whole, shape = prepared(table, seed, numeric)
    known = first_labels(whole.y_train, share, seed)
    given = fitted("self-training", whole, shape, known, seed).transduction_[known.sum() :]
    has = given != -1
    truth = whole.y_train[~known][has]
    return {"given": has.mean(), "called bad": given[has].sum() / has.sum(), "are bad": truth.sum() / has.sum()}


def beside_twins(found: pd.DataFrame, on: str = "holdout") -> pd.DataFrame:
    """Each method's mean and sd over seeds, and its mean difference to its twin, seed by seed, with an interval."""
    by_seed = found.dropna(subset=on).pivot_table(index="seed", columns=["share", "method"], values=on)
    rows = []
    for share, method in by_seed.columns:
        own = by_seed[share, method]
        line = {"share": share, "method": method, "mean": own.mean(), "sd": own.std()}
        if method in TWINS:
            apart = (own - by_seed[share, TWINS[method]]).to_numpy()
            low = high = apart.mean()
            if len(apart) > 2 and np.ptp(apart) > 0:
                low, high = bootstrap((apart,), np.mean, rng=0, method="percentile").confidence_interval
            line |= {"apart": apart.mean(), "low": low, "high": high}
        rows.append(line)
    return pd.DataFrame(rows, columns=["share", "method", "mean", "sd", "apart", "low", "high"])


def told(summary: pd.DataFrame) -> Iterator[str]:
    for line in summary.to_dict("records"):
        text = f"{line['share']:6.0%}  {line['method']:31} {line['mean']:.3f} ± {line['sd']:.3f}"
        if np.isfinite(line["apart"]):
            apart = f"{line['apart']:+.3f} [{line['low']:+.3f}, {line['high']:+.3f}]"
            text += f"   {apart} beside {TWINS[line['method']]}"
        yield text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--numeric", choices=get_args(Numeric), default="standard", help="scaling of numeric columns")
    parser.add_argument("--self-given", action="store_true", help="what self-training called the other rows; no more")
    parser.add_argument("--output", type=Path, help="by default curves_TABLE.csv.gz beside this file")
    args = parser.parse_args()
    if args.self_given:
        for share in SHARES:
            with np.errstate(invalid="ignore"):  # at times it is sure of none
                told_of = [self_given(args.table, share, seed, args.numeric) for seed in range(args.seeds)]
            print(f"{share:4.0%}", pd.DataFrame(told_of).mean().round(3).to_dict())
        return
    found = []
    for seed in range(args.seeds):
        start = time.perf_counter()
        found += measured(args.table, seed, args.numeric)
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.DataFrame(found)
    output = args.output or Path(__file__).with_name(f"curves_{args.table}.csv.gz")
    table.to_csv(output, index=False, float_format="%.5f")
    for on in ("holdout", "hidden"):
        print(f"\n{args.table}, ROC AUC on the {on} rows: mean ± sd of {args.seeds} seeds")
        print(*told(beside_twins(table, on)), sep="\n")


if __name__ == "__main__":
    main()
