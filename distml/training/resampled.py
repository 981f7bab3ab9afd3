"""Cohorts for tasks without a target: each member clusters or projects one resample of the rows after another."""

from typing import Any

import numpy as np

from distml.data.task import Outline
from distml.errors import DistmlError
from distml.models.unsupervised import STABILITY, stability
from distml.training.cohort import Assignment, Member
from distml.training.estimators import EstimatorCohort, Progress, build, training_conditions
from distml.training.scores import summed_up
from distml.training.validation import Validation


class ResampledCohort(EstimatorCohort):
    """Scores what an estimator makes of the very rows it was fitted on: many kinds know no others.

    The spread over the resamples tells how far the score hangs on the rows that were drawn.
    """

    def _score(self, one: Progress, resource: int) -> tuple[dict[str, float], tuple[float, ...]]:
        given, evaluator = self.assignment, self.assignment.evaluator
        one.models = [build(given, one.member) for _ in given.folds]
        pairs = zip(one.models, given.folds, strict=True)
        outputs = [described(model, fold.x_train, given.outline) for model, fold in pairs]
        scored = [evaluator(fold.x_train, output) for fold, output in zip(given.folds, outputs, strict=True)]
        if STABILITY in evaluator.names:
            values = stability([fold.train_rows for fold in given.folds], outputs)
            scored = [{**scores, STABILITY: value} for scores, value in zip(scored, values, strict=True)]
        return summed_up(evaluator.metric.name, scored)

    def validation(self, trial: str) -> Validation:
        raise DistmlError(f"{trial} predicts nothing that could be validated")

    def predict(self, trial: str, x: np.ndarray) -> np.ndarray:
        raise DistmlError(f"{trial} describes the rows it was fitted on, and no others")


def describe_whole(assignment: Assignment, member: Member) -> np.ndarray:
    """What a member makes of all rows, `assignment.whole`; returns and raises what `described` does."""
    assert assignment.whole is not None
    with training_conditions(assignment.threads):
        return described(build(assignment, member), assignment.whole.x_train, assignment.outline)


def described(model: Any, x: np.ndarray, outline: Outline) -> np.ndarray:
    """Fit a model and say what it makes of each row: (rows,) int64 clusters, or (rows, dimensions) coordinates.

    Raises:
        FloatingPointError: a coordinate is not finite.
        Whatever the model raises.
    """
    if outline.task == "clustering":
        return np.asarray(model.fit_predict(x), dtype=np.int64)
    coordinates = np.asarray(model.fit_transform(x), dtype=np.float64)
    if not np.isfinite(coordinates).all():
        raise FloatingPointError("the coordinates are not finite")
    return coordinates
