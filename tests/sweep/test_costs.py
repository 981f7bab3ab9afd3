"""Who held what, and what each trial is charged: worked by hand."""

import doctest

import pytest

from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, HostSample, ProcessUse, Sample
from distml.sweep import costs, holding
from distml.sweep.costs import cost_event, placed, shares
from distml.sweep.holding import Holding, find_device, unknown_cost
from distml.sweep.records import replay
from distml.sweep.sampler import History
from distml.training.cohort import RungResult
from tests.sweep.test_records import asked, cohort, opened, rung

HOST = HostSample(0.1, 1.0, 2.0, 3.0)
CARD = Device(0, "GPU-3090", "NVIDIA GeForce RTX 3090", 24576, 82, "570")
CUT = Device(1, "GPU-a100", "NVIDIA A100-SXM4-40GB", 40960, 108, "570", mig_mode="enabled")
SLICE = Device(0, "MIG-1", "A100 MIG 3g.20gb", 19968, 42, "570", profile="3g.20gb", parent="GPU-a100")
NODE = Inventory((CARD, CUT, SLICE))


def held(start, end, share=1.0, devices=("GPU-3090",)):
    return Holding("n1", devices, share, start, end, 77)


def history(joules=100.0, seconds=range(1, 21), **also):
    kept = History()
    for second in seconds:
        card = DeviceSample("GPU-3090", energy_j=joules, energy_seconds=1, utilisation=0.5, memory_used_mib=900, **also)
        kept.add(Sample(float(second), HOST, (card,)))
    return kept


@pytest.mark.parametrize("module", [costs, holding])
def test_the_examples_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("visible", "found"),
    [("GPU-3090", CARD), ("GPU-30", CARD), ("0", CARD), ("1", SLICE), ("MIG-1", SLICE), ("GPU-", None), ("7", None)],
)
def test_what_cuda_visible_devices_names(visible, found):
    assert find_device(visible, NODE) == found


def test_a_rung_is_costed_by_the_samples_around_it_alone():
    kept = history()
    assert [sample.time for sample in kept._around(5.5, 8.5)] == [5, 6, 7, 8, 9]
    cost = kept.cost("c1", held(5.0, 9.0), NODE)
    assert (cost.gpu_seconds, cost.energy_j, cost.energy_estimated, cost.utilisation) == (4.0, 400.0, False, 0.5)


def test_a_rung_shorter_than_a_sample_is_estimated():
    cost = history().cost("c1", held(5.2, 5.6), NODE)
    assert (cost.energy_j, cost.energy_estimated) == (pytest.approx(40.0), True)


def test_half_a_card_is_charged_half_of_its_energy():
    cost = history(processes=(ProcessUse(77, 300.0), ProcessUse(78, 400.0))).cost("c1", held(5.0, 9.0, 0.5), NODE)
    assert (cost.gpu_seconds, cost.energy_j, cost.energy_estimated) == (2.0, 200.0, True)
    assert cost.peak_memory_mib == 300.0  # its own process's


def test_a_device_that_its_sampler_does_not_know_costs_time_alone():
    cost = history().cost("c1", held(5.0, 9.0, devices=("GPU-other",)), NODE)
    assert (cost.gpu_seconds, cost.energy_j, cost.utilisation) == (4.0, None, None)
    assert cost.missing["energy_j"] == "the sampler of its node knows no device GPU-other"


def test_a_history_forgets_and_keeps_each_devices_reasons_once():
    kept = History(kept=3)
    for second in range(5):
        missing = {"power_w": "no permission"}
        kept.add(Sample(float(second), HOST, (DeviceSample("GPU-3090", missing=missing),)))
    assert [sample.time for sample in kept.samples] == [2.0, 3.0, 4.0]
    assert len({id(sample.devices[0].missing) for sample in kept.samples}) == 1


def test_members_share_by_training_time_and_equally_where_none_is_known():
    timed = [RungResult("t1", 1, "running", seconds=3.0), RungResult("t2", 1, "running", seconds=1.0)]
    assert shares(timed) == [0.75, 0.25]
    assert shares([RungResult("t1", 0, "failed"), RungResult("t2", 0, "failed")]) == [0.5, 0.5]
    first, second = placed(timed, held(0.0, 8.0, 0.5), "ws-1 gpu0 RTX 3090")
    assert (first.gpu_seconds, second.gpu_seconds, second.device) == (3.0, 1.0, "ws-1 gpu0 RTX 3090")


def record_of(*costs_of_rungs):
    """A record of two trials that share a cohort, charged so."""
    results = [RungResult("t1", 1, "running", seconds=3.0), RungResult("t2", 1, "running", seconds=1.0)]
    events = [opened(), asked(1), asked(2), cohort("c001", 1, 2), rung(1, 1, 0.5), rung(2, 1, 0.5)]
    return replay([*events, *(cost_event("c001", results, cost) for cost in costs_of_rungs)])


def test_a_cost_is_shared_among_members_and_adds_up():
    cost = history().cost("c1", held(5.0, 9.0), NODE)
    record = record_of(cost, cost)
    assert [trial.energy_j for trial in record.trials.values()] == [600.0, 200.0]
    assert {trial.energy_estimated for trial in record.trials.values()} == {False}
    assert {trial.utilisation for trial in record.trials.values()} == {0.5}
    assert {trial.peak_memory_mib for trial in record.trials.values()} == {900}


def test_utilisation_is_the_mean_over_the_time_held():
    busy = history().cost("c1", held(5.0, 9.0), NODE)
    idle = unknown_cost(held(9.0, 10.0), "x").__class__(12.0, 0.1, None, None, False)
    assert record_of(busy, idle).trials["t1"].utilisation == pytest.approx((4 * 0.5 + 12 * 0.1) / 16)


def test_what_a_rung_could_not_be_charged_makes_the_sum_an_estimate_and_keeps_the_reason():
    known, gap = history().cost("c1", held(5.0, 9.0), NODE), unknown_cost(held(9.0, 10.0), "its sampler ended")
    for order in ([known, gap], [gap, known]):
        trial = record_of(*order).trials["t1"]
        assert (trial.energy_j, trial.energy_estimated) == (300.0, True)
        assert trial.missing["energy_j"] == "its sampler ended"
    silent = record_of(gap).trials["t1"]
    assert (silent.energy_j, silent.energy_estimated, silent.utilisation) == (None, None, None)
