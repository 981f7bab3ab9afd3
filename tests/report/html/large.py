"""A made-up sweep of any size, as its journal holds it: three families, rungs, energy, failures."""

import math
from pathlib import Path
from random import Random
from typing import Any

from distml.sweep.journal import Journal
from distml.sweep.runs import RunFolder
from tests.report.sweeps import FAILURE, OPENED

SPACES: dict[str, dict[str, Any]] = {
    "scoring-network": {
        "hidden": [[64, 64], [128, 64], [256, 128]],
        "lr": {"low": 0.0001, "high": 0.01, "log": True},
        "weight_decay": {"low": 1e-06, "high": 0.01, "log": True},
        "dropout": {"low": 0.0, "high": 0.5},
        "epochs": 27,
        "batch_size": 256,
    },
    "random-forest": {
        "n_estimators": 270,
        "max_features": {"low": 0.1, "high": 0.7},
        "min_samples_leaf": {"low": 1, "high": 200, "log": True},
        "max_depth": {"low": 4, "high": 24},
    },
    "hist-gradient-boosting": {
        "max_iter": 180,
        "learning_rate": {"low": 0.01, "high": 0.2, "log": True},
        "max_leaf_nodes": {"low": 4, "high": 63, "log": True},
        "l2_regularization": {"low": 0.001, "high": 100.0, "log": True},
    },
}
RUNGS = {"scoring-network": (1, 3, 9, 27), "random-forest": (10, 30, 90, 270), "hist-gradient-boosting": (20, 60, 180)}


def write_large_sweep(runs: Path, trials: int, name: str = "large", sha256: str = "ab" * 32, **spec: Any) -> RunFolder:
    """A finished sweep of so many trials; the same each time."""
    random = Random(7)
    families = {family: {"space": space} for family, space in SPACES.items()}
    whole = {**OPENED["spec"], "name": name, "families": families, "preprocessing": {"numeric": ["standard"]}, **spec}
    events: list[dict[str, Any]] = [{**OPENED, "spec": whole, "data_sha256": sha256}]
    for number in range(1, trials + 1):
        events += _trial(number, random)
    winner = max((e for e in events if e["event"] == "rung"), key=lambda e: e["scores"]["roc_auc"])["trial"]
    events.append({"event": "winner", "at": 4000.0, "trial": winner, "holdout": {"roc_auc": 0.79, "brier": 0.13}})
    events.append({"event": "closed", "at": 4000.0, "reason": "budget"})
    folder = RunFolder(runs, name)
    with folder.writer() as confirm, Journal(folder.journal, confirm) as journal:
        journal.append(*({"at": 1000.0, **event} for event in events))
    return folder


def _trial(number: int, random: Random) -> list[dict[str, Any]]:
    family = list(SPACES)[0 if number % 10 < 8 else 1 if number % 10 == 8 else 2]
    trial, cohort = f"t{number:04}", f"c{number // 64:03}"
    params = {name: _value(domain, random) for name, domain in SPACES[family].items()}
    params["preprocessing.numeric"] = "standard"
    events: list[dict[str, Any]] = [
        {"event": "asked", "trial": trial, "number": number, "family": family, "params": params, "seed": number},
        {"event": "cohort", "cohort": cohort, "family": family, "trials": [trial]},
    ]
    if number % 97 == 0:
        failure = {**FAILURE, "kind": random.choice(["memory", "code"])}
        return [*events, {"event": "ended", "trial": trial, "state": "failed", "failure": failure}]
    rungs = RUNGS[family]
    reached = rungs[: 1 + sum(random.random() < 0.4 for _ in rungs[1:])]
    base = 0.70 + 0.06 * random.random() + (0.01 if family == "hist-gradient-boosting" else 0)
    base -= 0.05 * abs(math.log10(params.get("lr", 0.001)) + 3)
    for place, resource in enumerate(reached):
        score = base + 0.012 * place + random.gauss(0, 0.002)
        events.append(
            {
                "event": "rung", "trial": trial, "cohort": cohort, "resource": resource, "state": "running",
                "scores": {"roc_auc": score, "brier": 0.3 - score / 5}, "seconds": 0.02 * resource * random.random(),
                "folds": [score + random.gauss(0, 0.005) for _ in range(5)], "gpu_seconds": 0.01, "device": "gpu0",
                "energy_j": 3.0 * random.random() * resource, "energy_estimated": True, "peak_memory_mib": 300.0,
            }
        )  # fmt: skip
    state = "finished" if reached == rungs else "stopped"
    return [*events, {"event": "ended", "trial": trial, "state": state}]


def _value(domain: Any, random: Random) -> Any:
    if isinstance(domain, list):
        return random.choice(domain)
    if not isinstance(domain, dict):
        return domain
    low, high = domain["low"], domain["high"]
    found = math.exp(random.uniform(math.log(low), math.log(high))) if domain.get("log") else random.uniform(low, high)
    return round(found) if isinstance(low, int) else found
