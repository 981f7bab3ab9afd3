"""One recorded trial, trained once more."""

from collections.abc import Mapping
from dataclasses import dataclass

from distml.data.variant import variant_from
from distml.errors import DistmlError, did_you_mean
from distml.sweep.journal import read
from distml.sweep.lineage import member_of
from distml.sweep.params import split_params
from distml.sweep.parts import rungs_of
from distml.sweep.preflight import Checked, preflight
from distml.sweep.provenance import changes, code_of, versions
from distml.sweep.records import SweepRecord, TrialRecord, replay
from distml.sweep.runs import RunFolder
from distml.sweep.spec import SweepSpec
from distml.sweep.variants import prepared, scores_out_of_bag
from distml.training.cohort import Assignment, RungResult
from distml.training.start import start_cohort


@dataclass(frozen=True)
class Rerun:
    """A trial's score as the journal has it and as it came out now."""

    trial: str
    metric: str
    resource: int  # epochs or trees it was trained to
    recorded: float
    score: float
    changes: tuple[str, ...] = ()  # that may be why the two differ

    @property
    def difference(self) -> float:
        return abs(self.score - self.recorded)


def rerun_trial(folder: RunFolder, trial: str) -> Rerun:
    """Train a trial in this process, with its seed and on its folds, up to the last rung it reached.

    Raises:
        DistmlError: no such trial, one without a score, or a table that is not the one it was trained on.
    """
    record, found, checked = recorded_trial(folder, trial)
    recorded = found.score(checked.metric.name)
    if recorded is None:
        raise DistmlError(
            f"{trial} {found.state}: it has no score to compare with; see distml show {folder.name} {trial}"
        )
    result = _train_again(checked, record.trials, found)
    if result.failure is not None:
        raise DistmlError(f"{trial} failed this time: {result.failure.error}")
    if result.state == "diverged":
        raise DistmlError(f"{trial} diverged this time")
    now = {"versions": versions(), "code": code_of({name: family for name, (family, _) in checked.families.items()})}
    changed = tuple(changes(record.openings[-1], now))
    return Rerun(trial, checked.metric.name, result.resource, recorded, result.scores[checked.metric.name], changed)


def recorded_trial(folder: RunFolder, trial: str) -> tuple[SweepRecord, TrialRecord, Checked]:
    """A trial as the journal has it, and its sweep, ready to train it once more.

    Raises:
        DistmlError: no such trial, or a table that is not the one it was trained on.
    """
    record = replay(read(folder.journal))
    if trial not in record.trials:
        raise DistmlError(f"no trial {trial!r} in {folder.name}.{did_you_mean(trial, record.trials)}")
    found = record.trials[trial]
    checked = preflight(SweepSpec.from_mapping(record.spec or {}, folder.name))
    if checked.dataset.sha256 != record.openings[-1]["data_sha256"]:
        raise DistmlError(f"{checked.spec.data.source} has changed since {trial} was trained on it")
    return record, found, checked


def _train_again(checked: Checked, trials: Mapping[str, TrialRecord], trial: TrialRecord) -> RungResult:
    """Train a recorded trial on the same folds, with the same seed, to the size it had reached.

    It gets all the rungs it had in the sweep: schedules follow the full size, also of a trial that was stopped early.
    """
    family = checked.families[trial.family][0]
    params, choices = split_params(trial.params)
    variant = variant_from(choices)
    out_of_bag = scores_out_of_bag(family, variant, checked.spec)
    arrays = prepared(checked.dataset, variant, out_of_bag, checked.spec.seed)
    assignment = Assignment(family, arrays.outline, arrays.folds, checked.evaluator, arrays.whole)
    cohort, _ = start_cohort(assignment, params)
    rungs = rungs_of(family, trial.params, checked.spec.search)
    cohort.admit([member_of(trials, trial.trial, rungs)])
    result = cohort.advance()[0]
    while result.state == "running" and result.resource < trial.rungs[-1].resource:
        result = cohort.advance()[0]
    return result
