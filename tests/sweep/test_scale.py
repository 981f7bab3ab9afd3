"""A large cluster in simulated time: nothing overcommitted, nobody forgotten, and cost that grows with the work."""

import random
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.hardware.packing import Need, Slot, pack
from distml.sweep.waiting import Waiting
from experiments.benchmarks import scale
from experiments.benchmarks.scale import Outcome, Simulation, measure

MARGIN = 2.5  # on growth: what is quadratic costs 6 times as much a decision where there are 16 times as many
MOVES = st.lists(st.tuples(st.booleans(), st.sampled_from("abcde"), st.integers(0, 4)), max_size=60)


def everybody_ended(outcome: Outcome) -> bool:
    return sum(outcome.ended.values()) == outcome.trials and not outcome.ended.keys() & {"pending", "running"}


@pytest.mark.parametrize("seed", (1, 3))
def test_failing_nodes_overcommit_nothing_and_lose_no_trial(seed: int) -> None:
    outcome = Simulation(2_000, 24, seed=seed, failing=15).run()  # the simulation adds up each device at each step
    assert everybody_ended(outcome)
    assert outcome.nodes_failed >= 10 and outcome.lost >= 100


def test_the_simulation_says_when_a_node_is_overcommitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale.Places, "_changed", lambda places, state: None)
    monkeypatch.setattr(scale.Places, "_cores_free", lambda places, state: 1_000)
    monkeypatch.setattr(scale.Places, "_has_devices", lambda places, state, wish: True)
    with pytest.raises(AssertionError, match="is overcommitted"):
        Simulation(1_500, 15).run()


def test_sixteen_times_the_cluster_and_the_trials_cost_little_more_for_each_decision() -> None:
    small = min((Simulation(750, 8).run() for _ in range(3)), key=cost)
    tries = (Simulation(12_000, 128).run() for _ in range(2))  # another one where the machine was busy
    assert any(everybody_ended(large) and grows_no_faster(small, large) for large in tries)


def grows_no_faster(small: Outcome, large: Outcome) -> bool:
    """Than n log n would, and then some."""
    return cost(large) / large.decisions < MARGIN * cost(small) / small.decisions


def cost(outcome: Outcome) -> float:
    return outcome.decision_seconds


def test_packing_sixteen_times_the_cohorts_costs_little_more_for_each() -> None:
    small = min(seconds_to_pack(3_000) for _ in range(3))
    assert any(seconds_to_pack(48_000) < 6 * 16 * small for _ in range(2))  # 16 * 16 if each looked at all slots


def seconds_to_pack(cohorts: int) -> float:
    """Of a processor: with a slice for each eight of them."""
    needs = {f"c{number}": Need(1_000 + 91 * (number % 12), 3) for number in range(cohorts)}
    slots = [Slot(f"slice{number}", 9_984, 14) for number in range(cohorts // 8)]
    start = time.process_time()
    packing = pack(needs, slots)
    assert packing.placed and packing.waiting
    return time.process_time() - start


@pytest.mark.long
def test_a_hundred_thousand_trials_on_a_thousand_gpus_and_seven_thousand_slices() -> None:
    small, large = measure(12_500, 125), measure(100_000, 1_000)
    assert everybody_ended(large)
    assert (large.gpus, large.slices) == (1_000, 7_000)
    assert large.nodes_failed > 0 and large.lost > 0
    assert grows_no_faster(small, large)
    assert large.memory_mib < 100_000 * 8 / 1024  # 2 KiB a trial, with room for what a process has not given back


@given(MOVES)
def test_who_waits_is_who_a_plain_search_would_find(moves: list[tuple[bool, str, int]]) -> None:
    waiting, plain = Waiting(), dict[str, deque[str]]()
    for number, (adding, structure, most) in enumerate(moves):
        queue = plain.setdefault(structure, deque())
        if adding:
            waiting.add(structure, f"t{number}")
            queue.append(f"t{number}")
        else:
            assert waiting.take(structure, most) == [queue.popleft() for _ in range(min(most, len(queue)))]
        assert len(waiting) == sum(map(len, plain.values()))
        assert waiting.count(structure) == len(queue)
        most_of = max(plain, key=lambda key: len(plain[key]))
        assert waiting.fullest == (most_of if plain[most_of] else None)
        assert waiting.most == len(plain[most_of])


def test_a_structure_a_trial_keeps_no_more_than_the_trials() -> None:
    waiting = Waiting()
    drawn = random.Random(0)
    for number in range(3_000):
        waiting.add(f"s{drawn.randrange(100)}", f"t{number}")
        waiting.take(f"s{drawn.randrange(100)}", 3)
    assert len(waiting._lengths) <= 3_000
