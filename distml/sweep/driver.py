"""One driver's run of a sweep: an open journal, a running Ray, a search in between."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray

from distml.data.arrays import outline, prepare_whole
from distml.data.variant import variant_from
from distml.errors import DistmlError
from distml.sweep.costs import measured
from distml.sweep.ending import SHARE, ending_seconds, likely_members, refit_seconds
from distml.sweep.holding import Holding
from distml.sweep.journal import Journal, JournalFull
from distml.sweep.lineage import member_of
from distml.sweep.orders import CohortOrder, FamilyPlan
from distml.sweep.params import split_params
from distml.sweep.parts import MOST_MEMBERS, ages, family_plans, full_size, size_of, trial_quotas
from distml.sweep.places import Placement, Places
from distml.sweep.preflight import Checked
from distml.sweep.progress import Opening, Watcher
from distml.sweep.provenance import changes, code_of, git_revision, versions
from distml.sweep.records import ENDED, LossCause, TrialRecord, best_trial
from distml.sweep.resources import wishes
from distml.sweep.runs import RunFolder
from distml.sweep.search import Search
from distml.sweep.session import Session, current_cluster
from distml.sweep.store import put
from distml.sweep.telemetry import Telemetry
from distml.sweep.tune.controller import CohortRun, Verdict
from distml.sweep.tune.worker import News, Prepared, Start
from distml.sweep.variants import Variants, scores_out_of_bag
from distml.sweep.watching import note_of, snapshot
from distml.training.cohort import Failure, RungResult

if TYPE_CHECKING:
    from distml.sweep.tune.loggers import TrialLoggers

CloseReason = Literal["budget", "stopped", "interrupted"]
EndState = Literal["done", "interrupted", "stopped", "nothing"]

_PROGRESS_SECONDS = 0.5
_PROGRESS_SHARE = 0.05  # of the driver's time that may go into showing progress: with 100,000 trials a look takes long
_GRACE_SECONDS = 5.0  # for running rungs to end before the time is up; at least, else a share of the budget
_GRACE_SHARE = 0.05
_GRACE_MOST = 0.25  # however short the budget is
_FULL_DISK_SECONDS = 5.0
_LOOK_SECONDS = 2.0  # between two looks at the cluster
_WITHOUT = {  # what could not be written -> what that means
    "checkpoints": "a cohort that dies or is interrupted trains from its beginning again",
    "validation predictions": "the scorer has fewer trials to choose from",
}
_BEHIND = 100  # cohorts that are named as those that a family waits behind


class Driver:
    """One driver's run over an open journal and a running Ray."""

    def __init__(
        self,
        checked: Checked,
        folder: RunFolder,
        journal: Journal,
        session: Session,
        variants: Variants,
        watcher: Watcher | None,
        parent: str | None = None,
    ) -> None:
        """parent: the sweep that this one is a fork of."""
        self._checked, self._folder, self._journal, self._session = checked, folder, journal, session
        self._variants, self._watcher, self._parent = variants, watcher, parent
        self._plans = family_plans(checked)
        self._places = Places(wishes(checked, session.cluster), session.cluster)
        self._metric = checked.metric
        self._notes = {
            plan.name: note_of(family, plan, full_size(family, space))
            for plan, (family, space) in zip(self._plans, checked.families.values(), strict=True)
        }
        self._message = ""
        self._interrupted = threading.Event()
        self._stop: CloseReason | None = None
        self._holdout_failure: str | None = None
        self._show_next = 0.0  # monotonic seconds
        self._told: set[str] = set()  # families whose way of training the user has been told
        self._unwritten: set[str] = set()  # kinds of files of which the user knows that they could not be written
        self._sized: set[tuple[str, str]] = set()  # family, kind of slot: a cohort has been asked what size is best
        self._looked = 0.0  # at the cluster
        self._ending, self._estimate_next = 0.0, 0.0  # seconds kept for the end; when they are estimated again
        self._alone: dict[str, tuple[str, str, str]] = {}  # cohort with a device to itself -> family, structure, kind
        self._telemetry = Telemetry(folder, self._metric, has_gpus=bool(session.cluster.device_classes))
        self._loggers: TrialLoggers | None = None

    def run(self) -> EndState:
        search = self._open_search()
        record = search.record
        before = record.seconds
        self._started = time.monotonic() - before
        self._tell_opening(search)
        with _on_interrupt(self._interrupted):
            try:
                self._train(search)
                reason = self._stop or "budget"
            except KeyboardInterrupt:
                reason = "interrupted"
            except Exception as error:
                raise self._session.lifeline.cause_of(error) from error
            finally:
                self._telemetry.close()
            self._show(search, force=True)
            with contextlib.suppress(JournalFull):  # interrupted on a full disk: a later driver finds out by itself
                search.charge(self._telemetry.costs())
                self._write([{"event": "closed", "reason": reason, "seconds": self._elapsed()}])
        self._close_loggers()
        if self._holdout_failure is not None:
            raise DistmlError(self._holdout_failure)
        if self._watcher is not None:
            self._watcher.closed()
        if reason in ("interrupted", "stopped"):
            return reason
        found = best_trial(record, self._metric.name, self._metric.greater_is_better)
        return "done" if found is not None else "nothing"

    def _close_loggers(self) -> None:
        if self._loggers is None:
            return
        if self._loggers.behind:
            self._notice(f"telling {', '.join(self._checked.spec.loggers)} of the last {self._loggers.behind} trials")
        for name, why in self._loggers.close().items():
            self._notice(f"{name} was not told of all trials ({why}); the journal has them")

    def _notice(self, line: str) -> None:
        if self._watcher is not None:
            self._watcher.notice(line)

    # --- opening

    def _open_search(self) -> Search:
        earlier = self._journal.events
        history = [event["quotas"] for event in earlier if event["event"] == "opened"]
        search = Search(
            self._plans, metric=self._metric.name, greater_is_better=self._metric.greater_is_better,
            seed=self._checked.spec.seed, journal=self._write, slots=self._places.slots, quota_history=history,
        )  # fmt: skip
        opened = {
            "event": "opened", "at": time.time(), "spec": self._checked.resolved,
            "data_sha256": self._checked.dataset.sha256, "quotas": trial_quotas(self._checked),
            "greater_is_better": self._metric.greater_is_better,
            "holdout_rows": len(self._checked.dataset.holdout),
            "versions": versions(), "git": git_revision(Path.cwd()), "parent": self._parent,
            "code": code_of({name: family for name, (family, _) in self._checked.families.items()}),
        }  # fmt: skip
        openings = [event for event in earlier if event["event"] == "opened"]
        self._changes = changes(openings[-1], opened) if openings else []
        if self._checked.spec.loggers:
            from distml.sweep.tune.loggers import TrialLoggers

            spec = self._checked.spec
            self._loggers = TrialLoggers(spec.loggers, spec.name, self._folder.path.absolute())
            self._loggers.take(earlier, past=True)
        search.resume([*earlier, opened])
        for need in search.record.needs.values():
            self._places.recall(dict(need))
        self._write([opened])
        return search

    def _tell_opening(self, search: Search) -> None:
        if self._watcher is None:
            return
        spec, dataset = self._checked.spec, self._checked.dataset
        quotas = [plan.quota for plan in self._plans]
        self._watcher.opened(
            Opening(
                name=spec.name, rows=len(dataset.frame), columns=dataset.frame.shape[1],
                texts=len(dataset.layout.of("text")),
                positive_share=float(dataset.y.mean()) if len(dataset.classes) == 2 else None,
                metric=self._metric.name, folds=len(dataset.folds), holdout_rows=len(dataset.holdout),
                trials=None if None in quotas else sum(quota or 0 for quota in quotas), minutes=spec.budget.minutes,
                search=f"{spec.search.algorithm} + {spec.search.scheduler}"
                if spec.search.scheduler != "none" else spec.search.algorithm,
                place=self._session.place, dashboard=self._session.dashboard,
                resumed=sum(trial.state in ENDED for trial in search.record.trials.values()),
                warnings=(*self._checked.warnings, *(f"since this sweep began, {one}" for one in self._changes)),
            )
        )  # fmt: skip

    # --- training

    def _train(self, search: Search) -> None:
        self._search = search
        self.tick()  # a budget that is used up already starts nothing
        CohortRun(search, self, places=self._places, storage=self._session.scratch / "tune").run()

    def letter(self, order: CohortOrder, placement: Placement) -> Start:
        self._telemetry.begin()
        self._alone.pop(order.cohort, None)
        if self._places.held_whole(order.cohort):
            self._alone[order.cohort] = order.family, order.structure, placement.kind
        family = self._checked.families[order.family][0]
        params = self._search.record.trials[order.members[0].trial].params
        cpus = self._checked.spec.resources_of(order.family).cpu
        start = self._start(order, self._variants.ref(family, params), cpus, placement)
        if len(self._checked.dataset.holdout):
            start = replace(start, predictions=self._folder.predictions.absolute())
        known = (order.family, placement.kind) in self._sized or self._plan(order.family).population is not None
        if family.engine != "network" or known:
            return start
        self._sized.add((order.family, placement.kind))
        return replace(start, most=min(MOST_MEMBERS, self._plan(order.family).quota or MOST_MEMBERS))

    def _start(
        self, order: CohortOrder, arrays: "ray.ObjectRef[Prepared]", threads: int, placement: Placement
    ) -> Start:
        return Start(
            order=order,
            family=self._checked.families[order.family][0],
            evaluator=self._checked.evaluator,
            prepared=arrays,
            # A process of Ray Tune has a working folder of its own.
            checkpoint=self._folder.checkpoint(order.cohort).absolute(),
            threads=threads,
            device="cuda" if placement.on_gpu else "cpu",
            slot_mib=placement.memory_mib,
        )

    def take_news(self, cohort: str, news: News) -> None:
        """Store why a cohort trains as it does; tell the user what the sweep file could not tell them, once."""
        family = self._search.record.cohorts[cohort].family
        if news.size is not None:
            # Those of one age train together, so that there should be as many of each.
            members = news.size * ages(*self._checked.families[family], self._plan(family))
            self._search.resize(family, members, self._places.of(cohort).kind)
            self._notes[family] = f"cohorts of {members}"
        self._search.explain(cohort, news.reason, f"{self._places.of(cohort)} on {news.place}")
        is_network = self._checked.families[family][0].engine == "network"
        if is_network and family not in self._told:
            self._told.add(family)
            self._notice(f"{family}  {news.reason}")

    def take_unwritten(self, unwritten: Mapping[str, str]) -> None:
        for what in sorted(unwritten.keys() - self._unwritten):
            self._unwritten.add(what)
            self._notice(f"{what} could not be written ({unwritten[what]}): {_WITHOUT[what]}")

    def charge(self, cohort: str, results: Sequence[RungResult], holding: Holding) -> list[RungResult]:
        return self._telemetry.charge(cohort, results, holding)

    def take_loss(self, cohort: str, failure: Failure, cause: LossCause) -> None:
        lost = self._search.record.cohorts[cohort]
        what = "machine under" if cause == "node" else "process of"
        self._notice(f"{lost.family}  the {what} cohort {cohort} died ({failure.error}); it trains again")

    def cluster_answers(self) -> bool:
        return self._session.lifeline.answers()

    def with_log(self, result: RungResult) -> RungResult:
        """Keep a failure's traceback in the run's folder, and say where."""
        assert result.failure is not None
        log = self._folder.logs / f"{result.trial}.txt"
        with contextlib.suppress(OSError):  # the journal has it, too
            log.write_text(result.failure.traceback)
        return replace(result, failure=replace(result.failure, log=str(log)))

    def forget(self, cohort: str) -> None:
        self._folder.checkpoint(cohort).unlink(missing_ok=True)

    def _plan(self, family: str) -> FamilyPlan:
        return next(plan for plan in self._plans if plan.name == family)

    def tick(self) -> Verdict:
        """Look at the clock, at the user and at the disk."""
        search = self._search
        self._show(search)
        self._look_around(search)
        self._telemetry.see(search.record)
        costs = self._telemetry.costs()
        if costs:
            search.charge(costs)
            self._learn(costs)
        if self._interrupted.is_set():
            self._stop = "interrupted"
            search.close()
            return "end"
        self._session.lifeline.check()
        request = self._folder.stop_request()
        if request is not None:
            self._stop = "stopped"
            search.close(let_running_finish=request == "finish")
            return "end cohorts" if request == "now" else "go on"
        minutes = self._checked.spec.budget.minutes
        if minutes is None or search.done:
            return "go on"
        left = 60 * minutes - self._elapsed() - self._ending_seconds(60 * minutes)
        grace = max(_GRACE_SECONDS, _GRACE_SHARE * 60 * minutes)
        if left > min(grace, _GRACE_MOST * 60 * minutes):
            return "go on"
        self._stop = "budget"
        search.close()
        too_late = 0 if search.record.counts.get("finished") else -grace  # better late than with nothing
        return "end cohorts" if left < too_late else "go on"

    def _ending_seconds(self, limit: float) -> float:
        """Of the budget's time, what is kept for training the best again and for the scorer."""
        if self._elapsed() < (1 - SHARE) * limit - _GRACE_SECONDS or time.monotonic() < self._estimate_next:
            return self._ending
        self._estimate_next = time.monotonic() + _LOOK_SECONDS
        checked, metric = self._checked, self._metric
        members = likely_members(self._search.record.trials.values(), metric.name, metric.greater_is_better)
        rows = len(checked.dataset.train)
        whole = ending_seconds(map(self._refit_seconds, members), int(self._session.cluster.cpus), rows)
        self._ending = min(whole, SHARE * limit) if checked.spec.export and checked.dataset.target is not None else 0.0
        return self._ending

    def _refit_seconds(self, trial: TrialRecord) -> float:
        family = self._checked.families[trial.family][0]
        variant = variant_from(split_params(trial.params)[1])
        out_of_bag = scores_out_of_bag(family, variant, self._checked.spec)
        return refit_seconds(trial.seconds, len(self._checked.dataset.folds), family.engine == "network", out_of_bag)

    def _learn(self, costs: Sequence[Mapping[str, Any]]) -> None:
        """From what cohorts took of devices that they had to themselves to the shares of later ones."""
        search = self._search
        for cost in costs:
            cohort = cost["cohort"]
            if cohort not in self._alone:
                continue
            family, structure, kind = self._alone[cohort]
            if search.is_grown(family, structure, kind, len(cost["trials"]), cohort):
                self._places.learn(family, structure, kind, measured(cost))
                if self._places.shared(family, structure, kind):
                    search.retire(cohort)
        self._note_needs()

    def _note_needs(self) -> None:
        events = self._places.take_events()
        if not events:
            return
        self._search.note(events)
        for event in events:
            self._notice(f"{event['family']}  {event['kind']}, {event['reason']}")

    def _look_around(self, search: Search) -> None:
        """See which nodes there are, and write down why families wait."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if not self._session.is_local and self.cluster_answers():  # else the call would hang
            self._places.update(current_cluster())
        self._note_needs()
        why, behind = {}, {}
        for name in search.waiting_families:
            structure = search.structure_waiting(name)
            reason = self._places.why_waiting(name, structure)
            if reason is not None:
                why[name], behind[name] = reason, self._places.behind(name, structure or "")[:_BEHIND]
        with contextlib.suppress(DistmlError):  # on a full disk `distml status` can wait
            self._folder.write_waiting(why, behind)

    def _show(self, search: Search, force: bool = False) -> None:
        now = time.monotonic()
        if self._watcher is None or (now < self._show_next and not force):
            return
        minutes = self._checked.spec.budget.minutes
        self._watcher.progress(
            snapshot(
                search.record, self._plans, self._notes, self._metric, elapsed_seconds=self._elapsed(),
                limit_seconds=None if minutes is None else 60 * minutes, message=self._message,
            )
        )  # fmt: skip
        after = time.monotonic()
        self._show_next = now + max(_PROGRESS_SECONDS, (after - now) / _PROGRESS_SHARE)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    # --- ending

    def finale(self) -> Start | None:
        """Train the winner on all training rows and score it once on the held-out ones; a known winner not again."""
        search = self._search
        best = best_trial(search.record, self._metric.name, self._metric.greater_is_better)
        if best is None or best.trial == search.record.winner or self._stop == "interrupted":
            return None
        if not len(self._checked.dataset.holdout):  # without a target there is nothing to hold out
            self._crown(best.trial, {}, 0.0)
            return None
        family = self._checked.families[best.family][0]
        params, choices = split_params(best.params)
        member = member_of(search.record.trials, best.trial, (size_of(family, params),))
        whole = prepare_whole(self._checked.dataset, variant_from(choices), self._checked.spec.seed)
        arrays = put(Prepared(outline(self._checked.dataset, whole), (whole,), None))
        # Nothing else runs now: on one machine an ensemble may use all of it. A small network gains nothing by more
        # threads, and loses much where others use the machine, since its threads wait for each other at each step.
        everything = self._session.is_local and family.engine == "estimator"
        cpus = self._session.cluster.cpus if everything else self._checked.spec.resources_of(best.family).cpu
        placement = self._places.take("holdout", best.family)
        if placement is None:
            self._holdout_failure = (
                f"{best.trial} could not be scored: it waits {self._places.why_waiting(best.family)}"
            )
            return None
        return self._start(CohortOrder("holdout", best.family, (member,)), arrays, cpus, placement)

    def take_finale(self, result: RungResult) -> None:
        if result.state != "finished":
            why = result.failure.error if result.failure else "its loss is no longer a number"
            self._holdout_failure = f"{result.trial} {result.state} on all training rows: {why}"
            return
        self._crown(result.trial, result.scores, result.seconds)

    def _crown(self, trial: str, holdout: Mapping[str, float], seconds: float) -> None:
        winner = {"event": "winner", "trial": trial, "holdout": dict(holdout), "seconds": seconds}
        self._search.record.apply(winner)
        self._write([winner])

    def _write(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Journal events; on a full disk wait for room, telling the user, until there is some or they stop."""
        while True:
            try:
                self._journal.append(*events)
                if self._loggers is not None:
                    self._loggers.take(events)
            except JournalFull as error:
                if self._interrupted.is_set() or self._folder.stop_request() is not None:
                    raise
                self._message = f"paused: {error}; free some space and the sweep goes on"
                self._notice(self._message)
                self._interrupted.wait(_FULL_DISK_SECONDS)
            else:
                self._message = ""
                return


@contextlib.contextmanager
def _on_interrupt(flag: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for an orderly end; a second Ctrl-C is the ordinary one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    earlier = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in earlier.items():
            signal.signal(signum, handler)
