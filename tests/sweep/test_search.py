"""The bookkeeping of a sweep, held to what it promises under any order of events."""

import doctest
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.sweep import search as module
from distml.sweep.numbering import Numbers, interleave
from distml.sweep.search import FREE_NODE_DEATHS, MAX_STRIKES, SAME_FAILURES, Search, strikes
from distml.training.cohort import Failure, RungResult
from tests.sweep.simulation import CountingSearcher, Machine, TopHalf, family, leaderboard, search


def run(families: list[Any], slots: int = 2, **kwargs: Any) -> tuple[Search, Machine, list[Any]]:
    journal: list[Any] = []
    searched = search(families, journal, slots=slots, **kwargs)
    machine = Machine(searched, slots)
    machine.run()
    return searched, machine, journal


def test_every_trial_of_the_budget_ends_once() -> None:
    searched, _, journal = run([family("network", size=8, quota=20), family("forest", quota=5)])
    assert searched.record.counts == {"finished": 25}
    ended = [event["trial"] for event in journal if event["event"] == "ended"]
    assert sorted(ended) == sorted(set(ended))
    assert [t.number for t in searched.record.trials.values() if t.family == "forest"] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
def test_the_leaderboard_does_not_depend_on_parallelism(slots: int) -> None:
    def families() -> list[Any]:
        return [family("network", size=4, quota=13), family("forest", quota=6), family("boosting", quota=6)]

    assert leaderboard(run(families(), slots)[0]) == leaderboard(run(families(), 1)[0])


def test_a_cohort_stays_full_and_the_worst_are_cut() -> None:
    searched, machine, journal = run([family("network", size=8, quota=32, full=8, stopper=TopHalf())], slots=1)
    counts = searched.record.counts
    assert counts["stopped"] > counts["finished"]
    assert len(searched.record.cohorts) == 1  # freed places took new trials: no second start
    cut = [t.trial for t in searched.record.trials.values() if t.state == "stopped"]
    assert all(machine.trained[trial] < 8 for trial in cut)
    first_rung = [event for event in journal if event["event"] == "rung"][:8]
    best_half = sorted(first_rung, key=lambda event: -event["scores"]["score"])[:4]
    assert all(searched.record.trials[event["trial"]].rungs[-1].resource > 1 for event in best_half)


def test_trials_that_are_judged_together_begin_and_end_together() -> None:
    plan = family("forest", size=4, quota=12, stopper=TopHalf(), refills=False)
    searched, _, journal = run([plan], slots=1)
    assert [len(cohort.trials) for cohort in searched.record.cohorts.values()] == [4, 4, 4]
    rungs = [(event["trial"], event["resource"]) for event in journal if event["event"] == "rung"]
    first = set(searched.record.cohorts["c001"].trials)
    assert [resource for trial, resource in rungs if trial in first] == [1, 1, 1, 1, 2, 2, 4]
    assert searched.record.counts["finished"] <= 3


def test_want_of_memory_among_the_last_of_those_judged_together_halves_those_who_began() -> None:
    plan = family("forest", size=8, quota=16, stopper=TopHalf(), refills=False)
    journal: list[Any] = []
    searched = search([plan], journal, slots=1)
    machine = Machine(searched, 1)
    machine.start()
    machine.step("c001")
    assert len(machine.cohorts["c001"]) == 4
    machine.room = 3
    machine.step("c001")
    machine.room = None
    machine.run()
    sizes = [len(cohort.trials) for cohort in searched.record.cohorts.values()]
    assert sizes[1] == 4  # half of 8, not of the 4 that were left
    assert sum(searched.record.counts.values()) == 16
    assert not searched.record.counts.keys() & {"failed", "running", "pending"}


def test_members_of_a_cohort_share_its_structure() -> None:
    plan = family("network", size=4, quota=30, structure=lambda params: str(params["x"] % 3))
    searched, _, _ = run([plan])
    for cohort in searched.record.cohorts.values():
        assert len({searched.record.trials[trial].params["x"] % 3 for trial in cohort.trials}) == 1
    assert searched.record.counts == {"finished": 30}


def test_families_share_the_time() -> None:
    journal: list[Any] = []
    searched = search([family("slow"), family("quick"), family("third")], journal, slots=1)
    machine = Machine(searched, 1)
    for _ in range(200):
        machine.start()
        machine.step(next(iter(machine.cohorts)))
    used = [searched.progress_of(name)[2] for name in ("slow", "quick", "third")]
    assert max(used) - min(used) <= 12


def test_a_used_up_space_ends_the_family() -> None:
    searched, _, _ = run([family("grid", searcher=CountingSearcher(limit=5), quota=50), family("forest", quota=3)])
    assert searched.record.counts == {"finished": 8}


def test_three_equal_failures_stop_a_family_not_the_sweep() -> None:
    journal: list[Any] = []
    searched = search([family("broken", quota=50), family("forest", quota=5)], journal, slots=2)
    machine = Machine(searched, 2)
    machine.fails["broken"] = Failure(
        "code", "KeyError: 'a'", "Traceback\n  File \"x.py\", line 3, in f\nKeyError: 'a'"
    )
    machine.run()
    assert searched.record.counts["finished"] == 5
    assert SAME_FAILURES <= searched.record.counts["failed"] <= SAME_FAILURES + 1  # one may have been under way
    assert "KeyError: 'a'" in searched.record.families_stopped["broken"]


def test_a_diverged_trial_is_a_result_that_the_searcher_hears_of() -> None:
    searcher = CountingSearcher()
    journal: list[Any] = []
    searched = search([family("network", size=4, quota=8, searcher=searcher)], journal)
    machine = Machine(searched, 1)
    machine.diverges = {"t0003"}
    machine.run()
    assert searched.record.trials["t0003"].state == "diverged"
    assert searcher.completed["t0003"] == (None, False)


def test_a_trial_whose_process_keeps_dying_is_given_up() -> None:
    journal: list[Any] = []
    searched = search([family("forest", quota=1)], journal)
    machine = Machine(searched, 1)
    for _ in range(MAX_STRIKES):
        machine.start()
        machine.lose(next(iter(machine.cohorts)))
    assert searched.next_cohort(machine.now) is None
    assert searched.done
    assert searched.record.trials["t0001"].state == "failed"


def test_machines_that_die_are_no_trials_fault() -> None:
    """One dies more often than a trial may kill its process; nobody is given up, no family stopped, none halved."""
    journal: list[Any] = []
    searched = search([family("network", size=8, quota=8), family("forest", quota=3)], journal)
    machine = Machine(searched, 2)
    for _ in range(FREE_NODE_DEATHS):
        machine.start()
        for cohort in list(machine.cohorts):
            machine.lose(cohort, "node")
    assert not any(event["event"] == "ended" for event in journal)
    assert {trial.attempts for trial in searched.record.trials.values() if trial.family == "network"} == {3}
    machine.run()
    assert searched.record.counts == {"finished": 11} and not searched.record.families_stopped
    assert leaderboard(searched) == leaderboard(run([family("network", size=8, quota=8), family("forest", quota=3)])[0])
    assert len([one for one in searched.record.cohorts.values() if one.family == "network"]) == 1


def test_a_trial_under_which_machines_die_for_ever_is_given_up_alone() -> None:
    """As where it takes all memory of each machine it comes to: the machine goes, its neighbours must not for ever."""
    searched = search([family("network", size=8, quota=8)], [], slots=1)
    machine = Machine(searched, 1)
    deaths = 0
    while True:
        machine.start()
        if not machine.cohorts:
            break
        cohort = next(iter(machine.cohorts))
        if "t0003" in machine.cohorts[cohort]:
            machine.lose(cohort, "node")
            deaths += 1
        else:
            machine.step(cohort)
    assert searched.done and searched.record.counts == {"finished": 7, "failed": 1}
    assert searched.record.trials["t0003"].state == "failed"
    assert deaths <= FREE_NODE_DEATHS + MAX_STRIKES + 2  # three halvings leave it alone


def test_want_of_memory_is_no_strike() -> None:
    """A trial that had to look for a slot large enough may still lose a process like any other."""
    searched = search([family("network", quota=1)], [], slots=1)
    failure = Failure("memory", "OutOfMemoryError", "")
    for kind in ("1g.5gb", "2g.10gb", "3g.20gb"):
        order = searched.next_cohort(0.0, lambda family, structure, kind=kind: kind)
        assert order is not None
        searched.on_results(order.cohort, [RungResult("t0001", 0, "failed", failure=failure)], 1.0, outgrown=True)
    trial = searched.record.trials["t0001"]
    assert (trial.attempts, strikes(trial)) == (MAX_STRIKES, 0)
    order = searched.next_cohort(2.0, lambda family, structure: "rtx-3090")
    assert order is not None
    searched.on_lost(order.cohort, Failure("node", "gone", "gone"), 3.0)
    assert searched.record.counts == {"pending": 1}


def test_the_worked_examples() -> None:
    assert doctest.testmod(module).failed == 0


def test_a_trial_that_found_no_memory_alone_trains_again_where_there_is_more() -> None:
    searched = search([family("network", size=4, quota=1)], [])
    order = searched.next_cohort(0.0)
    assert order is not None
    failure = Failure("memory", "OutOfMemoryError", "")
    reply = searched.on_results(order.cohort, [RungResult("t0001", 0, "failed", failure=failure)], 1.0, outgrown=True)
    assert (reply.release, reply.end, reply.unfinished) == (("t0001",), True, False)
    assert searched.record.counts == {"pending": 1}
    again = searched.next_cohort(2.0, lambda family, structure: "3g.20gb")
    assert again is not None and [member.trial for member in again.members] == ["t0001"]
    assert searched.record.cohorts[again.cohort].slot == "3g.20gb"


def test_a_family_without_room_lets_others_go_first() -> None:
    searched = search([family("network", quota=2), family("forest", quota=2)], [])
    order = searched.next_cohort(0.0, lambda name, structure: None if name == "network" else "")
    assert order is not None and order.family == "forest"
    assert searched.next_cohort(0.0, lambda name, structure: None) is None
    assert searched.waiting_families == ["network", "forest"]


def test_each_kind_of_slot_has_its_own_size_of_cohort() -> None:
    searched = search([family("network", size=16, quota=100)], [], slots=2)
    searched.resize("network", 32, "rtx-3090")
    sizes = {}
    for kind in ("rtx-3090", "1g.5gb"):
        order = searched.next_cohort(0.0, lambda name, structure, kind=kind: kind)
        assert order is not None
        sizes[kind] = len(order.members)
    assert sizes == {"rtx-3090": 32, "1g.5gb": 16}


@pytest.mark.parametrize("room", [1, 3, 5])
def test_members_that_find_no_memory_train_again_in_smaller_cohorts(room: int) -> None:
    searched = search([family("network", size=16, quota=40)], [], slots=2)
    machine = Machine(searched, 2)
    machine.room = room
    machine.run()
    assert searched.record.counts == {"finished": 40}
    assert leaderboard(searched) == leaderboard(run([family("network", size=16, quota=40)])[0])


def test_a_trial_that_finds_no_memory_for_itself_alone_has_failed() -> None:
    searched = search([family("network", size=4, quota=6)], [])
    machine = Machine(searched, 1)
    machine.room = 0
    machine.run()
    assert searched.record.counts["failed"] == SAME_FAILURES  # alike, so that the family stops
    assert {trial.failure.kind for trial in searched.record.trials.values() if trial.failure} == {"memory"}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.lists(st.sampled_from(["none", "process", "node"]), max_size=40), st.integers(1, 3))
def test_going_on_from_any_event_ends_as_if_undisturbed(cut: int, losses: list[Any], slots: int) -> None:
    def families() -> list[Any]:
        together = family("trees", size=3, quota=7, full=2, refills=False)
        return [family("network", size=4, quota=12, full=2), family("forest", quota=5, full=2), together]

    undisturbed, _, events = run(families(), slots)
    kept = events[: min(cut, len(events))]
    journal = list(kept)
    going_on = search(families(), journal, slots=slots)
    going_on.resume([*kept, {"event": "opened", "at": 0.0}])
    ended_before = {t.trial for t in going_on.record.trials.values() if t.state in ("finished", "failed")}
    machine = Machine(going_on, slots)
    for lose in losses:
        machine.start()
        if not machine.cohorts:
            break
        cohort = next(iter(machine.cohorts))
        most = max(strikes(going_on.record.trials[trial]) for trial in machine.cohorts[cohort])
        if lose != "none" and most < MAX_STRIKES - 1:
            machine.lose(cohort, lose)
        else:
            machine.step(cohort)
    machine.run()
    assert leaderboard(going_on) == leaderboard(undisturbed)
    assert not ended_before & set(machine.trained)


def test_a_larger_budget_goes_on_with_the_next_numbers() -> None:
    first, _, events = run([family("network", quota=4), family("forest", quota=2)])
    journal = list(events)
    larger = [family("network", quota=8), family("forest", quota=4)]
    more = search(larger, journal, quota_history=[{"network": 4, "forest": 2}])
    more.resume([*events, {"event": "opened", "at": 0.0}])
    Machine(more, 2).run()
    numbers = sorted(t.number for t in more.record.trials.values())
    assert numbers == list(range(1, 13))
    before = {t.trial: t.params for t in first.record.trials.values()}
    assert {t: more.record.trials[t].params for t in before} == before


def taken(numbers: Numbers, family: str, most: int) -> list[int]:
    mine: list[int] = []
    while len(mine) < most and (number := numbers.peek(family)) is not None:
        numbers.take(family, number)
        mine.append(number)
    return mine


def dealt_at_once(stages: list[dict[str, int]]) -> dict[str, list[int]]:
    """Finite stages one after another, the numbers of all families dealt from one stream."""
    mine: dict[str, list[int]] = {name: [] for name in stages[0]}
    start = 1
    for stage in stages:
        more = {name: max(0, quota - len(mine[name])) for name, quota in stage.items()}
        for number, name in interleave(more, start):
            mine[name].append(number)
            start = number + 1
    return mine


FINITE = st.fixed_dictionaries({name: st.integers(0, 9) for name in "abc"})
ANY = st.fixed_dictionaries({name: st.none() | st.integers(0, 9) for name in "abc"})


@given(st.lists(FINITE, min_size=1, max_size=4), st.permutations("abc"))
def test_budgets_of_trials_are_numbered_without_gaps(stages: list[dict[str, int]], order: list[str]) -> None:
    numbers = Numbers(stages)
    mine = {name: taken(numbers, name, 100) for name in order}
    assert mine == dealt_at_once(stages)
    assert sorted(chain.from_iterable(mine.values())) == list(range(1, 1 + sum(map(len, mine.values()))))


@given(st.lists(ANY, min_size=1, max_size=4), st.permutations("abc"), st.integers(0, 20))
def test_numbers_are_unique_and_do_not_depend_on_who_asks_first(
    stages: list[dict[str, int | None]], order: list[str], before: int
) -> None:
    numbers = Numbers(stages)
    mine = {name: taken(numbers, name, 20) for name in order}
    assert len(set(chain.from_iterable(mine.values()))) == sum(map(len, mine.values()))
    assert mine == {name: taken(Numbers(stages), name, 20) for name in "abc"}
    resumed = Numbers(stages)
    for name in order:
        for number in mine[name][:before]:
            resumed.take(name, number)
    assert {name: taken(resumed, name, 20 - before) for name in order} == {name: mine[name][before:] for name in order}


def test_a_raised_quota_beside_an_endless_family_has_numbers_of_its_own() -> None:
    numbers = Numbers([{"network": None, "forest": 2}, {"network": None, "forest": 4}])
    assert taken(numbers, "forest", 4) == [2, 4, 6, 8]
    assert taken(numbers, "network", 5) == [1, 3, 5, 7, 9]


def test_a_number_that_another_family_used_is_not_given_again() -> None:
    numbers = Numbers([{"network": None, "forest": 4}])
    for number in (1, 3, 4, 5):
        numbers.take("network", number)
    assert taken(numbers, "forest", 3) == [2, 6, 8]
    assert numbers.peek("network") == 7


def by_digit(params: Any) -> str:
    return str(params["x"] % 3)


def test_a_structure_without_a_place_lets_another_of_its_family_go_first() -> None:
    searched = search([family("network", size=4, quota=30, structure=by_digit)], [])
    order = searched.next_cohort(0.0, lambda name, structure: "" if structure in (None, "2") else None)
    assert order is not None and order.structure == "2"
    assert {int(member.params["x"]) % 3 for member in order.members} == {2}  # type: ignore[call-overload]
    waiting = searched.structure_waiting("network")
    assert waiting in ("0", "1")
    assert searched.next_cohort(0.0, lambda name, structure: "" if structure is None else None) is None


def test_a_retired_cohort_ends_with_its_members_and_another_takes_the_new_ones() -> None:
    searched = search([family("network", size=4, quota=12)], [])
    machine = Machine(searched, 1)
    machine.start()
    (cohort,) = machine.cohorts
    assert searched.is_grown("network", "one", "", 4, cohort) and not searched.is_grown("network", "one", "", 3, cohort)
    searched.resize("network", 8)
    assert not searched.is_grown("network", "one", "", 4, cohort)  # the next ones are larger
    searched.retire(cohort)
    reply = machine.step(cohort)
    assert reply.end and not reply.admit
    machine.run()
    assert searched.record.counts == {"finished": 12} and len(searched.record.cohorts) == 2


def test_a_cohort_is_as_large_as_it_gets_when_nothing_is_left_to_fill_it_with() -> None:
    searched = search([family("network", size=8, quota=3)], [])
    order = searched.next_cohort(0.0)
    assert order is not None and searched.is_grown("network", "one", "", 3, order.cohort)
    assert not searched.is_grown("network", "one", "", 2, order.cohort)  # it has more by now


def test_who_waits_for_a_whole_device_is_not_kept_from_it_by_ever_new_cohorts_on_shares() -> None:
    searched = search([family("shares", quota=9), family("whole", quota=9)], [])
    machine = Machine(searched, 1, seconds=10.0)
    machine.start()
    (cohort,) = machine.cohorts
    assert machine.step(cohort).end  # it yields: the other family has had nothing

    def places(name: str, structure: str | None) -> str | None:
        return "gpu" if name == "shares" else None

    assert searched.next_cohort(10.0, places, lambda name, kind: (name, kind) == ("whole", "gpu")) is None
    order = searched.next_cohort(10.0, places)
    assert order is not None and order.family == "shares"
