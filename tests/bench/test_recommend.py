"""What a record speaks for, by hand-worked examples."""

import pytest

from distml.bench.recommend import choose, recommend
from distml.errors import DistmlError
from tests.bench.records import arm, record


def test_the_simplest_that_is_nearly_as_good_is_chosen():
    arms = [
        arm([100.0] * 5), arm([1000.0] * 5, "cohort", members=64), arm([1050.0] * 5, "cohort", members=256),
        arm([1040.0] * 5, "cohorts", processes=2, members=64),
    ]  # fmt: skip
    assert choose(arms).name == "cohort 1 x 64"
    assert choose([*arms, arm([2000.0] * 5, "cohorts", processes=2, members=256)]).name == "cohorts 2 x 256"


def test_the_time_of_a_sweep_by_hand():
    found = record(arm([90.0, 95.0, 100.0, 105.0, 110.0]), price=(0.5, "EUR"))
    (advice,) = recommend(found, 500)
    assert advice.seconds.median == 2.0 + 3600 * 500 / 100
    assert advice.seconds.low == pytest.approx(2.0 + 3600 * 500 / 110)
    assert advice.seconds.high == pytest.approx(2.0 + 3600 * 500 / 90)
    assert advice.cost == pytest.approx(0.5 * 18_002 / 3600)


def test_reasons_compare_with_every_other_arm_and_name_what_ran_out_of_memory():
    lost = arm([1.0], "processes", 8, name="8 processes", state="out of memory", repeats=(), trials_per_hour=None)
    found = record(arm([100.0] * 5), arm([1000.0] * 5, "cohort", members=64), lost)
    (advice,) = recommend(found, 10)
    assert advice.reasons == ("10.0x [10, 10] as many trials as alone 1 x 1", "8 processes: out of memory")


@pytest.mark.parametrize(
    ("arms", "device", "said"),
    [
        ([arm([1.0] * 5)], None, "nothing to set"),
        ([arm([1.0] * 5, "cohort", members=64)], "RTX 3090", "resources: {gpu: 1}"),
        ([arm([1.0] * 5, "processes", processes=4)], "RTX 3090", "resources: {gpu: 0.25}"),
        ([arm([1.0] * 5, "mps", processes=2)], "RTX 3090", "start the node with --mps"),
    ],
)
def test_the_sweep_file_is_told(arms, device, said):
    (advice,) = recommend(record(*arms, device=device), 10)
    assert said in advice.sweep_file


def test_bad_input_is_refused():
    with pytest.raises(DistmlError, match="--trials 0"):
        recommend(record(arm([1.0] * 5)), 0)
    with pytest.raises(DistmlError, match="no arm with figures"):
        recommend(record(arm([1.0], state="failed")), 5)
