"""One trial by itself: the winner on the holdout, or a recorded trial once more."""

from collections.abc import Sequence

from distml.data.arrays import outline, prepare_whole
from distml.data.dataset import Dataset
from distml.data.variant import variant_from
from distml.models.family import Family
from distml.models.metrics import Evaluator
from distml.sweep.params import split_params
from distml.sweep.parts import size_of
from distml.sweep.records import TrialRecord
from distml.sweep.spec import SweepSpec
from distml.sweep.variants import prepared, scores_out_of_bag
from distml.training.cohort import Assignment, Member, RungResult
from distml.training.start import start_cohort


def score_on_holdout(
    dataset: Dataset, family: Family, evaluator: Evaluator, trial: TrialRecord, spec: SweepSpec, threads: int = 1
) -> RungResult:
    """Train a trial's configuration on all training rows; score it on the held-out ones."""
    params, choices = split_params(trial.params)
    whole = prepare_whole(dataset, variant_from(choices), spec.seed)
    return _train(
        Assignment(family, outline(dataset, whole), (whole,), evaluator),
        trial,
        params,
        (size_of(family, trial.params),),
    )


def train_again(
    dataset: Dataset, family: Family, evaluator: Evaluator, trial: TrialRecord, spec: SweepSpec
) -> RungResult:
    """Train a recorded trial on the same folds, with the same seed, to the size it had reached."""
    params, choices = split_params(trial.params)
    variant = variant_from(choices)
    arrays = prepared(dataset, variant, scores_out_of_bag(family, variant, spec), spec.seed)
    assignment = Assignment(family, arrays.outline, arrays.folds, evaluator, arrays.whole)
    return _train(assignment, trial, params, tuple(rung.resource for rung in trial.rungs))


def _train(assignment: Assignment, trial: TrialRecord, params: dict, rungs: Sequence[int]) -> RungResult:  # type: ignore[type-arg]
    cohort, _ = start_cohort(assignment, params)
    cohort.admit([Member(trial.trial, params, trial.seed, tuple(rungs))])
    result = cohort.advance()[0]
    while result.state == "running":
        result = cohort.advance()[0]
    return result
