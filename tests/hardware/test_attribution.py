"""Costs of cohorts, worked by hand."""

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.hardware import attribution
from distml.hardware.attribution import Board, Occupancy, attribute, boards
from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, HostSample, ProcessUse, Sample

HOST = HostSample(0.1, 1.0, 2.0, 3.0)
WHOLE = {"GPU-0": Board("GPU-0", 1.0)}


def node(*devices_by_second, first=1):
    """A sample a second."""
    return [Sample(first + number, HOST, tuple(devices)) for number, devices in enumerate(devices_by_second)]


def card(joules, uuid="GPU-0", seconds=1.0, **also):
    return DeviceSample(uuid, energy_j=joules, energy_seconds=seconds, **also)


def test_the_example_holds():
    assert doctest.testmod(attribution).failed == 0


def test_a_card_held_whole_is_measured_and_not_estimated():
    samples = node(*[[card(300, utilisation=0.9, memory_used_mib=100.0 * number)] for number in range(1, 21)])
    cost = attribute(samples, [Occupancy("c1", "GPU-0", 5, 15)], WHOLE)["c1"]
    assert (cost.gpu_seconds, cost.energy_j, cost.energy_estimated) == (10, 3000, False)
    assert (cost.utilisation, cost.peak_memory_mib, cost.missing) == (pytest.approx(0.9), 1500, {})


def test_intervals_held_in_part_count_by_time():
    # held from 1.5 to 3.25: half of the second interval, the third, a quarter of the fourth
    samples = node([card(100)], [card(200)], [card(300)], [card(400)])
    cost = attribute(samples, [Occupancy("c1", "GPU-0", 1.5, 3.25)], WHOLE)["c1"]
    assert cost.energy_j == pytest.approx(200 / 2 + 300 + 400 / 4)
    assert cost.energy_estimated  # 0.75 s of 1.75 s lie in intervals held in part


def test_short_ends_of_a_long_time_do_not_make_an_estimate():
    samples = node(*[[card(100)]] * 100)
    cost = attribute(samples, [Occupancy("c1", "GPU-0", 0.5, 99.5)], WHOLE)["c1"]
    assert (cost.energy_j, cost.energy_estimated) == (pytest.approx(9900), False)


def test_slices_share_the_boards_energy_by_their_multiprocessors():
    cut = Device(0, "GPU-0", "NVIDIA A100-SXM4-40GB", 40960, 108, "570", mig_mode="enabled")
    large = Device(0, "MIG-3", "MIG 3g.20gb", 19968, 42, "570", profile="3g.20gb", parent="GPU-0")
    small = Device(1, "MIG-2", "MIG 2g.10gb", 9984, 28, "570", profile="2g.10gb", parent="GPU-0")
    shares = boards(Inventory((cut, large, small)))
    assert shares["MIG-3"] == Board("GPU-0", 42 / 98)
    none = {"utilisation": "NVML gives none for slices of this card"}
    slices = [DeviceSample("MIG-3", memory_used_mib=7000, missing=none), DeviceSample("MIG-2", memory_used_mib=1)]
    samples = node(*[[card(212), *slices]] * 10)
    held = [Occupancy("c1", "MIG-3", 0, 10), Occupancy("c2", "MIG-2", 0, 10, share=0.5)]
    costs = attribute(samples, held, shares)
    assert costs["c1"].energy_j == pytest.approx(10 * 212 * 3 / 7)  # about 91 W
    assert costs["c2"].energy_j == pytest.approx(10 * 212 * 2 / 7 / 2)
    assert costs["c1"].energy_estimated
    assert costs["c2"].energy_estimated
    assert (costs["c1"].gpu_seconds, costs["c2"].gpu_seconds) == (10, 5)
    assert (costs["c1"].utilisation, costs["c1"].missing) == (None, none)
    assert costs["c1"].peak_memory_mib == 7000


def test_a_slice_of_an_unknown_card_is_measured_by_the_cards_own_count():
    cut = Device(0, "GPU-0", "NVIDIA B200", 183359, 148, "570", mig_mode="enabled")
    piece = Device(0, "MIG-1", "MIG 1g.23gb", 22528, 18, "570", profile="1g.23gb", parent="GPU-0")
    assert boards(Inventory((cut, piece)))["MIG-1"].share == 18 / 148


def test_memory_of_a_shared_card_is_that_of_the_cohorts_own_processes():
    def with_processes(mine, other):
        return [card(1, memory_used_mib=9000, processes=(ProcessUse(1, mine), ProcessUse(2, other)))]

    samples = node(with_processes(500, 3000), with_processes(800, 3000), with_processes(600, None))
    held = [Occupancy("c1", "GPU-0", 0, 3, 0.5, pids=(1,)), Occupancy("c2", "GPU-0", 2, 3, 0.5, pids=(2,))]
    costs = attribute(samples, held, WHOLE)
    assert costs["c1"].peak_memory_mib == 800
    assert costs["c2"].peak_memory_mib is None
    assert costs["c2"].missing["peak_memory_mib"].startswith("the device was shared")


def test_a_gap_whose_energy_the_counter_covers_costs_nothing_in_truth():
    lost = DeviceSample.gap("GPU-0", "the GPU fell off the bus")
    samples = node([card(100)], [lost], [lost], [card(900, seconds=3.0)], *[[card(100)]] * 40)
    cost = attribute(samples, [Occupancy("c1", "GPU-0", 0, 40)], WHOLE)["c1"]
    assert (cost.energy_j, cost.energy_estimated) == (pytest.approx(100 + 900 + 36 * 100), False)
    ended_in_the_gap = attribute(samples, [Occupancy("c1", "GPU-0", 0, 2)], WHOLE)["c1"]
    assert ended_in_the_gap.energy_j == pytest.approx(100 + 300)
    assert ended_in_the_gap.energy_estimated


def test_time_that_no_sample_covers_counts_at_the_mean_power():
    samples = node([card(100)], [card(300)])
    cost = attribute(samples, [Occupancy("c1", "GPU-0", 0, 4)], WHOLE)["c1"]
    assert (cost.energy_j, cost.energy_estimated) == (pytest.approx(800), True)


def test_what_was_never_measured_is_none_with_the_reason():
    lost = DeviceSample.gap("GPU-0", "the GPU fell off the bus")
    cost = attribute(node([lost], [lost]), [Occupancy("c1", "GPU-0", 0, 2)], WHOLE)["c1"]
    assert (cost.utilisation, cost.peak_memory_mib, cost.energy_j, cost.energy_estimated) == (None, None, None, False)
    assert cost.missing == dict.fromkeys(["utilisation", "peak_memory_mib", "energy_j"], "the GPU fell off the bus")
    unseen = attribute([], [Occupancy("c1", "GPU-0", 0, 2)], WHOLE)["c1"]
    assert set(unseen.missing.values()) == {"no sample fell into the time"}
    stray = attribute([], [Occupancy("c1", "GPU-9", 0, 2)], WHOLE)["c1"]
    assert stray.missing["energy_j"] == "the device's share of its card is not known"


def test_a_cohort_that_moved_pays_for_both_places():
    samples = node(*[[card(100), card(10, "GPU-1")]] * 4)
    held = [Occupancy("c1", "GPU-0", 0, 2), Occupancy("c1", "GPU-1", 2, 4)]
    cost = attribute(samples, held, {**WHOLE, "GPU-1": Board("GPU-1", 1.0)})["c1"]
    assert (cost.gpu_seconds, cost.energy_j) == (4, 220)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=20),
    st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 20)), max_size=10),
)
def test_cohorts_never_get_more_than_the_card_took(joules, asked):
    """Of cohorts whose shares are at most the card at any time, and that end with its samples."""
    samples = node(*[[card(one)] for one in joules])
    share = 1 / max(1, len(asked))
    held = [
        Occupancy(f"c{number}", "GPU-0", start % len(joules), min(start % len(joules) + length, len(joules)), share)
        for number, (start, length) in enumerate(asked)
    ]
    costs = attribute(samples, held, WHOLE)
    assert sum(cost.energy_j or 0 for cost in costs.values()) <= sum(joules) * (1 + 1e-9) + 1e-9
