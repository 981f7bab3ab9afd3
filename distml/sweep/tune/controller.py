"""Runs a search's cohorts as Ray Tune trials."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from distml.sweep.search import CohortOrder, Search
from distml.sweep.tune.worker import CohortTrainable, Desk, News, Start
from distml.training.cohort import Failure, FailureClass, RungResult

Clock = Callable[[], float]

_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal is the record; Tune's own would write each rung thrice
    "TUNE_DISABLE_AUTO_INIT": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "5",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # what a sweep goes on from is the journal
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000000",  # `distml status` says why a trial waits
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_AIR_NEW_OUTPUT": "0",
}


class _CohortSearcher(Searcher):
    """Lets Ray Tune start a cohort whenever the search has one for a free slot."""

    def __init__(self, run: "CohortRun") -> None:
        super().__init__(metric=None, mode=None)
        self._run = run

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        order = self._run.next_order()
        if order is not None:
            return {
                "cohort": order.cohort,
                "family": order.family,
                "desk": self._run.desk,
                "resources": dict(self._run.resources[order.family]),
            }
        return Searcher.FINISHED if self._run.search.done else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Members, not Ray Tune trials, are what the search learns from."""

    def save(self, checkpoint_path: str) -> None:
        """The journal is what a sweep goes on from."""

    def restore(self, checkpoint_path: str) -> None:
        """The journal is what a sweep goes on from."""


class _CohortScheduler(FIFOScheduler):
    """Passes a cohort's rung to the search and the search's answer to the cohort."""

    def __init__(self, run: "CohortRun") -> None:
        super().__init__()
        self._run = run

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        ended = self._run.on_results(result["cohort"], result["results"], result["news"])
        return TrialScheduler.STOP if ended else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        self._run.on_lost(trial.config["cohort"], trial.get_error())


class _WhenOver(tune.Stopper):
    """Asked by Ray Tune at every turn of its loop, several times a second."""

    def __init__(self, run: "CohortRun") -> None:
        self._run = run

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._run.tick()


class CohortRun:
    """One Ray Tune run over all families of a sweep.

    Args:
        search: decides what trains.
        letter: the first message of a cohort, with its data.
        finale: once the search is done, one more cohort of one member, such as the winner on all training rows.
        on_finale: takes its result.
        on_news: takes a cohort's name and what it found out when it started.
        resources: family -> what Ray Tune reserves for one of its cohorts, like {'CPU': 1}.
        slots: how many cohorts run at once.
        tick: called several times a second; True ends the run at once, whatever trains.
        storage: a folder for Ray Tune's own files, which nobody needs afterwards.
    """

    def __init__(
        self,
        search: Search,
        *,
        letter: Callable[[CohortOrder], Start],
        finale: Callable[[], Start | None],
        on_finale: Callable[[RungResult], None],
        on_news: Callable[[str, News], None],
        resources: Mapping[str, Mapping[str, float]],
        slots: int,
        tick: Callable[[], bool],
        storage: Path,
        clock: Clock = time.monotonic,
    ) -> None:
        self.search = search
        self.tick = tick
        self._letter, self._finale, self._on_finale, self._on_news = letter, finale, on_finale, on_news
        self.resources = resources
        self._slots, self._storage, self._clock = slots, storage, clock
        self._last: CohortOrder | None = None  # the finale, once it has begun
        os.environ.update(_SETTINGS)
        self.desk: Any = Desk.remote()  # type: ignore[attr-defined]  # made by ray.remote

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune pickles what it is given, to restore from; a sweep goes on from its journal instead."""
        return {}

    def run(self) -> None:
        """Train until the search is done or `tick` says so."""
        tune.Tuner(
            CohortTrainable,
            tune_config=tune.TuneConfig(
                search_alg=_CohortSearcher(self),
                scheduler=_CohortScheduler(self),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: f"{trial.config['family']}-{trial.config['cohort']}",
                trial_dirname_creator=lambda trial: trial.config["cohort"],
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(self._storage),
                stop=_WhenOver(self),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                verbose=0,
                callbacks=[],
            ),
        ).fit()

    def next_order(self) -> CohortOrder | None:
        if self.search.done:
            return self._begin_finale()
        if len(self.search.running) >= self._slots:
            return None
        order = self.search.next_cohort(self._clock())
        if order is not None:
            self.desk.put.remote(order.cohort, self._letter(order))
        return order

    def on_results(self, cohort: str, results: list[RungResult], news: News | None) -> bool:
        if self._last is not None:
            self._on_finale(results[0])
            return True
        if news is not None:
            self._on_news(cohort, news)
        reply = self.search.on_results(cohort, results, self._clock())
        if reply.end:
            self.desk.close.remote(cohort)
        else:
            self.desk.put.remote(cohort, reply)
        return reply.end

    def on_lost(self, cohort: str, error: Exception | None) -> None:
        self.desk.close.remote(cohort)
        if self._last is not None:
            self._on_finale(RungResult(self._last.members[0].trial, 0, "failed", failure=_loss(error)))
        else:
            self.search.on_lost(cohort, _loss(error), self._clock())

    def _begin_finale(self) -> CohortOrder | None:
        start = self._finale() if self._last is None else None
        if start is None:
            return None
        self._last = start.order
        self.desk.put.remote(start.order.cohort, start)
        return start.order


def _loss(error: Exception | None) -> Failure:
    text = str(error or "the process ended without a word")
    kind: FailureClass = "memory" if "OutOfMemory" in type(error).__name__ else "node"
    first = next((line for line in text.splitlines() if line.strip()), text)
    return Failure(kind=kind, error=f"{type(error).__name__}: {first.strip()}", traceback=text)
