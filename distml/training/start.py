"""Which kind of cohort an assignment gets."""

import gc
from functools import cache

from distml.models.family import Params
from distml.training.cohort import Assignment, Cohort


def start_cohort(assignment: Assignment, params: Params) -> tuple[Cohort, str]:
    """A cohort for members of the structure that `params`, those of any member, have; and why it is this kind."""
    if assignment.family.engine == "estimator":
        from distml.training.estimators import EstimatorCohort

        return EstimatorCohort(assignment), "estimators train one after another, in one process"
    from distml.training.chain import Chain  # imports torch only where a network trains, and Lightning where it must
    from distml.training.modules import make_module
    from distml.training.stacked import StackedCohort

    if not Chain.suits(make_module(assignment, params, 0, 0, 1, plain=True)):
        from distml.training.solo import SoloCohort
        from distml.training.suitability import why_not_stackable

        reason = why_not_stackable(assignment, params)
        if reason is not None:
            return SoloCohort(assignment), f"trains solo: {reason}"
    _keep_imports()
    cohort = StackedCohort(assignment, params)
    return cohort, f"trains as one network: {cohort.notes[0]}"


@cache
def _keep_imports() -> None:
    """What torch and Lightning imported stays; a full collection takes 0.2 s to see so, unless it is told.

    Once a process, since all that lives at that moment is kept for good: later cohorts of the same process are not.
    """
    gc.collect()
    gc.freeze()


def stacks(cohort: Cohort) -> bool:
    """Whether its members train as one network, so that their number matters."""
    return type(cohort).__name__ == "StackedCohort"  # by name: an estimator's process has no use for torch
