"""What a trial of a clustering or projection makes of each row of the table."""

import pandas as pd

from distml.data.arrays import outline, prepare_whole
from distml.data.task import WITHOUT_TARGET
from distml.data.variant import variant_from
from distml.errors import DistmlError
from distml.sweep.params import split_params
from distml.sweep.rerun import recorded_trial
from distml.sweep.runs import RunFolder
from distml.training.cohort import Assignment, Member
from distml.training.failures import failure_of
from distml.training.resampled import describe_whole


def described_rows(folder: RunFolder, trial: str) -> pd.DataFrame:
    """The table's columns that were learnt from, and 'cluster', or 'x1', 'x2', ... for a projection, row by row.

    A trial is scored on resamples; here it is fitted on all rows at once, with its own seed.

    Raises:
        DistmlError: no such trial, a changed table, a task with a target, or a model that fails on all rows.
    """
    _, found, checked = recorded_trial(folder, trial)
    dataset, seed = checked.dataset, checked.spec.seed
    if dataset.task not in WITHOUT_TARGET:
        raise DistmlError(f"{folder.name} predicts {dataset.target!r}: it gives rows neither clusters nor coordinates")
    params, choices = split_params(found.params)
    whole = prepare_whole(dataset, variant_from(choices), seed)
    assignment = Assignment(
        checked.families[found.family][0], outline(dataset, whole), (whole,), checked.evaluator, whole
    )
    try:
        output = describe_whole(assignment, Member(trial, params, found.seed, (1,)))
    except Exception as error:  # a model may raise anything at all
        raise DistmlError(f"{trial} cannot be fitted on all rows: {failure_of(error).error}") from error
    if output.ndim == 1:
        return dataset.frame.assign(cluster=output)
    return dataset.frame.assign(**{f"x{place}": column for place, column in enumerate(output.T, start=1)})
