"""A short bench on a real NVIDIA card: `make test-gpu`."""

import pytest
import torch

from distml.bench import machine
from distml.bench.measure import measure
from distml.bench.site import Site
from distml.hardware.devices import list_devices
from tests.bench.test_measure import SETTINGS, Watcher

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA card here"),
]


def test_every_arm_of_the_card_has_figures_or_a_reason():
    inventory = list_devices()
    subject = machine.choose_subject(inventory, 2, mps=lambda card: None)
    assert subject.device == "cuda"
    described = machine.describe(subject, inventory, Site())
    found = measure(described, subject, inventory, SETTINGS, Watcher(), command="test")
    assert found.made.complete and found.ceilings[0].rate.median > 100
    for arm in found.arms:
        assert arm.state in ("measured", "out of memory"), (arm.name, arm.reason)
        if arm.state == "measured" and arm.model == "scoring-network":
            for name in ("joules_per_trial", "utilisation", "peak_memory_mib"):
                assert (getattr(arm, name) is None) == (name in arm.missing), (arm.name, name)
    print(*(f"{arm.name}: {arm.trials_per_hour and arm.trials_per_hour.median}" for arm in found.arms), sep="\n")
