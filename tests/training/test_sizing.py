import pytest
import torch

from distml.training.sizing import Measured, choose_size, size_cohort
from distml.training.stacked import StackedCohort
from tests.training.networks import assignment, member


def test_memory_may_run_out_before_throughput_is_flat() -> None:
    probes = [Measured(1, 100, 200), Measured(2, 190, 250), Measured(4, 350, 900)]
    assert choose_size(probes, 512, 64).reason == "K=2: memory runs out beyond (190 trials/min); 250 MiB of 0.5 GiB"
    assert choose_size(probes, 100, 64).members == 1


def test_no_more_members_than_are_asked_for() -> None:
    sizing = choose_size([Measured(1, 100, 200), Measured(2, 190, 250)], 4096, 3)
    assert (sizing.members, "no more are asked for" in sizing.reason) == (2, True)


def test_the_probe_trains_nobody_and_gives_a_reason() -> None:
    sizing = size_cohort(assignment(folds=2), member("t0").params, most=32)
    assert sizing.members in (8, 16, 32)  # a block of 16 lanes holds 8 members of 2 folds
    assert sizing.reason.startswith(f"K={sizing.members}: ")


def test_the_probe_ends_where_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds_per_step(self: StackedCohort, lanes: int, steps: int, warm_up: int) -> float:
        if lanes > 4:
            raise torch.OutOfMemoryError("out of memory")
        return 1.0 / lanes

    monkeypatch.setattr(StackedCohort, "seconds_per_step", seconds_per_step)
    assert size_cohort(assignment(), member("t0").params, most=64).members == 4
