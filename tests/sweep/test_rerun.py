"""A recorded trial trained again, against the cohort that trained it first."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from distml.data.variant import variant_from
from distml.sweep.journal import Journal
from distml.sweep.params import split_params
from distml.sweep.parts import rungs_of
from distml.sweep.preflight import Checked, preflight
from distml.sweep.rerun import rerun_trial
from distml.sweep.runs import RunFolder
from distml.sweep.spec import SweepSpec
from distml.sweep.variants import prepared
from distml.training.cohort import Assignment, Member, RungResult
from distml.training.start import start_cohort

GERMAN = Path(__file__).parents[2] / "experiments/credit_german/credit_german.csv.gz"
PARAMS = {
    "hidden": (8,), "lr": 0.02, "schedule": "cosine", "warmup": 0.2, "epochs": 9, "batch_size": 64,
    "preprocessing.numeric": "standard",
}  # fmt: skip


@pytest.fixture(scope="module")
def checked() -> Checked:
    spec = SweepSpec(
        name="german", data={"source": GERMAN, "target": "creditability", "positive": "bad"}, split={"folds": 2},
        families=["scoring-network"], budget={"trials": 1},
    )  # fmt: skip
    return preflight(spec)


def trained(checked: Checked, rungs: Sequence[int], times: int) -> list[RungResult]:
    """The first results of a trial with these rungs."""
    params, choices = split_params(PARAMS)
    arrays = prepared(checked.dataset, variant_from(choices), False, checked.spec.seed)
    family = checked.families["scoring-network"][0]
    cohort, _ = start_cohort(Assignment(family, arrays.outline, arrays.folds, checked.evaluator), params)
    cohort.admit([Member("t0001", params, 7, tuple(rungs))])
    return [cohort.advance()[0] for _ in range(times)]


@pytest.mark.parametrize("times", [2, 3])
def test_a_trial_cut_early_keeps_the_schedule_of_its_full_size(checked: Checked, tmp_path: Path, times: int) -> None:
    rungs = rungs_of(checked.families["scoring-network"][0], PARAMS, checked.spec.search)
    assert rungs == (1, 3, 9)
    results = trained(checked, rungs, times)
    folder = RunFolder(tmp_path, "german")
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        opened = {"event": "opened", "spec": checked.resolved, "data_sha256": checked.dataset.sha256}
        asked = {
            "event": "asked", "trial": "t0001", "number": 1, "family": "scoring-network", "params": PARAMS, "seed": 7,
        }  # fmt: skip
        journal.append(opened, asked)
        for result in results:
            told = {"resource": result.resource, "scores": result.scores, "folds": result.folds, "seconds": 1.0}
            journal.append({"event": "rung", "trial": "t0001", "cohort": "c001", "state": result.state, **told})
        journal.append({"event": "ended", "trial": "t0001", "state": "stopped" if times == 2 else "finished"})
    again = rerun_trial(folder, "t0001")
    assert again.resource == rungs[times - 1]
    assert again.recorded == results[-1].scores["roc_auc"]
    assert again.difference < 1e-6


def test_the_schedule_shows_in_the_score(checked: Checked) -> None:
    cut, whole = trained(checked, (1, 3, 9), 2)[-1], trained(checked, (1, 3), 2)[-1]
    assert cut.resource == whole.resource == 3
    assert abs(cut.scores["roc_auc"] - whole.scores["roc_auc"]) > 1e-3
