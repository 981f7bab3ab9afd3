"""The sampler on cards that change, fail and vanish under it."""

import os
from types import SimpleNamespace

import pytest

from distml.hardware.gpm import SliceUtilisation
from distml.hardware.nvml import DeviceLostError
from distml.hardware.samples import DeviceSample, ProcessUse
from tests.hardware import sampling
from tests.hardware.standin import StandIn, a100, build, h100, rtx_3090

NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, LOST, MISMATCH = 3, 4, 9, 15, 18


@pytest.fixture
def sampled(machine):
    """Put cards into the machine at some second, and sample it."""

    def sample(*cards, at, lines=()):
        machine.holds(*cards, clock=at, lines=lines)
        return machine.run(sampling.sample)

    def begin(*cards, at=0.0, disk="."):
        machine.holds(*cards, clock=at)
        return machine.run(sampling.begin, disk)

    sample.begin = begin
    yield sample
    machine.run(sampling.end)


def busy():
    """A 3090 that idles at 22 W for 10 s, then computes at 330 W and is held back by its limit."""
    return rtx_3090(
        "GPU-a",
        "used 0:400 10:21504",
        "power 0:22 10:330",
        "temperature 0:35 10:71",
        "utilisation 0:0 10:97",
        "sm_clock 0:210 10:1695",
        "throttle 0:1 10:36",
        "process 4242 21000",
        "process 4243 -",
    )


def test_a_card_is_read_in_full(sampled):
    card = busy()
    sampled.begin(card)
    first = sampled(card, at=9.0)
    assert first.gap is None
    (device,) = first.devices
    assert (device.utilisation, device.power_w, device.throttled_by) == (0.0, 22.0, ())
    assert (device.energy_j, device.energy_seconds) == (None, None)
    assert device.missing["energy_j"].startswith("the first sample")
    (device,) = sampled(card, at=12.0).devices
    assert device == DeviceSample(
        "GPU-a",
        utilisation=0.97,
        memory_used_mib=21504,
        power_w=330.0,
        energy_j=1 * 22 + 2 * 330,  # a second of idling and two of work
        energy_seconds=3.0,
        temperature_c=71,
        sm_clock_mhz=1695,
        memory_clock_mhz=9751,
        throttled_by=("power limit", "temperature (software)"),
        processes=(ProcessUse(4242, 21000.0), ProcessUse(4243, None)),
    )


def test_a_slice_of_an_a100_tells_memory_and_processes_and_why_no_more(sampled):
    card = a100("GPU-b", {0: "3g.20gb", 4: "1g.5gb"})
    card.slices[0].lines = ["used 0:7372", "process 77 7000"]
    sampled.begin(card)
    board, large, small = sampled(card, at=1.0).devices
    assert (large.uuid, large.memory_used_mib, large.processes) == ("MIG-b-0", 7372, (ProcessUse(77, 7000.0),))
    assert (small.memory_used_mib, small.processes) == (0, ())
    assert (large.utilisation, large.power_w, large.energy_j, large.temperature_c) == (None, None, None, None)
    assert large.missing["utilisation"] == "NVML gives none for slices of this card"
    assert large.missing["power_w"] == "NVML measures it for the whole card alone"
    assert (board.power_w, board.utilisation, board.processes) == (210.0, None, None)
    assert board.missing["utilisation"] == "NVML gives none for a card in MIG mode"


def test_what_is_none_has_a_reason_and_what_is_there_has_none(sampled):
    cards = rtx_3090("GPU-a", f"error nvmlDeviceGetPowerUsage {NO_PERMISSION}"), a100("GPU-b", {0: "1g.5gb"})
    sampled.begin(*cards)
    for number in (1.0, 2.0):
        for device in sampled(*cards, at=number).devices:
            empty = {name for name, value in vars(device).items() if value is None}
            assert empty == device.missing.keys()


def test_slices_of_an_h100_are_measured_by_gpm_between_two_samples(sampled):
    card = h100("GPU-h", ["0:20 10:80", "0:0", "0:100"])
    sampled.begin(card)
    first = sampled(card, at=8.0).devices[1:]
    assert {one.missing["utilisation"] for one in first} == {"the first sample: there is nothing to compare it with"}
    second = sampled(card, at=12.0).devices[1:]
    assert [one.utilisation for one in second] == pytest.approx([0.5, 0.0, 1.0])  # 2 s at 20 % and 2 s at 80 %
    third = sampled(card, at=12.05).devices[1]
    assert (third.utilisation, third.missing["utilisation"]) == (None, "two samples lie less than 0.1 s apart")
    assert sampled(card, at=13.0).devices[1].utilisation == pytest.approx(0.8)


def test_gpm_that_refuses_is_a_reason(sampled):
    card = h100("GPU-h", ["0:20"])
    card.lines = [*card.lines, f"error nvmlGpmMigSampleGet {NO_PERMISSION}"]
    sampled.begin(card)
    assert sampled(card, at=1.0).devices[1].missing["utilisation"] == "no permission"


class Driver:
    """Of one slice; counts the samples of GPM that nobody has given back."""

    def __init__(self):
        self.held = 0

    def ask(self, missing, what, function, *arguments):
        return self.call(function, *arguments)

    def call(self, function, *arguments):
        self.held += {"nvmlGpmSampleAlloc": 1, "nvmlGpmSampleFree": -1}.get(function, 0)
        if function == "nvmlGpmMigSampleGet":
            raise DeviceLostError("the GPU fell off the bus")
        return SimpleNamespace(isSupportedDevice=True)


def test_a_card_that_is_lost_between_takes_no_memory_with_it():
    driver = Driver()
    slice_ = SimpleNamespace(card_handle=0, device=SimpleNamespace(gpu_instance=1))
    with pytest.raises(DeviceLostError):
        SliceUtilisation(driver, slice_).read({}, 1.0)
    assert driver.held == 0


def test_a_card_that_falls_off_the_bus_is_a_gap_beside_one_that_goes_on(sampled):
    good, bad = rtx_3090("GPU-a"), rtx_3090("GPU-b")
    lost = rtx_3090("GPU-b", f"error * {LOST}")
    sampled.begin(good, bad)
    assert [one.power_w for one in sampled(good, bad, at=1.0).devices] == [22.0, 22.0]
    during = sampled(good, lost, at=2.0)
    assert during.devices[0].energy_j == pytest.approx(22.0)
    assert during.devices[1] == DeviceSample.gap("GPU-b", "the GPU fell off the bus")
    assert during.gap is None
    after = sampled(good, bad, at=4.0).devices[1]
    assert (after.energy_j, after.energy_seconds) == (pytest.approx(66.0), 3.0)  # the counter covers the gap


def test_a_cut_card_that_falls_off_the_bus_comes_back_with_its_slices(sampled):
    good = a100("GPU-b", {0: "3g.20gb"})
    sampled.begin(good)
    lost = a100("GPU-b", {0: "3g.20gb"}, f"error * {LOST}")
    for second in (1.0, 2.0):
        gaps = sampled(lost, at=second).devices
        assert gaps == tuple(DeviceSample.gap(uuid, "the GPU fell off the bus") for uuid in ("GPU-b", "MIG-b-0"))
    assert [one.memory_used_mib for one in sampled(good, at=3.0).devices] == [600, 0]


def test_a_driver_updated_under_the_sampler_is_a_gap_that_ends(sampled):
    card = rtx_3090("GPU-a")
    sampled.begin(card)
    sampled(card, at=10.0)
    said = "driver and library differ in version: was the driver updated?"
    for second in (11.0, 12.0):
        gap = sampled(card, at=second, lines=[f"error * {MISMATCH}"])
        assert said in gap.gap
        assert [one.uuid for one in gap.devices] == ["GPU-a"]
        assert said in gap.devices[0].missing["power_w"]
        assert gap.host.memory_mib > 0
    again = sampled(card, at=3.0)  # the new driver counts energy from its own start
    assert (again.gap, again.devices[0].power_w, again.devices[0].energy_j) == (None, 22.0, None)
    assert "began anew" in again.devices[0].missing["energy_j"]


def test_a_driver_that_comes_late_is_found(sampled, machine):
    machine.holds(rtx_3090(), lines=[f"error nvmlInitWithFlags {DRIVER_NOT_LOADED}"])
    inventory = machine.run(sampling.begin)
    assert inventory.reason == "NVML does not start: the NVIDIA driver is not loaded"
    assert sampled(rtx_3090(), at=1.0).devices[0].power_w == 22.0


def test_a_card_cut_anew_shows_its_new_slices(sampled):
    before, after = a100("GPU-b", {0: "3g.20gb", 4: "2g.10gb"}), a100("GPU-b", {0: "7g.40gb"})
    sampled.begin(before)
    sampled(before, at=1.0)
    changing = sampled(after, at=2.0).devices
    assert [one.uuid for one in changing] == ["GPU-b", "MIG-b-0", "MIG-b-4"]
    assert set(changing[2].missing.values()) == {"the card was cut anew: this slice is gone"}
    assert [one.uuid for one in sampled(after, at=3.0).devices] == ["GPU-b", "MIG-b-0"]


def test_mig_switched_off_gives_the_whole_card(sampled):
    cut, whole = a100("GPU-b", {0: "7g.40gb"}), a100("GPU-b")
    sampled.begin(cut)
    sampled(whole, at=1.0)
    (device,) = sampled(whole, at=2.0).devices
    assert (device.uuid, device.utilisation) == ("GPU-b", 0.5)


def test_a_cpu_node_has_telemetry_too(sampled, tmp_path):
    sampled.begin(disk=str(tmp_path))
    host = sampled(at=1.0).host
    assert 0 <= host.utilisation <= 1
    assert 0 < host.memory_used_mib < host.memory_mib
    assert host.disk_free_mib > 0
    assert host.missing == {}
    assert sampled(at=2.0).gap == "NVML finds no GPU: a CPU node"


def test_a_disk_that_is_gone_is_a_reason(sampled, tmp_path):
    sampled.begin(disk=str(tmp_path / "none"))
    host = sampled(at=1.0).host
    assert (host.disk_free_mib, host.missing) == (None, {"disk_free_mib": os.strerror(2)})


def test_an_old_driver_is_asked_by_the_old_names(tmp_path):
    old = StandIn(build(tmp_path / "old", old=True), tmp_path / "machine.txt")
    card = busy()
    slices = a100("GPU-b", {0: "1g.5gb"})
    try:
        old.holds(card, slices, clock=11.0)
        old.run(sampling.begin)
        device, _, piece = old.run(sampling.sample).devices
        assert (device.temperature_c, device.throttled_by) == (71, ("power limit", "temperature (software)"))
        assert device.processes == (ProcessUse(4242, 21000.0), ProcessUse(4243, None))
        assert piece.missing["utilisation"].endswith("the driver is too old for it")
        old.run(sampling.end)
    finally:
        old.close()


def test_a_sampler_that_was_closed_says_nothing_of_devices_and_fails_not(machine):
    machine.holds(rtx_3090())
    machine.run(sampling.begin)
    assert machine.run(sampling.end).devices[0].power_w is None
