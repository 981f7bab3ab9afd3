"""A made-up sweep with a trial of every state, as its journal holds it."""

from pathlib import Path

from distml.sweep.journal import Journal
from distml.sweep.runs import RunFolder

SPEC = {
    "name": "credit",
    "seed": 7,
    "task": "classification",
    "data": {"source": "credit.csv", "target": "default"},
    "metric": "roc_auc",
    "report": ["brier"],
    "budget": {"trials": 6, "minutes": 10.0},
}
OPENED = {
    "event": "opened",
    "at": 1000.0,
    "spec": SPEC,
    "greater_is_better": True,
    "holdout_rows": 6000,
    "data_sha256": "ab" * 32,
    "versions": {"python": "3.11.7", "distml": "0.1.0"},
    "git": "0123456789ab",
}
FAILURE = {
    "kind": "code",
    "error": "ValueError: no such activation",
    "traceback": "Traceback (most recent call last):\n  ...\nValueError: no such activation\n",
    "node": "ws-1",
    "log": "logs/c002.log",
}


def asked(number, family, params):
    return {"event": "asked", "trial": f"t{number:04}", "number": number, "family": family, "params": params, "seed": 3}


def rung(number, resource, score, state="running", **more):
    scores = {"roc_auc": score, "brier": 0.15}
    folds = [score - 0.01, score, score + 0.01] if score is not None else [None]
    known = {"trial": f"t{number:04}", "cohort": "c001", "resource": resource, "scores": scores, "folds": folds}
    return {"event": "rung", "at": 1020.0, "state": state, "seconds": 1.5, "device": "cpu", **known, **more}


def ended(number, state, **more):
    return {"event": "ended", "trial": f"t{number:04}", "state": state, "at": 1030.0, **more}


EVENTS = [
    OPENED,
    asked(1, "scoring-network", {"lr": 0.01, "hidden": [64, 64], "epochs": 5, "preprocessing.numeric": "standard"}),
    asked(2, "random-forest", {"max_features": 0.5, "trees": 400}),
    asked(3, "scoring-network", {"lr": 0.001, "hidden": [256, 128], "epochs": 5, "preprocessing.numeric": "quantile"}),
    asked(4, "random-forest", {"max_features": 0.1, "trees": 400}),
    asked(5, "scoring-network", {"lr": 9.9, "hidden": [64, 64], "epochs": 5, "preprocessing.numeric": "standard"}),
    asked(6, "random-forest", {"max_features": 0.3, "trees": 400}),
    asked(7, "random-forest", {"max_features": 0.4, "trees": 400}),
    {"event": "cohort", "cohort": "c001", "family": "scoring-network", "trials": ["t0001", "t0003", "t0005"]},
    {"event": "cohort", "cohort": "c002", "family": "random-forest", "trials": ["t0002", "t0004", "t0006"]},
    rung(1, 1, 0.70),
    rung(1, 5, 0.78),
    ended(1, "finished"),
    rung(2, 50, 0.72, cohort="c002", energy_j=42.0, energy_estimated=True, gpu_seconds=0.5, peak_memory_mib=310.4),
    rung(2, 400, 0.79, cohort="c002"),
    ended(2, "finished"),
    rung(3, 1, 0.60),
    ended(3, "stopped"),
    ended(4, "failed", failure=FAILURE),
    rung(5, 1, None, state="diverged"),
    ended(5, "diverged"),
    rung(6, 50, 0.71, cohort="c002"),
]
WINNER = {"event": "winner", "trial": "t0002", "holdout": {"roc_auc": 0.7843, "brier": 0.134}, "at": 1060.0}
CLOSED = {"event": "closed", "reason": "budget", "at": 1060.0}


def write_sweep(runs: Path, *more, name="credit", events=EVENTS) -> RunFolder:
    """A run's folder as a driver leaves it."""
    folder = RunFolder(runs, name)
    with folder.writer() as confirm, Journal(folder.journal, confirm) as journal:
        journal.append(*({"at": 1000.0, **event} for event in (*events, *more)))
    return folder
