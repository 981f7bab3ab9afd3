"""Which kind of cohort an assignment gets."""

from distml.data.task import WITHOUT_TARGET
from distml.models.family import Params
from distml.training.cohort import Assignment, Cohort
from distml.training.garbage import expect_imports, keep_imports


def start_cohort(assignment: Assignment, params: Params) -> tuple[Cohort, str]:
    """A cohort for members of the structure that `params`, those of any member, have; and why it is this kind."""
    if assignment.family.engine == "estimator":
        from distml.training.estimators import EstimatorCohort
        from distml.training.resampled import ResampledCohort

        if assignment.outline.task in WITHOUT_TARGET:
            return ResampledCohort(assignment), "estimators fit each resample one after another, in one process"
        return EstimatorCohort(assignment), "estimators train one after another, in one process"
    expect_imports()
    from distml.training.chain import Chain  # imports torch only where a network trains, and Lightning where it must
    from distml.training.modules import make_module
    from distml.training.stacked import StackedCohort

    if not Chain.suits(make_module(assignment, params, 0, 0, 1, plain=True)):
        from distml.training.solo import SoloCohort
        from distml.training.suitability import why_not_stackable

        reason = why_not_stackable(assignment, params)
        if reason is not None:
            return SoloCohort(assignment), f"trains solo: {reason}"
    keep_imports()
    cohort = StackedCohort(assignment, params)
    return cohort, f"trains as one network: {cohort.notes[0]}"


def stacks(cohort: Cohort) -> bool:
    """Whether its members train as one network, so that their number matters."""
    return type(cohort).__name__ == "StackedCohort"  # by name: an estimator's process has no use for torch
