"""One recorded trial, trained once more."""

from dataclasses import dataclass

from distml.errors import DistmlError, did_you_mean
from distml.sweep.journal import read
from distml.sweep.preflight import preflight
from distml.sweep.records import replay
from distml.sweep.runs import RunFolder
from distml.sweep.solo import train_again
from distml.sweep.spec import SweepSpec


@dataclass(frozen=True)
class Rerun:
    """A trial's score as the journal has it and as it came out now."""

    trial: str
    metric: str
    resource: int  # epochs or trees it was trained to
    recorded: float
    score: float

    @property
    def difference(self) -> float:
        return abs(self.score - self.recorded)


def rerun_trial(folder: RunFolder, trial: str) -> Rerun:
    """Train a trial in this process, with its seed and on its folds, up to the last rung it reached.

    Raises:
        DistmlError: no such trial, one without a score, or a table that is not the one it was trained on.
    """
    record = replay(read(folder.journal))
    if trial not in record.trials:
        raise DistmlError(f"no trial {trial!r} in {folder.name}.{did_you_mean(trial, record.trials)}")
    found = record.trials[trial]
    checked = preflight(SweepSpec.from_mapping(record.spec or {}, folder.name))
    recorded = found.score(checked.metric.name)
    if recorded is None:
        raise DistmlError(f"{trial} {found.state}: it has no score to compare with; see distml show {folder.name} {trial}")
    if checked.dataset.sha256 != record.openings[-1]["data_sha256"]:
        raise DistmlError(f"{checked.spec.data.source} has changed since {trial} was trained on it")
    family = checked.families[found.family][0]
    result = train_again(checked.dataset, family, checked.evaluator, found, checked.spec)
    if result.failure is not None:
        raise DistmlError(f"{trial} failed this time: {result.failure.error}")
    return Rerun(trial, checked.metric.name, result.resource, recorded, result.scores[checked.metric.name])
