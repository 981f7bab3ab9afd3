"""What a record speaks for, by hand-worked examples."""

import re

import pytest
import yaml

from distml.bench.recommend import choose, recommend
from distml.errors import DistmlError
from distml.sweep.spec import SweepSpec
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


FOREST = arm([1.0] * 5, model="random-forest", batch_size=None)


@pytest.mark.parametrize(
    ("arms", "device", "said"),
    [
        ([arm([1.0] * 5)], None, "families: {scoring-network: {resources: {cpu: 2}}}: 1 at once on 2 cores; a sweep"),
        ([arm([1.0] * 5, "cohorts", processes=2)], None, "nothing to set: a sweep trains on every core at once; a"),
        ([FOREST], None, "families: {random-forest: {resources: {cpu: 2}}}: 1 at once on 2 cores"),
        ([FOREST], "RTX 3090", "families: {random-forest: {resources: {cpu: 2}}}: 1 at once on 2 cores"),
        ([arm([1.0] * 5, "cohort", members=64)], "RTX 3090", "resources: {gpu: 1}"),
        ([arm([1.0] * 5, "processes", processes=4)], "RTX 3090", "resources: {gpu: 0.25}"),
        ([arm([1.0] * 5, "mps", processes=2)], "RTX 3090", "resources: {gpu: 0.5}}}; start the node with --mps"),
    ],
)
def test_the_sweep_file_is_told(arms, device, said):
    (advice,) = recommend(record(*arms, device=device), 10)
    assert said in advice.sweep_file


def on(machine_of, arm_, **changes):
    machine = machine_of.machine.model_copy(update=changes)
    (advice,) = recommend(machine_of.model_copy(update={"machine": machine, "arms": (arm_,)}), 10)
    return advice.sweep_file


def test_the_sweep_file_says_where_a_sweep_cannot_do_as_the_arm():
    four = arm([1.0] * 5, "processes", processes=4)
    assert "{cpu: 2}}}: 3 at once on 6 cores" in on(record(), four, cores=6)  # no setting gives 4 of 6
    card = record(device="A100")
    cut = card.machine.device.model_copy(update={"mig_layout": ("3g.20gb", "3g.20gb")})
    assert "a sweep uses all slices; this arm is of one" in on(card, arm([1.0] * 5, "cohort", members=64), device=cut)
    assert "this arm" not in on(card, arm([1.0] * 5, "mig", processes=2), device=cut)
    assert "{gpu: 0.25}}}; start the node without --mps" in on(card, four, mps=True)


def test_what_the_sweep_file_is_told_is_a_sweep_file(tmp_path):
    for arms, device in ((arm([1.0] * 5), None), (FOREST, None), (arm([1.0] * 5, "mps", processes=4), "RTX 3090")):
        (advice,) = recommend(record(arms, device=device), 10)
        families = yaml.safe_load(re.match(r"families: .*}}}", advice.sweep_file)[0])
        spec = SweepSpec(name="x", data={"source": "t.csv", "target": "y"}, **families)
        (asked,) = (spec.resources_of(family) for family in families["families"])
        assert (asked.cpu, asked.gpu) == ((2, "auto") if device is None else (1, 0.25))


def test_bad_input_is_refused():
    with pytest.raises(DistmlError, match="--trials 0"):
        recommend(record(arm([1.0] * 5)), 0)
    with pytest.raises(DistmlError, match="no arm with figures"):
        recommend(record(arm([1.0], state="failed")), 5)
