"""What distml itself costs, and what growing forests saves, each beside what one would write without it.

    make bench-overhead

Every figure is a ratio or a mean taken in one run on one machine; the absolute seconds of a shared machine say little.
"""

import argparse
import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import psutil
from measuring import TABLE, machine, run_python, run_sweep, spread
from scipy.stats import randint, uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

TREES = 270
SPACE = {"max_features": uniform(0.1, 0.6), "min_samples_leaf": randint(1, 200), "max_depth": randint(4, 25)}


class NoOp(ClassifierMixin, BaseEstimator):
    """A model that costs nothing: what is left is distml's and Ray's own time."""

    def __init__(self, knob: float = 0.0) -> None:
        self.knob = knob

    def fit(self, x: np.ndarray, y: np.ndarray) -> "NoOp":
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        positive = 1 / (1 + np.exp(-x[:, 0] * self.knob))
        return np.column_stack([1 - positive, positive])

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--noops", type=int, default=200)
    parser.add_argument("--forests", type=int, default=64)
    parser.add_argument("parts", nargs="*", default=["noop", "forests", "memory"])
    args = parser.parse_args()
    found: dict[str, Any] = {"machine": machine()}
    if "noop" in args.parts:
        found["no-op trials"] = noop(args.noops, args.repeats)
    if "forests" in args.parts:
        found["forests"] = forests(args.forests, args.repeats)
    if "memory" in args.parts:
        found["memory"] = memory()
    print(json.dumps(found, indent=2))


# --- a trial that does nothing


def noop(trials: int, repeats: int) -> dict[str, Any]:
    """Milliseconds a trial, from the command to its end; and of plain Ray Tune, a process a trial."""
    family = {"noop": {"class": "overhead:NoOp", "space": {"knob": {"low": 0.0, "high": 1.0}}}}
    content = {
        "name": "noop", "families": family, "split": {"folds": 1}, "budget": {"trials": trials},
        "search": {"algorithm": "random", "scheduler": "none"},
    }  # fmt: skip
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(1000 * run_sweep(content)[0] / trials)
        theirs.append(1000 * call("plain_noop")[0] / PLAIN_NOOPS)
    return {
        "distml, ms a trial": spread(ours), "plain Ray Tune, ms a trial": spread(theirs),
        "ratio": spread([their / our for our, their in zip(ours, theirs, strict=True)]), "trials": trials,
    }  # fmt: skip


PLAIN_NOOPS = 24


def plain_noop() -> None:
    from ray import tune

    start_ray()
    tune.Tuner(
        lambda config: tune.report({"score": config["knob"]}),
        param_space={"knob": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=PLAIN_NOOPS, metric="score", mode="max"),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    print("done")


# --- the same forests, grown or fitted in full


def forests(count: int, repeats: int) -> dict[str, Any]:
    """Seconds to the best of the same kind of configurations, and the holdout AUC of each one's winner."""
    space = {
        "n_estimators": TREES, "max_features": {"low": 0.1, "high": 0.7}, "min_samples_leaf": {"low": 1, "high": 199},
        "max_depth": {"low": 4, "high": 24}, "class_weight": None,
    }  # fmt: skip
    content = {
        "name": "forests", "families": {"random-forest": {"space": space}}, "budget": {"trials": count},
        "search": {"algorithm": "random", "scheduler": "asha"},
    }  # fmt: skip
    arms: dict[str, Callable[[int], tuple[float, float]]] = {
        "distml": lambda seed: distml_forests(content | {"seed": seed}),
        "plain Ray Tune": lambda seed: peer_forests("plain_forests", seed, count),
        "HalvingRandomSearchCV": lambda seed: peer_forests("halving_forests", seed, count),
    }
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    aucs: dict[str, list[float]] = {name: [] for name in arms}
    for seed in range(repeats):
        for name, arm in arms.items():
            took, auc = arm(seed)
            seconds[name].append(took)
            aucs[name].append(auc)
            print(f"  {name}, seed {seed}: {took:.1f} s, holdout AUC {auc:.4f}", file=sys.stderr)
    return {
        name: {
            "seconds": spread(seconds[name]), "holdout AUC": spread(aucs[name]),
            "distml is quicker by": spread([a / b for a, b in zip(seconds[name], seconds["distml"], strict=True)]),
        }
        for name in arms
    }  # fmt: skip


def distml_forests(content: dict[str, Any]) -> tuple[float, float]:
    seconds, shown, *_ = run_sweep(content)
    return seconds, shown["holdout"]["roc_auc"]


def peer_forests(function: str, seed: int, count: int) -> tuple[float, float]:
    seconds, said = call(function, seed, count)
    return seconds, float(said)


def table() -> tuple[Any, ...]:
    """The same holdout as distml's: stratified, 20 %, the sweep's seed."""
    frame = pd.read_csv(TABLE)
    y = frame.pop("target").to_numpy()
    return frame.drop(columns="ID").to_numpy(np.float32), y


def split(seed: int) -> Any:
    x, y = table()
    return train_test_split(x, y, test_size=0.2, random_state=seed, stratify=y)


def plain_forests(seed: int, count: int) -> None:
    """Each configuration in full, on 80 % of the training rows, scored on the rest: one fit a configuration."""
    from ray import tune

    start_ray()

    def trial(config: dict[str, Any]) -> None:
        x_train, _, y_train, _ = split(seed)
        x_fit, x_valid, y_fit, y_valid = train_test_split(x_train, y_train, test_size=0.2, random_state=seed)
        model = RandomForestClassifier(TREES, random_state=seed, n_jobs=1, **config).fit(x_fit, y_fit)
        tune.report({"auc": roc_auc_score(y_valid, model.predict_proba(x_valid)[:, 1])})

    results = tune.Tuner(
        trial,
        param_space={
            "max_features": tune.uniform(0.1, 0.7), "min_samples_leaf": tune.randint(1, 200),
            "max_depth": tune.randint(4, 25),
        },
        tune_config=tune.TuneConfig(num_samples=count, metric="auc", mode="max"),
        run_config=tune.RunConfig(verbose=0),
    ).fit()  # fmt: skip
    print(holdout_auc(results.get_best_result().config, seed))


def halving_forests(seed: int, count: int) -> None:
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV

    x_train, _, y_train, _ = split(seed)
    found = HalvingRandomSearchCV(
        RandomForestClassifier(random_state=seed), SPACE, n_candidates=count, resource="n_estimators",
        min_resources=10, max_resources=TREES, factor=3, scoring="roc_auc", random_state=seed, n_jobs=-1, refit=False,
    ).fit(x_train, y_train)  # fmt: skip
    print(holdout_auc({key: value for key, value in found.best_params_.items() if key != "n_estimators"}, seed))


def holdout_auc(config: dict[str, Any], seed: int) -> float:
    x_train, x_test, y_train, y_test = split(seed)
    model = RandomForestClassifier(TREES, random_state=seed, n_jobs=-1, **config).fit(x_train, y_train)
    return float(roc_auc_score(y_test, model.predict_proba(x_test)[:, 1]))


# --- what a trial's process holds


def memory() -> dict[str, Any]:
    """Peak resident memory of the processes that train, shared pages left out, beside the prepared table's size."""
    content = {
        "name": "memory", "budget": {"trials": 12}, "search": {"algorithm": "random", "scheduler": "none"},
        "families": {"scoring-network": {"space": {"epochs": 2}}, "random-forest": {"space": {"n_estimators": 30}}},
    }  # fmt: skip
    peak: dict[int, float] = {}
    sweep = threading.Thread(target=run_sweep, args=(content,))
    sweep.start()
    while sweep.is_alive():
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if ", rung " in " ".join(child.cmdline()):
                    used = child.memory_full_info()
                    peak[child.pid] = max(peak.get(child.pid, 0.0), (used.rss - used.shared) / 2**20)
        time.sleep(0.1)
    rows, columns = table()[0].shape
    size = rows * columns * 4 / 2**20
    return {"MiB a process, largest": round(max(peak.values()), 1), "the table, MiB": round(size, 1)}


def call(function: str, *arguments: int) -> tuple[float, str]:
    """Call one of this file's functions in a process of its own, so that both sides pay for their imports."""
    return run_python("-c", f"import overhead; overhead.{function}(*{arguments})")


def start_ray() -> None:
    import ray

    ray.init("local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")  # not a cluster left behind


if __name__ == "__main__":
    main()
