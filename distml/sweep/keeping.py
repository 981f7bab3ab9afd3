"""Which trials' validation predictions a process keeps for the scorer."""

from collections import defaultdict
from collections.abc import Iterable
from heapq import heappush, heappushpop
from pathlib import Path

from distml.models.metrics import Metric
from distml.sweep.runs import predictions_file
from distml.training.cohort import Cohort, RungResult

_BEST = 8  # of a family in one process: an ensemble takes a few of each at most


class Keeper:
    """Writes the predictions of a process's best finished trials, as they come.

    A process knows its own trials alone, so that what it keeps may not be the sweep's best. Of n trials in any order
    it writes about 8 (1 + log(n / 8)), which costs little; whoever reads takes the best of what there is.
    """

    def __init__(self) -> None:
        self._best: defaultdict[str, list[float]] = defaultdict(list)  # family -> heap of scores, the worst first

    def keep(
        self, family: str, metric: Metric, results: Iterable[RungResult], cohort: Cohort, folder: Path
    ) -> Exception | None:
        """Write what is worth it. What goes wrong (a full disk, no memory) costs the predictions, not the trials, and
        is returned, the last of it."""
        wrong: Exception | None = None
        finished = [result for result in results if result.state == "finished"]
        sign = 1 if metric.greater_is_better else -1
        for result in sorted(finished, key=lambda one: sign * one.scores[metric.name], reverse=True):
            if self._is_among_best(family, sign * result.scores[metric.name]):
                try:
                    cohort.validation(result.trial).write(predictions_file(folder, result.trial))
                except Exception as error:
                    wrong = error
        return wrong

    def _is_among_best(self, family: str, score: float) -> bool:
        best = self._best[family]
        if len(best) < _BEST:
            heappush(best, score)
            return True
        return heappushpop(best, score) < score
