"""What a throughput record says of cards: which is measured, how it is named, who else used it, what held it back."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distml.bench.site import Site
from distml.bench.watch import card_use
from distml.errors import DistmlError
from distml.hardware.samples import DeviceSample, Sample
from tests.hardware import benching
from tests.hardware.standin import DRIVER, a100, rtx_3090

CUT = {0: "3g.20gb", 4: "2g.10gb", 6: "1g.5gb"}


def test_a_whole_card_goes_before_a_cut_one_and_a_cut_one_before_the_processor(machine):
    machine.holds(a100("GPU-b", CUT), rtx_3090("GPU-a"))
    assert machine.run(benching.subject).card == "GPU-a"
    machine.holds(a100("GPU-b", CUT))
    found = machine.run(benching.subject)
    assert (found.card, found.slices, found.device) == (None, ("MIG-b-0", "MIG-b-4", "MIG-b-6"), "cuda")
    machine.holds()
    assert machine.run(benching.subject).device == "cpu"


def test_a_device_can_be_asked_for(machine):
    machine.holds(rtx_3090("GPU-a"), a100("GPU-b", CUT))
    assert len(machine.run(benching.subject, "gpu1").slices) == 3
    assert len(machine.run(benching.subject, "2g.10gb").slices) == 3
    assert machine.run(benching.subject, "rtx-3090").card == "GPU-a"
    assert machine.run(benching.subject, "cpu").device == "cpu"
    assert len(machine.run(benching.subject, None, "1").slices) == 3
    assert machine.run(benching.subject, None, "GPU-a,GPU-b").card == "GPU-a"
    with pytest.raises(DistmlError, match=r"no device 'rtx3090' here\. Did you mean 'rtx-3090'\?"):
        machine.run(benching.subject, "rtx3090")


def test_a_cut_card_without_slices_is_refused(machine):
    machine.holds(a100("GPU-b", {}))
    with pytest.raises(DistmlError, match="in MIG mode and has no slice"):
        machine.run(benching.subject, "gpu0")


def test_a_card_is_named_with_what_it_may_do(machine):
    machine.holds(rtx_3090("GPU-a"), a100("GPU-b", CUT))
    found = machine.run(benching.described, Site("EUR", {"rtx-3090": 0.25}))
    card = found.device
    assert (found.label, found.driver, found.cuda) == ("RTX 3090", DRIVER, "12.8")
    assert (card.memory_mib, card.multiprocessors, card.capability, card.power_cap_w) == (24_576, 82, "8.6", 350.0)
    assert card.mig_mode is None and "mig_mode" in card.missing
    assert card.sm_clock_mhz is None and card.missing["sm_clock_mhz"] == "the driver is too old for it"
    assert [one.mig_layout for one in found.others] == [("3g.20gb", "2g.10gb", "1g.5gb")]
    assert (found.price.per_hour, found.price.currency) == (0.25, "EUR")
    cut = machine.run(benching.described, Site("EUR", {"NVIDIA A100-SXM4-40GB": 1.1}), "gpu1")
    assert cut.device.mig_layout == ("3g.20gb", "2g.10gb", "1g.5gb")
    assert (cut.price.per_hour, cut.identity) == (1.1, found.identity)
    assert machine.run(benching.described).missing["price"].startswith("no site file gives one")


def real_time(*lines):
    """A 3090 whose clock runs."""
    return [rtx_3090("GPU-a", *lines)], [f"epoch {time.time() - 100}"]


def test_a_card_that_others_use_is_marked(machine):
    cards, lines = real_time("utilisation 0:90", "process 4242 21504")
    machine.holds(*cards, lines=lines)
    busy, marks, _ = machine.run(benching.watched, 0.1)
    assert busy == ["busy: process 4242 computed on the card (21.0 GiB), at 90 % utilisation"]
    assert marks == busy


def test_somebody_on_a_slice_is_marked_too(machine):
    card = a100("GPU-b", {0: "3g.20gb", 4: "3g.20gb"})
    card.slices[1].lines = ["process 77 512"]
    machine.holds(card, lines=[f"epoch {time.time() - 100}"])
    assert machine.run(benching.watched, 0.1)[0] == ["busy: process 77 computed on the card (0.5 GiB)"]


def test_a_card_held_back_by_its_heat_is_marked_and_one_at_its_power_limit_is_not(machine):
    cards, lines = real_time("throttle 0:68")  # power limit, temperature (hardware)
    machine.holds(*cards, lines=lines)
    _, marks, use = machine.run(benching.watched, 1.2)
    assert marks == ["the card's clocks were held back: temperature (hardware)"]
    assert use.power_w == pytest.approx(22.0, rel=0.05)
    assert (use.utilisation, use.peak_memory_mib) == (0.0, 0.0)  # over what was taken before


def test_a_card_whose_counter_may_not_be_read_has_no_joules_and_a_reason(machine):
    cards, lines = real_time("error nvmlDeviceGetTotalEnergyConsumption 4")
    machine.holds(*cards, lines=lines)
    _, _, use = machine.run(benching.watched, 1.2)
    assert (use.power_w, use.missing["power_w"]) == (None, "no permission")


def test_the_use_of_a_card_by_hand():
    def at(second, joules, used):
        device = DeviceSample("GPU-a", 0.5, used, energy_j=joules, energy_seconds=1.0)
        return Sample(second, None, (device,))

    samples = [at(1.0, 100.0, 400), at(2.0, 300.0, 900), at(3.0, 100.0, 700)]
    use = card_use(samples, "GPU-a", 1.0, 3.0, idle_mib=400)
    assert (use.power_w, use.utilisation, use.peak_memory_mib, use.missing) == (200.0, 0.5, 500, {})


def test_a_bench_on_a_card_that_torch_cannot_use_says_what_to_do(machine, tmp_path):
    machine.holds(rtx_3090("GPU-a"))
    command = [Path(sys.executable).with_name("distml"), "bench", "--quick", "--runs", tmp_path]
    environment = {**os.environ, **machine.environment}
    said = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert said.returncode == 2
    assert "torch cannot use the device that is to be measured" in said.stderr
    assert "distml bench --device cpu" in said.stderr
    assert list(tmp_path.iterdir()) == []
