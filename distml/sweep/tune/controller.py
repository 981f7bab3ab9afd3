"""Runs a search's cohorts as Ray Tune trials."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from distml.errors import DistmlError
from distml.sweep.holding import Holding
from distml.sweep.orders import CohortOrder
from distml.sweep.places import Placement, Places
from distml.sweep.records import LossCause
from distml.sweep.search import Search
from distml.sweep.tune.desk import Desk
from distml.sweep.tune.losses import cause_of, loss
from distml.sweep.tune.worker import CohortTrainable, DeviceGoneError, News, Start
from distml.training.cohort import Failure, RungResult
from distml.training.failures import failure_of

Clock = Callable[[], float]
Verdict = Literal["go on", "end cohorts", "end"]  # at once; after 'end cohorts' comes the finale, after 'end' nothing
_DESK_SECONDS = 60.0  # without an answer before the desk is given up: with it, cohorts that wait at it
FINALE_TRIES = 3  # times that its process may die under it

_Answer = TypeVar("_Answer")

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
        if order is None and self._run.is_idle:
            # Ray Tune asks on for ten minutes without a turn of its loop: whether a node has come that somebody waits
            # for, whether the time is up or the user wants to end, would be looked at by nobody.
            self._run.is_over()
        if order is not None:
            return {
                "cohort": order.cohort,
                "family": order.family,
                "desk": self._run.desk,
                "resources": dict(self._run.places.of(order.cohort).resources),
            }
        return Searcher.FINISHED if self._run.done else None

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
        if result["unwritten"]:
            self._run.on_unwritten(dict(result["unwritten"]))
        if result["ended"]:
            return TrialScheduler.STOP
        ended = self._run.on_results(result["cohort"], result["results"], result["news"], result["holding"])
        return TrialScheduler.STOP if ended else TrialScheduler.CONTINUE

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Withdraw first what waits for a node that has gone since: Ray would let it wait for ever."""
        stranded = self._run.places.stranded
        if stranded:
            for trial in list(tune_controller.get_live_trials()):
                if trial.status == trial.PENDING and trial.config["cohort"] in stranded:
                    tune_controller.stop_trial(trial)
                    self._run.on_lost(trial.config["cohort"], DistmlError("its node went before it began"))
        return super().choose_trial_to_run(tune_controller)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        # Where Ray Tune has just put it; trial.get_error() looks where it will be copied to later.
        file = Path(trial.pickled_error_file or "")
        self._run.on_lost(trial.config["cohort"], ray.cloudpickle.loads(file.read_bytes()) if file.is_file() else None)


class _Unheard(TrialProgressCallback):
    """Keeps Ray Tune from telling of each cohort that is withdrawn, which its verbosity of 0 does not."""

    def _print(self, msg: str) -> None:
        """What the user hears of a cohort is the driver's to say."""


class _WhenOver(tune.Stopper):
    """Asked by Ray Tune at every turn of its loop, several times a second."""

    def __init__(self, run: "CohortRun") -> None:
        self._run = run

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._run.is_over()


class Host(Protocol):
    """Whoever has a search run: gives it data, hears of it, and says when it is over."""

    def letter(self, order: CohortOrder, placement: Placement) -> Start:
        """The first message of a cohort, with its data. Raises where its members cannot be trained on it."""

    def finale(self) -> Start | None:
        """Once the search is done, one more cohort of one member, which has its place: the winner on all rows."""

    def take_finale(self, result: RungResult) -> None: ...

    def take_news(self, cohort: str, news: News) -> None:
        """What a cohort found out when it started."""

    def take_unwritten(self, unwritten: Mapping[str, str]) -> None:
        """What a cohort's process could not write, and why; its trials train on without."""

    def charge(self, cohort: str, results: Sequence[RungResult], holding: Holding) -> list[RungResult]:
        """The results with what their cohort held; have the rung costed."""

    def take_loss(self, cohort: str, failure: Failure, cause: LossCause) -> None:
        """A cohort's process or machine died; its trials train again, unless that has happened to them too often."""

    def cluster_answers(self) -> bool:
        """Whether its head and the driver's own node do. What is lost while they do not is nobody's fault."""

    def with_log(self, result: RungResult) -> RungResult:
        """Keep a failure's traceback where the user finds it."""

    def forget(self, cohort: str) -> None:
        """All members of a cohort have ended: its checkpoint is of no use any more."""

    def tick(self) -> Verdict:
        """Called several times a second."""


class CohortRun:
    """A search run through Ray Tune.

    Args:
        search: decides what trains.
        places: what is free, and what Ray Tune reserves for each cohort.
        storage: a folder for Ray Tune's own files, which nobody needs afterwards.
    """

    def __init__(
        self,
        search: Search,
        host: Host,
        *,
        places: Places,
        storage: Path,
        clock: Clock = time.monotonic,
    ) -> None:
        self.search = search
        self.places = places
        self._host, self._storage, self._clock = host, storage, clock
        self._verdict: Verdict = "go on"
        self._error: Exception | None = None  # raised in one of Ray Tune's calls, where it would be wrapped in text
        self._last: CohortOrder | None = None  # the finale, while it runs
        self._finale_tries = 0
        self._held: list[tuple[str, Exception | None]] = []  # losses that came while the cluster did not answer
        # Unless told, Ray Tune waits for one trial's process before it asks for the next trial.
        os.environ.update(_SETTINGS | {"TUNE_MAX_PENDING_TRIALS_PG": str(places.most_slots)})
        class_cache.DEFAULT_ENV_VARS.clear()  # with variables of its own, a trial cannot have a process that is there
        self.desk = Desk()

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune pickles what it is given, to restore from; a sweep goes on from its journal instead."""
        return {}

    def run(self) -> None:
        """Train until the search is done, or its host says so, and then the finale.

        Raises:
            Whatever the host or the search raise.
        """
        for _ in range(1 + FINALE_TRIES):
            before = self._verdict, self._finale_tries
            self._fit()
            over = self._error is not None or self._verdict == "end" or self._finale_tries >= FINALE_TRIES
            if over or (self._verdict, self._finale_tries) == before:
                break  # nothing is left, not even a finale
        if self._error is not None:
            raise self._error

    def _fit(self) -> None:
        """One run of Ray Tune. Where it was ended with cohorts still training, the finale takes another."""
        self.places.clear()
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
                name=f"tune-{time.monotonic_ns()}",
                storage_path=str(self._storage),
                stop=_WhenOver(self),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                verbose=0,
                callbacks=[_Unheard()],
            ),
        ).fit()

    @property
    def done(self) -> bool:
        """No cohort is to be started any more, but for the finale."""
        return self._error is not None or self._verdict != "go on" or self.search.done

    @property
    def is_idle(self) -> bool:
        """Nothing trains, and nothing can be started now."""
        return not self.done and not self.search.under_way

    def is_over(self) -> bool:
        """Whether Ray Tune should end now, whatever trains."""
        return self._error is not None or self._guarded(self._look, True)

    def next_order(self) -> CohortOrder | None:
        return self._guarded(self._next_order, None)

    def on_results(self, cohort: str, results: list[RungResult], news: News | None, holding: Holding) -> bool:
        return self._guarded(lambda: self._on_results(cohort, results, news, holding), True)

    def on_unwritten(self, unwritten: Mapping[str, str]) -> None:
        self._guarded(lambda: self._host.take_unwritten(unwritten), None)

    def on_lost(self, cohort: str, error: Exception | None) -> None:
        self._guarded(lambda: self._on_lost(cohort, error), None)

    def _guarded(self, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        """Keep what is raised for run(): Ray Tune would make a text of it, and the user's mistake a fault of ours."""
        if self._error is not None:
            return otherwise
        try:
            return call()
        except Exception as error:
            self._error = error
            return otherwise

    def _look(self) -> bool:
        before, verdict = self._verdict, self._host.tick()
        if self._held and self._host.cluster_answers():
            held, self._held = self._held, []
            for cohort, error in held:
                self._on_lost(cohort, error)
        if verdict == "end" or before == "go on":
            self._verdict = verdict
        return self._verdict == "end" or (self._verdict == "end cohorts" and before == "go on")

    def _next_order(self) -> CohortOrder | None:
        if self.done:
            return self._begin_finale()
        order = self.search.next_cohort(self._clock(), self.places.kind_for, self.places.waits_for)
        if order is None:
            return None
        placement = self.places.take(order.cohort, order.family, order.structure)
        assert placement is not None  # the search asked
        try:
            start = self._host.letter(order, placement)
        except ValueError as error:  # the table cannot be prepared as these trials ask
            failure = failure_of(error)
            failed = [RungResult(member.trial, 0, "failed", failure=failure) for member in order.members]
            self._on_results(order.cohort, failed, None, None)
            return None
        self.desk.put(order.cohort, start)
        return order

    def _begin_finale(self) -> CohortOrder | None:
        start = self._host.finale() if self._last is None and self._finale_tries < FINALE_TRIES else None
        if start is None:
            return None
        self._last = start.order
        self._finale_tries += 1
        self.desk.put(start.order.cohort, start)
        return start.order

    def _on_results(self, cohort: str, results: list[RungResult], news: News | None, holding: Holding | None) -> bool:
        results = [self._host.with_log(result) if result.failure else result for result in results]
        if self._last is not None:
            self._last = None
            self.places.release(cohort)
            self._host.take_finale(results[0])
            self._finale_tries = FINALE_TRIES
            return True
        if news is not None:
            self._host.take_news(cohort, news)
        if holding is not None:
            results = self._host.charge(cohort, results, holding)
        reply = self.search.on_results(cohort, results, self._clock(), self._outgrown(cohort, results))
        if reply.end:
            self.places.release(cohort)
        if reply.end and not reply.unfinished:
            self._host.forget(cohort)
            self.desk.close(cohort)
            return True
        self.desk.put(cohort, reply)
        return False

    def _outgrown(self, cohort: str, results: list[RungResult]) -> bool:
        if not any(result.failure is not None and result.failure.kind == "memory" for result in results):
            return False
        family = self.search.record.cohorts[cohort].family
        if len(results) == 1 and len(self.search.running[cohort]) == 1:
            return self.places.outgrown(cohort, family)
        self.places.cramped(cohort, family)
        return False

    def _on_lost(self, cohort: str, error: Exception | None) -> None:
        gone = getattr(error, "cause", None) or error
        if isinstance(gone, DeviceGoneError):  # Ray would hand it out again and again
            raise DistmlError(str(gone))
        if not self._host.cluster_answers():
            self._held.append((cohort, error))
            return
        if not self.desk.is_alive(_DESK_SECONDS):
            self.desk = Desk()
        self.desk.close(cohort)
        self.places.release(cohort)
        cause = cause_of(error)
        failure = loss(error, cause)
        if self._last is None:
            self._host.take_loss(cohort, failure, cause)
            self.search.on_lost(cohort, failure, self._clock(), cause)
            return
        trial, self._last = self._last.members[0].trial, None
        if self._finale_tries >= FINALE_TRIES:
            self._host.take_finale(self._host.with_log(RungResult(trial, 0, "failed", failure=failure)))
