"""Which trials make the ensemble, by their out-of-fold predictions."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from distml.models.metrics import Evaluator

ROUNDS = 25
MEMBERS = 6  # each is trained once more on all rows, and asked about every row that is scored


def select(
    predictions: Mapping[str, np.ndarray],
    score: Callable[[np.ndarray], float],
    *,
    rounds: int = ROUNDS,
    members: int = MEMBERS,
) -> dict[str, float]:
    """Greedy ensemble selection with replacement (Caruana et al., 2004): trial -> its share, the shares add up to 1.

    Starts with the best trial alone. Each round adds the trial, again or for the first time, whose addition to the
    mean scores best; once `members` different ones are in, only among those. The best of all rounds stands, the
    earliest where several are equal. The same predictions in the same order always give the same shares.

    predictions: trial -> (rows,) or (rows, classes). score: of such an array; more is better.

    >>> truth = np.array([0.0, 0.0, 1.0, 1.0])
    >>> apart = {"t0001": np.array([0.0, 0.4, 0.6, 0.6]), "t0002": np.array([0.4, 0.0, 0.6, 0.6])}
    >>> select(apart, lambda mean: -float(np.square(mean - truth).sum()))
    {'t0001': 0.5, 't0002': 0.5}
    """
    alone = {trial: score(prediction) for trial, prediction in predictions.items()}
    best = max(alone, key=lambda trial: alone[trial])  # the first of equals
    taken, total = [best], predictions[best].astype(np.float64)
    kept, top = 1, alone[best]
    while len(taken) < rounds:
        open_to = predictions if len(set(taken)) < members else dict.fromkeys(taken)
        scores = {trial: score((total + predictions[trial]) / (len(taken) + 1)) for trial in open_to}
        chosen = max(scores, key=lambda trial: scores[trial])
        taken.append(chosen)
        total = total + predictions[chosen]
        if scores[chosen] > top:
            kept, top = len(taken), scores[chosen]
    counts = {trial: taken[:kept].count(trial) for trial in dict.fromkeys(taken[:kept])}
    return {trial: count / kept for trial, count in counts.items()}


def mean_over_folds(evaluator: Evaluator, y: np.ndarray, folds: Sequence[np.ndarray]) -> Callable[[np.ndarray], float]:
    """The sweep's own score of a prediction, the mean over its folds, turned so that more is better.

    y: (rows,) codes or values, of a ranking (rows, 2). folds: row numbers, an array for each. A fold on which it is not
    defined is left out.
    """
    only = Evaluator(evaluator.metric.name, (), evaluator.task, evaluator.classes)
    sign = 1.0 if evaluator.metric.greater_is_better else -1.0
    parts = [(rows, y[rows]) for rows in folds if len(rows)]

    def score(prediction: np.ndarray) -> float:
        full = as_evaluated(prediction, evaluator.classes if evaluator.task == "classification" else 0)
        scores = np.array([only(truth, full[rows])[only.metric.name] for rows, truth in parts])
        known = scores[~np.isnan(scores)]
        return sign * float(known.mean()) if len(known) else -np.inf

    return score


def as_evaluated(prediction: np.ndarray, classes: int) -> np.ndarray:
    """What an Evaluator takes: a column for each class, also of two, whose predictions are kept as one column."""
    return np.column_stack([1 - prediction, prediction]) if classes == 2 and prediction.ndim == 1 else prediction
