"""Which trial trains next and which stops: the sweep's bookkeeping, without Ray and without a clock.

Everything that happens is an event. Live, an event is journalled and applied; when a sweep goes on, the
journal's events are applied again. One path, so that a resumed sweep stands exactly where it stood.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from distml.sweep.lineage import member_of
from distml.sweep.numbering import Numbers, heirs_of, with_heirs
from distml.sweep.orders import CohortOrder, FamilyPlan, Reply
from distml.sweep.population import Population
from distml.sweep.records import LossCause, SweepRecord, TrialRecord
from distml.sweep.seeds import heir_seed, trial_name, trial_seed
from distml.sweep.waiting import Waiting
from distml.training.cohort import Failure, Member, RungResult

Event = dict[str, Any]

MAX_STRIKES = 3  # a trial with so many, the last one with nobody beside it, is given up
FREE_NODE_DEATHS = 3  # a machine may die under a trial so often before that, too, is a strike
SAME_FAILURES = 3  # equal tracebacks in a row that stop a family
TURN_SECONDS = 5.0  # a slot changes families at most this often: starting a cohort costs time


@dataclass
class _Family:
    plan: FamilyPlan
    sizes: dict[str, int]  # kind of slot -> members of a cohort; '': where nothing else is known
    asked: int = 0
    used_seconds: float = 0.0
    exhausted: bool = False
    stopped: str | None = None
    waiting: Waiting = field(default_factory=Waiting)
    # Of its cohorts that run: their number and the sum of when each last reported, so that nobody has to walk them.
    # Whole nanoseconds: what is added and taken away again thousands of times must leave nothing behind.
    cohorts: int = 0
    reported_ns: int = 0
    last_failures: deque[str] = field(default_factory=lambda: deque(maxlen=SAME_FAILURES))

    def size(self, kind: str) -> int:
        """Members of a cohort on this kind of slot."""
        return self.sizes.get(kind, self.sizes[""])

    @property
    def may_ask(self) -> bool:
        quota = self.plan.quota
        return not self.exhausted and self.stopped is None and (quota is None or self.asked < quota)

    @property
    def has_work(self) -> bool:
        return self.may_ask or len(self.waiting) > 0

    def used(self, now: float) -> float:
        """Seconds of slots it has had, with those of cohorts that have not reported them yet."""
        return self.used_seconds + (self.cohorts * _ns(now) - self.reported_ns) / 1e9


@dataclass
class _Running:
    family: str
    structure: str
    members: set[str]
    since: float  # when it last reported
    kind: str  # of slot
    retired: bool = False  # it takes no new members


KindFor = Callable[[str, str | None], str | None]


WaitsFor = Callable[[str, str], bool]


def _anywhere(family: str, structure: str | None) -> str:
    return ""


def _for_nothing(family: str, kind: str) -> bool:
    return False


class Search:
    """Decides; the caller trains. Times are seconds of the caller's clock."""

    def __init__(
        self,
        families: Sequence[FamilyPlan],
        *,
        metric: str,
        greater_is_better: bool,
        seed: int,
        journal: Callable[[Sequence[Event]], None],
        slots: int = 1,
        quota_history: Sequence[Mapping[str, int | None]] = (),
    ) -> None:
        self._families = {plan.name: _Family(plan, {"": plan.cohort_size}) for plan in families}
        self._metric, self._greater_is_better, self._seed = metric, greater_is_better, seed
        self._journal = journal
        self._slots = slots
        stages = [*quota_history, {plan.name: plan.quota for plan in families}]
        self._numbers = Numbers(with_heirs(stages, [plan.name for plan in families if plan.population]))
        self._running: dict[str, _Running] = {}
        self._resumable: deque[CohortOrder] = deque()
        self._cohorts = 0
        self._closing = self._finishing = False
        self.record = SweepRecord()

    def resume(self, events: Iterable[Event]) -> None:
        """Take up what the journal says; cohorts that were under way are the first to train again."""
        for event in events:
            self._apply(event)
        under_way: dict[str, list[TrialRecord]] = {}
        for trial in self.record.trials.values():
            family = self._families.get(trial.family)
            if trial.state in ("pending", "running") and family is not None and family.stopped is None:
                if trial.cohort is None:
                    self._wait(trial.trial)
                else:
                    under_way.setdefault(trial.cohort, []).append(trial)
        for cohort, trials in under_way.items():
            members = tuple(self._member(trial.trial) for trial in trials)
            structure = self._structure(trials[0].trial)
            self._resumable.append(CohortOrder(cohort, trials[0].family, members, True, structure))

    @property
    def done(self) -> bool:
        """Nothing runs and nothing is left to run."""
        nothing_left = self._closing or not (self._resumable or any(f.has_work for f in self._families.values()))
        return nothing_left and not self._running

    @property
    def under_way(self) -> int:
        """How many cohorts run."""
        return len(self._running)

    @property
    def running(self) -> Mapping[str, Sequence[str]]:
        """Cohort -> its trials."""
        return {cohort: sorted(running.members) for cohort, running in self._running.items()}

    def close(self, let_running_finish: bool = False) -> None:
        """Start nothing more: the budget is spent or the user wants to stop. Cohorts end at their next rung, unless
        the trials that run may finish."""
        self._closing = True
        self._finishing = let_running_finish

    def next_cohort(
        self, now: float, kind_for: KindFor = _anywhere, waits_for: WaitsFor = _for_nothing
    ) -> CohortOrder | None:
        """What a free slot should train, or None when nothing is to be started now.

        kind_for: family, structure -> the kind of slot that the next such cohort would get; None: none is free.
            Structure None: whichever of the family finds a slot.
        waits_for: family, kind -> whether it would find one of this kind if others left it all of a device.
        """
        if self._closing:
            return None
        order = self._next_resumable(kind_for) or self._new_cohort(now, kind_for, waits_for)
        if order is not None:
            names = [member.trial for member in order.members]
            kind = kind_for(order.family, order.structure) or ""
            self._begin(order.cohort, _Running(order.family, order.structure, set(names), now, kind))
            event = {"event": "cohort", "cohort": order.cohort, "family": order.family, "trials": names}
            self._journal(self._applied({**event, "slot": kind} if kind else event))
        return order

    def on_results(self, cohort: str, results: Sequence[RungResult], now: float, outgrown: bool = False) -> Reply:
        """Take a rung's results in; say who goes, who comes, and whether the cohort ends.

        outgrown: a member that found no memory, alone as it was, finds more elsewhere.
        """
        running = self._running[cohort]
        family = self._families[running.family]
        family.reported_ns += _ns(now) - _ns(running.since)
        running.since = now
        events: list[Event] = []
        told = {result.trial for result in results}
        silent = Failure("code", "its cohort did not report on it", "")
        unheard = [RungResult(name, 0, "failed", failure=silent) for name in sorted(running.members - told)]
        results = [*results, *unheard]
        for result in results:
            rung = {"event": "rung", "cohort": cohort, **vars(result)}
            del rung["failure"]
            events += self._applied(rung)
        alone = len(running.members) == 1
        release = [] if alone and not outgrown else self._take_back(cohort, results, events)
        taken_back = frozenset(release)
        population = None if self._closing else family.plan.population
        ages = self._by_age(results) if population else {}
        losers = {trial for scores in ages.values() for trial in population.losers(scores)} if population else set()
        for result in results:
            if result.trial in taken_back:
                continue
            state = "stopped" if result.trial in losers or self._cuts(result, family) else result.state
            if state != "running":
                self._end(result.trial, state, result.failure, family, events)
                running.members.discard(result.trial)
                release.append(result.trial)
        admit: list[Member] = []
        if outgrown and release:
            running.members.clear()  # this slot is too small for any
        elif family.stopped is not None:
            release += running.members
            running.members.clear()
        elif population is not None:
            admit = self._succeed(family, population, ages, results, events)
        elif not (self._closing or running.retired or not family.plan.refills or self._should_yield(family, now)):
            admit = self._refill(family, running, events)
        if admit:
            names = [member.trial for member in admit]
            running.members.update(names)
            events += self._applied({"event": "cohort", "cohort": cohort, "family": running.family, "trials": names})
        end = not running.members or (self._closing and not self._finishing)
        if end:
            self._leave(cohort)
        self._journal(events)
        return Reply(tuple(release), tuple(admit), end, unfinished=bool(running.members) and end)

    def resize(self, family: str, members: int, kind: str = "") -> None:
        """From now on, cohorts of this family have so many members on this kind of slot."""
        self._families[family].sizes[kind] = members

    def retire(self, cohort: str) -> None:
        """This cohort takes no new members: those of its structure have smaller slots now."""
        if cohort in self._running:
            self._running[cohort].retired = True

    def is_grown(self, family: str, structure: str, kind: str, members: int, cohort: str) -> bool:
        """Whether a cohort of so many members was as large as they get on this kind of slot: full, or there are no
        more trials for it. False where it has more by now."""
        running, one = self._running.get(cohort), self._families[family]
        if running is not None and len(running.members) > members:
            return False
        size, others = one.size(kind), len(one.waiting) - one.waiting.count(structure)
        return members >= size or not one.may_ask or others >= 2 * size

    def structure_waiting(self, family: str) -> str | None:
        """What most of a family's trials that wait share; None where none waits."""
        return self._families[family].waiting.fullest

    def note(self, events: Sequence[Event]) -> None:
        """Keep what was found out about slots."""
        for event in events:
            self._apply(event)
        self._journal(events)

    def explain(self, cohort: str, reason: str, slot: str | None = None) -> None:
        """Keep why a cohort trains as it does, and on what."""
        family = self._running[cohort].family
        event = {"event": "cohort", "cohort": cohort, "family": family, "trials": [], "reason": reason}
        if slot is not None:
            event["slot"] = slot
        self._journal(self._applied(event))

    def charge(self, costs: Sequence[Event]) -> None:
        """Keep what rungs cost, which is known a little after them."""
        self.note(costs)

    def on_lost(self, cohort: str, failure: Failure, now: float, cause: LossCause = "process") -> None:
        """The cohort's process died, or its machine: its trials are not to blame, unless it happens to them again and
        again, see `strikes`."""
        running = self._leave(cohort)
        if running is None:
            return
        names = sorted(running.members)
        lost = {"event": "lost", "cohort": cohort, "trials": names, "cause": cause, "failure": asdict(failure)}
        events = self._applied(lost)
        family = self._families[running.family]
        most = max(strikes(self.record.trials[name]) for name in names)
        if len(names) == 1 and most >= MAX_STRIKES:
            self._end(names[0], "failed", failure, family, events)
        elif family.stopped is None:
            self._resumable += self._again(cohort, running.family, names, whole=most <= 1)
        self._journal(events)

    def _again(self, cohort: str, family: str, names: list[str], whole: bool) -> list[CohortOrder]:
        """A lost cohort's orders. After a first strike it goes on from its checkpoint; after that it is halved, so that
        whoever kills it is alone in the end and the others finish."""
        structure = self._structure(names[0])
        if whole or len(names) == 1:
            return [CohortOrder(cohort, family, tuple(map(self._member, names)), True, structure)]
        orders = []
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            self._cohorts += 1
            members = tuple(map(self._member, half))
            orders.append(CohortOrder(f"c{self._cohorts:03d}", family, members, structure=structure))
        return orders

    @property
    def waiting_families(self) -> list[str]:
        """Families with work that no slot has taken up."""
        resumable = {order.family for order in self._resumable}
        return [name for name, family in self._families.items() if family.has_work or name in resumable]

    def progress_of(self, family: str) -> tuple[int, int | None, float]:
        """(trials asked for, trials to ask for or None, seconds of training) of a family."""
        state = self._families[family]
        return state.asked, state.plan.quota, state.used_seconds

    # --- starting and filling cohorts

    def _begin(self, cohort: str, running: _Running) -> None:
        family = self._families[running.family]
        family.cohorts += 1
        family.reported_ns += _ns(running.since)
        self._running[cohort] = running

    def _leave(self, cohort: str) -> _Running | None:
        """The cohort runs no more; None where it did not run."""
        running = self._running.pop(cohort, None)
        if running is not None:
            family = self._families[running.family]
            family.cohorts -= 1
            family.reported_ns -= _ns(running.since)
        return running

    def _next_resumable(self, kind_for: KindFor) -> CohortOrder | None:
        for order in self._resumable:
            if kind_for(order.family, order.structure) is not None:
                self._resumable.remove(order)
                return order
        return None

    def _new_cohort(self, now: float, kind_for: KindFor, waits_for: WaitsFor) -> CohortOrder | None:
        behind: list[_Family] = []  # those that have had less and find no slot
        for family in sorted((f for f in self._families.values() if f.has_work), key=lambda f: f.used(now)):
            name = family.plan.name
            kind = kind_for(name, None)
            if kind is None:
                behind.append(family)
                continue
            if any(other.used(now) + TURN_SECONDS < family.used(now) and waits_for(other.plan.name, kind)
                   for other in behind):  # fmt: skip
                continue  # small slots would be given out again and again, and a whole device never be free
            size = self._fair_size(family, kind)
            waiting = family.waiting
            events: list[Event] = []
            while waiting.most < size and family.may_ask and len(waiting) < 2 * size:
                self._ask(family, events)
            self._journal(events)
            placeable = (one for one in waiting.by_length() if kind_for(name, one) is not None)
            structure = next(placeable, None)
            if structure is None:
                continue
            size = self._fair_size(family, kind_for(name, structure) or "")
            members = tuple(map(self._member, waiting.take(structure, size)))
            self._cohorts += 1
            return CohortOrder(f"c{self._cohorts:03d}", name, members, structure=structure)
        return None

    def _fair_size(self, family: _Family, kind: str) -> int:
        """No cohort takes all that is left of a family while slots stand idle."""
        quota = family.plan.quota
        if quota is None:
            return family.size(kind)
        left = quota - family.asked + len(family.waiting)
        return max(1, min(family.size(kind), -(-left // max(1, self._slots - len(self._running)))))

    def _refill(self, family: _Family, running: _Running, events: list[Event]) -> list[Member]:
        """New members of the cohort's own structure for the places that are free."""
        free = family.size(running.kind) - len(running.members)
        waiting, own = family.waiting, running.structure
        patience = 2 * family.size(running.kind)  # other structures asked for on the way wait for a cohort of their own
        while waiting.count(own) < free and family.may_ask and len(waiting) - waiting.count(own) < patience:
            self._ask(family, events)
        return [self._member(trial) for trial in waiting.take(own, free)]

    def _by_age(self, results: Sequence[RungResult]) -> dict[int, dict[str, float]]:
        """Resource -> trial -> score, of the members that go on: only scores of one age compare."""
        ages: dict[int, dict[str, float]] = {}
        for result in results:
            if result.state == "running" and self._metric in result.scores:
                ages.setdefault(result.resource, {})[result.trial] = result.scores[self._metric]
        return ages

    def _succeed(
        self, family: _Family, population: Population, ages: Mapping[int, Mapping[str, float]],
        results: Sequence[RungResult], events: list[Event],
    ) -> list[Member]:  # fmt: skip
        """Trials that go on from the best ones' weights, for those that gave way or diverged."""
        if not ages:
            return []
        gone = {trial: resource for resource, scores in ages.items() for trial in sorted(population.losers(scores))}
        most = max(ages, key=lambda resource: len(ages[resource]))
        gone |= {result.trial: most for result in results if result.state == "diverged"}
        admit: list[Member] = []
        for trial, resource in gone.items():
            # From whose place it takes, not from its number, which depends on what other cohorts did meanwhile.
            seed = heir_seed(self.record.trials[trial].seed, resource)
            random = Random(seed)
            parent = population.parent(ages[resource], random)
            number = self._numbers.peek(heirs_of(family.plan.name))
            if parent is None or number is None:
                continue
            event = {
                "event": "asked", "trial": trial_name(number), "number": number, "family": family.plan.name,
                "params": population.perturbed(self.record.trials[parent].params, random), "seed": seed,
                "parent": {"trial": parent, "resource": resource},
            }  # fmt: skip
            events += self._applied(event)
            admit.append(self._member(trial_name(number)))
        return admit

    def _should_yield(self, family: _Family, now: float) -> bool:
        """Another family has had less of the machine, by more than a turn."""
        mine = family.used(now)
        others = (f for f in self._families.values() if f is not family and f.has_work)
        return any(other.used(now) + TURN_SECONDS < mine for other in others)

    def _ask(self, family: _Family, events: list[Event]) -> None:
        number = self._numbers.peek(family.plan.name)
        if number is None:
            family.exhausted = True
            return
        params = family.plan.searcher.suggest(trial_name(number))
        if params is None:
            family.exhausted = True
            return
        event = {
            "event": "asked", "trial": trial_name(number), "number": number, "family": family.plan.name,
            "params": dict(params), "seed": trial_seed(self._seed, number),
        }  # fmt: skip
        events += self._applied(event)
        self._wait(trial_name(number))

    def _wait(self, trial: str) -> None:
        family = self._families[self.record.trials[trial].family]
        family.waiting.add(self._structure(trial), trial)

    def _structure(self, trial: str) -> str:
        record = self.record.trials[trial]
        return self._families[record.family].plan.structure(record.params)

    def _member(self, trial: str) -> Member:
        record = self.record.trials[trial]
        rungs = self._families[record.family].plan.rungs(record.params)
        return member_of(self.record.trials, trial, rungs)

    # --- taking results in

    def _cuts(self, result: RungResult, family: _Family) -> bool:
        score = result.scores.get(self._metric)
        if result.state != "running" or score is None or family.plan.stopper is None:
            return False
        return family.plan.stopper.cuts(result.trial, result.resource, score)

    def _take_back(self, cohort: str, results: Sequence[RungResult], events: list[Event]) -> list[str]:
        """Members that found no memory beside the others: not to blame, they train again in smaller cohorts."""
        running = self._running[cohort]
        without = [result for result in results if result.failure is not None and result.failure.kind == "memory"]
        if without and len(running.members) > 1:
            family = self._families[running.family]
            size = family.size(running.kind)
            beside = min(size, len(running.members)) if family.plan.refills else size  # else most may be cut by now
            family.sizes[running.kind] = max(1, beside // 2)
        for result in without:
            assert result.failure is not None
            failure = asdict(result.failure)
            lost = {
                "event": "lost", "cohort": cohort, "trials": [result.trial], "cause": "memory", "failure": failure,
            }  # fmt: skip
            events += self._applied(lost)
            running.members.discard(result.trial)
            self._wait(result.trial)
        return [result.trial for result in without]

    def _end(self, trial: str, state: str, failure: Failure | None, family: _Family, events: list[Event]) -> None:
        ended = {"event": "ended", "trial": trial, "state": state, "failure": failure and asdict(failure)}
        events += self._applied(ended)
        same = len(family.last_failures) == SAME_FAILURES and len(set(family.last_failures)) == 1
        if failure is not None and same and family.stopped is None:
            reason = f"{SAME_FAILURES} trials in a row failed alike: {failure.error}"
            events += self._applied({"event": "family_stopped", "family": family.plan.name, "reason": reason})

    # --- events

    def _applied(self, event: Event) -> list[Event]:
        self._apply(event)
        return [event]

    def _apply(self, event: Event) -> None:
        """Bring an event into the books."""
        self.record.apply(event)
        handler = _HANDLERS.get(event["event"])
        if handler is not None:
            handler(self, event)

    def _on_opened(self, event: Event) -> None:
        for family in self._families.values():  # the user may have mended what stopped one
            family.stopped = None
            family.last_failures.clear()

    def _on_asked(self, event: Event) -> None:
        family = self._families.get(event["family"])
        if family is None:
            return
        if event.get("parent"):  # the searcher did not propose it
            self._numbers.take(heirs_of(family.plan.name), event["number"])
            return
        family.asked += 1
        self._numbers.take(family.plan.name, event["number"])
        family.plan.searcher.recall(event["trial"], self.record.trials[event["trial"]].params)

    def _on_cohort(self, event: Event) -> None:
        self._cohorts = max(self._cohorts, int(event["cohort"].removeprefix("c")))

    def _on_rung(self, event: Event) -> None:
        trial = self.record.trials[event["trial"]]
        family = self._families.get(trial.family)
        if family is None:
            return
        family.used_seconds += event["seconds"]
        score = event["scores"].get(self._metric)
        if event["state"] not in ("running", "finished") or score is None:
            return
        if trial.parent is None:
            family.plan.searcher.result(event["trial"], event["resource"], score)
        if family.plan.stopper is not None:
            family.plan.stopper.record(event["trial"], event["resource"], score)

    def _on_ended(self, event: Event) -> None:
        trial = self.record.trials[event["trial"]]
        family = self._families.get(trial.family)
        if family is None:
            return
        finished = event["state"] == "finished" and trial.rungs
        score = trial.rungs[-1].scores.get(self._metric) if finished else None
        if trial.parent is None:
            family.plan.searcher.complete(event["trial"], score, failed=event["state"] == "failed")
        if family.plan.stopper is not None:
            family.plan.stopper.forget(event["trial"])
        if event["state"] == "failed":
            family.last_failures.append(_fingerprint(event["failure"]))
        else:
            family.last_failures.clear()

    def _on_family_stopped(self, event: Event) -> None:
        family = self._families.get(event["family"])
        if family is not None:
            family.stopped = event["reason"]
            family.waiting = Waiting()


_HANDLERS: Mapping[str, Callable[[Search, Event], None]] = {
    "opened": Search._on_opened,
    "asked": Search._on_asked,
    "cohort": Search._on_cohort,
    "rung": Search._on_rung,
    "ended": Search._on_ended,
    "family_stopped": Search._on_family_stopped,
}


def strikes(trial: TrialRecord) -> int:
    """How far a trial is to blame for what was lost with it.

    A process that dies on a machine that lives is a strike: the trial may have killed it. A machine dies of its own, as
    a rule; only a trial under which one dies again and again may be what kills them, and must not go on for ever.
    Want of memory is no strike: each such loss halves the cohorts, so that it ends by itself.

    >>> strikes(TrialRecord("t0001", 1, "forest", {}, 0, attempts=4, process_deaths=1, node_deaths=3))
    1
    >>> strikes(TrialRecord("t0001", 1, "forest", {}, 0, attempts=6, process_deaths=1, node_deaths=5))
    3
    """
    return trial.process_deaths + max(0, trial.node_deaths - FREE_NODE_DEATHS)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _fingerprint(failure: Mapping[str, Any] | None) -> str:
    """Where a failure happened, without the values its message names."""
    lines = (failure or {}).get("traceback", "").splitlines()
    frames = [line.strip() for line in lines if line.startswith("  File")]
    error = (failure or {}).get("error", "").split(":")[0]
    return "\n".join([*frames, error])
