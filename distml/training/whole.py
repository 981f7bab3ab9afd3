"""The network that is scored on the holdout and deployed: one trial, trained in full on all training rows."""

from dataclasses import replace
from typing import Any

from distml.errors import DistmlError
from distml.training.cohort import Assignment, Member
from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from distml.training.start import start_cohort


def refit_network(assignment: Assignment, member: Member) -> Any:
    """A member's LightningModule trained to its last rung on `assignment.whole`, on the CPU, ready to predict.

    Raises:
        DistmlError: the training failed or diverged.
    """
    whole = assignment.whole
    assert whole is not None
    only = replace(whole, x_valid=whole.x_train, y_valid=whole.y_train, valid_rows=whole.train_rows)
    cohort, _ = start_cohort(replace(assignment, folds=[only]), member.params)
    assert isinstance(cohort, (StackedCohort, SoloCohort))
    cohort.admit([replace(member, rungs=member.rungs[-1:])])
    [result] = cohort.advance()
    if result.state != "finished":
        cause = result.failure.error if result.failure else "its weights or predictions are no longer finite"
        raise DistmlError(f"{member.trial} could not be trained on all rows ({result.state}): {cause}")
    return cohort.module_of(member.trial, 0)
