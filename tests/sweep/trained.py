"""Sweeps whose trials were really trained, in this process: a journal and the predictions that a scorer is made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distml.data.variant import variant_from
from distml.sweep.journal import Journal
from distml.sweep.params import split_params
from distml.sweep.parts import size_of
from distml.sweep.preflight import Checked, preflight
from distml.sweep.runs import RunFolder, predictions_file
from distml.sweep.spec import SweepSpec
from distml.sweep.variants import prepared, scores_out_of_bag
from distml.training.cohort import Assignment, Member
from distml.training.start import start_cohort

GERMAN = Path(__file__).parents[2] / "experiments/credit_german/credit_german.csv.gz"
TRIALS: list[tuple[str, dict[str, Any]]] = [
    ("logistic-regression", {"C": 0.05, "preprocessing.missing": "none"}),
    ("random-forest", {"n_estimators": 20, "min_samples_leaf": 3, "preprocessing.missing": "none"}),
    ("hist-gradient-boosting", {"max_iter": 20, "learning_rate": 0.1, "preprocessing.categorical": "ordinal"}),
    (
        "scoring-network",
        {"hidden": (16,), "lr": 0.01, "epochs": 4, "batch_size": 64, "preprocessing.categorical": "ordinal"},
    ),
    ("xgboost", {"n_estimators": 20, "learning_rate": 0.1, "preprocessing.missing": "none"}),
]


def checked_german(
    name: str = "german", families: Any = None, report: tuple[str, ...] = ("ks",), **data: Any
) -> Checked:
    """A sweep over the German credit table."""
    spec = SweepSpec(
        name=name, data={"source": GERMAN, "target": "creditability", "positive": "bad", **data}, split={"folds": 3},
        families=families or [family for family, _ in TRIALS], report=report, budget={"trials": len(TRIALS)},
    )  # fmt: skip
    return preflight(spec)


def write_trained(
    runs: Path, checked: Checked, trials: list[tuple[str, dict[str, Any]]], *, keep: bool = True
) -> RunFolder:
    """A sweep's folder as its driver leaves it. keep: whether the trials' predictions were kept."""
    folder = RunFolder(runs, checked.spec.name)
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        journal.append(
            {
                "event": "opened", "spec": checked.resolved, "data_sha256": checked.dataset.sha256, "git": None,
                "greater_is_better": checked.metric.greater_is_better, "versions": {}, "holdout_rows": 200,
            }
        )  # fmt: skip
        for number, (family, params) in enumerate(trials, start=1):
            _train(folder, journal, checked, number, family, params, keep)
        journal.append({"event": "closed", "reason": "budget"})
    return folder


def _train(
    folder: RunFolder, journal: Journal, checked: Checked, number: int, name: str, params: Mapping[str, Any], keep: bool
) -> None:
    trial = f"t{number:04}"
    family = checked.families[name][0]
    own, choices = split_params(params)
    variant = variant_from(choices)
    out_of_bag = scores_out_of_bag(family, variant, checked.spec)
    arrays = prepared(checked.dataset, variant, out_of_bag, checked.spec.seed)
    cohort, _ = start_cohort(Assignment(family, arrays.outline, arrays.folds, checked.evaluator, arrays.whole), own)
    cohort.admit([Member(trial, own, number, (size_of(family, own),))])
    [result] = cohort.advance()
    told = {"trial": trial, "cohort": f"c{number:03}", "resource": result.resource}
    journal.append(
        {"event": "asked", "trial": trial, "number": number, "family": name, "params": params, "seed": number},
        {"event": "rung", **told, "state": result.state, "scores": result.scores, "folds": result.folds, "seconds": 1},
        {"event": "ended", "trial": trial, "state": result.state},
    )
    if keep:
        cohort.validation(trial).write(predictions_file(folder.predictions, trial))
