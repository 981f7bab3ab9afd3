"""Scores: scikit-learn's scorers by name, and the figures of credit scoring.

scikit-learn is imported by the metrics that need it: a cohort of networks that is scored by ROC AUC does without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from distml.data.task import WITHOUT_TARGET, Task
from distml.errors import did_you_mean
from distml.models.ranking import Ranked, is_ranking_metric, ranking_metrics

if TYPE_CHECKING:
    from distml.models.unsupervised import Described


@dataclass(frozen=True)
class Metric:
    """A score's name as the user wrote it, and which way is better."""

    name: str
    greater_is_better: bool


def find_metric(name: str, task: Task) -> Metric:
    """Look a metric up by name.

    scikit-learn's names mean what they mean there. Its `neg_*` scorers also go by their natural names
    ('log_loss', 'mean_absolute_error') and the usual short ones ('rmse', 'brier'), where lower is better.

    Raises:
        ValueError: there is no such metric for this task; the message has the nearest name and all of them.
    """
    known = metric_names(task)
    if name not in known and not (task == "ranking" and is_ranking_metric(name)):
        more = "; ndcg@K with any K" if task == "ranking" else ""
        raise ValueError(
            f"no metric {name!r} for {task}.{did_you_mean(name, known)} There are: {', '.join(known)}{more}"
        )
    if task == "ranking":
        return Metric(name, greater_is_better=True)
    if task in WITHOUT_TARGET:
        from distml.models.unsupervised import LOWER_IS_BETTER

        return Metric(name, greater_is_better=name not in LOWER_IS_BETTER)
    from distml.models.scorers import scorer_names

    return Metric(name, greater_is_better=name in _DIRECT_GREATER or name in scorer_names())


def metric_names(task: Task) -> list[str]:
    """All metrics for a task, sorted; those for several labels a row ('f1_samples') fit none."""
    if task == "ranking":
        return ranking_metrics()
    if task in WITHOUT_TARGET:
        from distml.models.unsupervised import NAMES

        return sorted(NAMES[task])
    from distml.models.scorers import scorer_names, suits

    scorers = [name for name in scorer_names() if not name.endswith("_samples") and suits(name, task)]
    natural = [name.removeprefix("neg_") for name in scorers if name.startswith("neg_")]
    short = [name for name, scorer in _SHORT.items() if scorer in scorers]
    direct = list(_DIRECT) if task == "classification" else []
    return sorted({*scorers, *natural, *short, *direct})


class Evaluator:
    """Scores predictions by the sweep's metric and the further ones it reports; small and picklable."""

    def __init__(self, metric: str, report: Sequence[str], task: Task, classes: int) -> None:
        """Raises ValueError for an unknown metric, or one that is not defined for this number of classes."""
        self.metric = find_metric(metric, task)
        self.names = tuple(dict.fromkeys([metric, *(find_metric(name, task).name for name in report)]))
        self.task = task
        self.classes = classes
        self._try_out()

    def __call__(self, y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
        """Score one model on one fold.

        y: (rows,) class codes or values, of a ranking (rows, 2) as FoldArrays has it. prediction: (rows, classes)
        probabilities, or (rows,) values. Without a target y is (rows, features), what was clustered or projected, and
        prediction the clusters or coordinates.
        A score that is not defined because a class is missing from `y`, or all rows are, is nan. So is a reported one
        that does not take these values (a logarithm of a negative prediction); of the sweep's metric that is an error.

        Raises:
            ValueError: the sweep's metric does not take these values.
        """
        if not len(y):
            return dict.fromkeys(self.names, float("nan"))
        scored = self._opened(y, prediction)
        return {name: self._score(scored, name) for name in self.names}

    def _opened(self, y: np.ndarray, prediction: np.ndarray) -> "_Scored | Ranked | Described":
        if self.task == "ranking":
            return Ranked(y, prediction)
        if self.task not in WITHOUT_TARGET:
            return _Scored(y, prediction, self.classes)
        from distml.models.unsupervised import Described

        return Described(y, prediction)

    def _score(self, scored: "_Scored | Ranked | Described", name: str) -> float:
        try:
            return scored.score(name)
        except ValueError:
            if name == self.metric.name:
                raise
            return float("nan")

    def _try_out(self) -> None:
        """Score a few made-up rows, so that 'f1' on three classes is known before anything trains."""
        if self.task != "classification":
            return
        y = np.repeat(np.arange(self.classes), 2)
        even = np.full((len(y), self.classes), 1 / self.classes)
        for name in self.names:
            try:
                _Scored(y, even, self.classes).score(name)
            except ValueError as error:
                raise ValueError(f"metric {name!r} is not defined for {self.classes} classes: {error}") from None


def batched_roc_auc(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of many models at once.

    y: (rows,) of 0 and 1. scores: (members, rows). Returns (members,); nan where a class is missing or a score is nan.
    """
    positive = y == 1
    return np.array([_separate(*pair)[0] for pair in zip(scores[:, positive], scores[:, ~positive], strict=True)])


def _separate(positives: np.ndarray, negatives: np.ndarray) -> tuple[float, float]:
    """How far two samples of scores stand apart: (ROC AUC, Kolmogorov-Smirnov distance).

    The AUC is the Mann-Whitney statistic, a tie counting half (Hanley and McNeil, 1982). Both come from the number of
    negatives below each positive; the largest gap between the two distribution functions lies at a positive's score.

    >>> _separate(np.array([0.4, 0.9]), np.array([0.1, 0.4]))
    (0.875, 0.5)
    """
    count, others = len(positives), len(negatives)
    if not count or not others or np.isnan(positives).any() or np.isnan(negatives).any():
        return float("nan"), float("nan")
    positives, negatives = np.sort(positives), np.sort(negatives)
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    area = (int(below.sum()) + int(not_above.sum())) / (2 * count * others)
    rank = np.arange(count)
    gap = max((below / others - rank / count).max(), ((rank + 1) / count - not_above / others).max())
    return area, float(gap)


class _Scored:
    """One prediction with what several metrics share."""

    def __init__(self, y: np.ndarray, prediction: np.ndarray, classes: int) -> None:
        self.y = y
        self.prediction = prediction
        self.classes = classes

    def score(self, name: str) -> float:
        if self.prediction.ndim == 2 and name in _DIRECT:
            return float(_DIRECT[name](self))
        from distml.models.scorers import by_scorer, scorer_names

        if name in scorer_names():
            return by_scorer(name, self.y, self.prediction, self.classes)
        return -by_scorer(_SHORT.get(name, f"neg_{name}"), self.y, self.prediction, self.classes)

    @cached_property
    def separation(self) -> tuple[float, float]:
        """(ROC AUC, Kolmogorov-Smirnov distance); of more than two classes, the mean of each class against the rest."""
        sides = [1] if self.classes == 2 else range(self.classes)
        pairs = [
            _separate(self.prediction[self.y == side, side], self.prediction[self.y != side, side]) for side in sides
        ]
        return float(np.mean([pair[0] for pair in pairs])), float(np.mean([pair[1] for pair in pairs]))

    def brier(self) -> float:
        """Mean squared distance from the truth; halved for two classes, as usual (Brier, 1950)."""
        truth = np.eye(self.classes)[self.y]  # float64, and so is what follows
        total = float(np.mean(np.sum((self.prediction - truth) ** 2, axis=1)))
        return total / 2 if self.classes == 2 else total

    def log_loss(self) -> float:
        """Cross-entropy in nats, off 0 as in scikit-learn, whose own scorer fails where a class is missing."""
        of_truth = self.prediction[np.arange(len(self.y)), self.y]
        smallest = np.finfo(of_truth.dtype).eps
        return float(-np.mean(np.log(np.clip(of_truth, smallest, 1 - smallest), dtype=np.float64)))


_DIRECT_GREATER: dict[str, Callable[[_Scored], float]] = {
    "roc_auc": lambda scored: scored.separation[0],
    "gini": lambda scored: 2 * scored.separation[0] - 1,
    "ks": lambda scored: scored.separation[1],
    "neg_log_loss": lambda scored: -scored.log_loss(),
    "neg_brier_score": lambda scored: -scored.brier(),
}
_DIRECT: dict[str, Callable[[_Scored], float]] = {
    **_DIRECT_GREATER,
    "log_loss": _Scored.log_loss,
    "brier": _Scored.brier,
    "brier_score": _Scored.brier,
}
_SHORT = {
    "mae": "neg_mean_absolute_error",
    "mape": "neg_mean_absolute_percentage_error",
    "mse": "neg_mean_squared_error",
    "rmse": "neg_root_mean_squared_error",
}
