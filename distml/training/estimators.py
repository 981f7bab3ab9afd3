"""Cohorts of scikit-learn estimators: one process, one copy of the data, members trained one after another."""

import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from distml.data.task import FoldArrays
from distml.errors import DistmlError
from distml.models.family import Family
from distml.models.probabilities import predicted
from distml.training.cohort import Assignment, Member, RungResult, State
from distml.training.failures import failure_of
from distml.training.out_of_bag import OutOfBag
from distml.training.ranked import fit_ranking
from distml.training.scores import score_pairs
from distml.training.validation import Validation


@dataclass
class Progress:
    """What a member has trained so far."""

    member: Member
    rung: int = 0  # how many of its rungs it has reached
    models: list[Any] = field(default_factory=list)  # a fold each; one for all where out-of-bag rows validate
    out_of_bag: OutOfBag | None = None

    def free(self) -> None:
        self.models, self.out_of_bag, self.rung = [], None, len(self.member.rungs)


class EstimatorCohort:
    """Trains estimators rung by rung. Its state is not saved: after a crash those that were not cut start again.

    An ensemble grows: a rung is its number of trees, and `warm_start` carries it from one rung to the next. Where
    bootstrap samples leave rows out and all training rows are at hand, one ensemble stands for all folds: a fold's
    score is that of the out-of-bag predictions of its validation rows.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self._members: dict[str, Progress] = {}

    def admit(self, members: Sequence[Member]) -> None:
        self._members.update((member.trial, Progress(member)) for member in members)

    def advance(self) -> list[RungResult]:
        with training_conditions(self.assignment.threads):
            return [self._advance(one) for one in self._members.values() if one.rung < len(one.member.rungs)]

    def release(self, trials: Collection[str]) -> None:
        for trial in trials:
            self._members.pop(trial, None)

    def save(self, path: Path) -> bool:
        return False

    def restore(self, path: Path) -> list[str]:
        raise DistmlError(
            f"estimators are not saved between rungs and cannot be taken up from {path}: start them again"
        )

    def validation(self, trial: str) -> Validation:
        given, one = self.assignment, self._members[trial]
        if given.whole is not None and one.out_of_bag is not None:
            prediction, known = one.out_of_bag.prediction()
            return Validation.of_folds([(given.whole.train_rows[known], prediction[known])])
        with training_conditions(given.threads):
            pairs = zip(one.models, given.folds, strict=True)
            return Validation.of_folds(
                [(fold.valid_rows, predicted(model, fold.x_valid, given.outline)) for model, fold in pairs]
            )

    def predict(self, trial: str, x: np.ndarray) -> np.ndarray:
        """x: (rows, features) -> (folds, rows, classes) or (folds, rows); one fold where out-of-bag rows validated."""
        with training_conditions(self.assignment.threads):
            return np.stack([predicted(model, x, self.assignment.outline) for model in self._members[trial].models])

    def _advance(self, one: Progress) -> RungResult:
        start = time.perf_counter()
        trial, resource = one.member.trial, one.member.rungs[one.rung]
        try:
            scores, folds = self._score(one, resource)
        except FloatingPointError:
            one.free()
            return RungResult(trial, resource, "diverged", seconds=time.perf_counter() - start)
        except Exception as error:  # whatever a model raises is its own trial's result, not the cohort's end
            one.free()
            seconds = time.perf_counter() - start
            return RungResult(trial, resource, "failed", seconds=seconds, failure=failure_of(error))
        one.rung += 1
        state: State = "finished" if one.rung == len(one.member.rungs) else "running"
        seconds = time.perf_counter() - start
        gpu_seconds = seconds if _is_on_gpu(one.models[0]) else None
        return RungResult(trial, resource, state, scores, folds, seconds, gpu_seconds)

    def _score(self, one: Progress, resource: int) -> tuple[dict[str, float], tuple[float, ...]]:
        """Bring a member to its next rung; its scores as score_pairs gives them."""
        return score_pairs(self.assignment.evaluator, self._train(one, resource))

    def _train(self, one: Progress, resource: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Bring a member to its next rung; (truth, prediction) of each fold's validation rows."""
        given = self.assignment
        if not one.models:
            first = build(given, one.member)
            if given.whole is not None and validates_out_of_bag(given, first):
                one.models = [first]
                one.out_of_bag = OutOfBag(given.whole.x_train, given.outline)
            else:
                one.models = [first, *(build(given, one.member) for _ in given.folds[1:])]
        if given.whole is not None and one.out_of_bag is not None:
            grow(given, one.models[0], given.whole.x_train, given.whole.y_train, resource)
            one.out_of_bag.add(one.models[0])
            prediction, known = one.out_of_bag.prediction()
            for fold in given.folds:
                rows = np.isin(given.whole.train_rows, fold.valid_rows) & known
                yield given.whole.y_train[rows], prediction[rows]
            return
        for model, fold in zip(one.models, given.folds, strict=True):
            grow(given, model, *learnt_from(given.family, fold), resource)
            yield fold.y_valid, predicted(model, fold.x_valid, given.outline)


def build(assignment: Assignment, member: Member) -> Any:
    """A member's estimator, not trained yet, on the cohort's share of the machine."""
    model = assignment.family.build(member.params, assignment.outline, member.seed)
    takes = model.get_params(deep=False)
    if "n_jobs" in takes and assignment.threads > 1:
        model.set_params(n_jobs=assignment.threads)
    if "device" in takes and "device" not in member.params:
        model.set_params(device=assignment.device)
    return model


def learnt_from(family: Family, arrays: FoldArrays) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) to fit on: the training rows, and for a family that makes use of them those without a target, coded -1."""
    if not family.unlabelled or arrays.x_unlabelled is None:
        return arrays.x_train, arrays.y_train
    unknown = np.full(len(arrays.x_unlabelled), -1, dtype=arrays.y_train.dtype)
    return np.concatenate([arrays.x_train, arrays.x_unlabelled]), np.concatenate([arrays.y_train, unknown])


def grow(assignment: Assignment, model: Any, x: np.ndarray, y: np.ndarray, resource: int) -> None:
    """Train a model to `resource` trees, keeping those it has; one that is no ensemble is just trained. x, y: as in
    FoldArrays.

    AdaBoost and XGBoost cannot keep their trees and stay equal to an ensemble trained in one go (the first has no
    `warm_start`, the second draws its subsamples afresh): they are trained again at each rung with the same seed. Rungs
    grow geometrically, so that is at most twice the work.
    """
    growth = assignment.family.growth
    if growth is not None:
        model.set_params(**{growth.parameter: resource})
        if growth.warm_start:
            model.set_params(warm_start=True)
    if assignment.outline.task == "ranking":
        fit_ranking(model, x, y)
    else:
        model.fit(x, y)


def refit(assignment: Assignment, member: Member) -> Any:
    """Train a member in full on all training rows: the model that is scored on the holdout and deployed.

    Raises:
        Whatever the estimator raises.
    """
    assert assignment.whole is not None
    with training_conditions(assignment.threads):
        model = build(assignment, member)
        grow(assignment, model, *learnt_from(assignment.family, assignment.whole), member.rungs[-1])
    return model


def validates_out_of_bag(assignment: Assignment, model: Any) -> bool:
    """Whether the rows left out of its bootstrap samples can validate this estimator."""
    growth = assignment.family.growth
    return growth is not None and growth.out_of_bag and bool(model.get_params(deep=False).get("bootstrap"))


def _is_on_gpu(model: Any) -> bool:
    return str(getattr(model, "device", "cpu")).startswith(("cuda", "gpu"))


@contextmanager
def training_conditions(threads: int) -> Iterator[None]:
    """The conditions of training: its share of the cores, and no words on what the scores tell by themselves."""
    with threadpool_limits(limits=threads), np.errstate(all="ignore"), warnings.catch_warnings():
        # A model stopped before it converged is a result; its score tells what it is worth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Always the same rows are given again, which is what this warns of.
        warnings.filterwarnings("ignore", message="class_weight presets", category=UserWarning)
        # LogisticRegression's: it leaves the threads to the matrix library, which is told by then.
        warnings.filterwarnings("ignore", message="'n_jobs' has no effect", category=FutureWarning)
        yield
