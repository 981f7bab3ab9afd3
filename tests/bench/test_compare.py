"""The comparison's arithmetic, by examples worked out by hand."""

import doctest
from pathlib import Path

import pytest

from distml.bench import compare as module
from distml.bench.compare import compare
from distml.bench.record import DeviceFacts, Published, PublishedFigure
from distml.errors import DistmlError, MistakesError
from tests.bench.records import arm, record

A, B = Path("3090.json"), Path("a100.json")
PUBLISHED = Published(
    label="theirs", source="A paper", url="https://example.org", read="2026-11-23",
    figures=(PublishedFigure(what="speed-up", value=2.0, unit="times", hardware="A100"),),
)  # fmt: skip


def pair():
    """A 3090 at 0.25 and 400 W beside an A100 with twice its rate at 1.00 and 300 W."""
    ours = record(
        arm([1000.0] * 5, power=400.0), arm([10_000.0] * 5, "cohort", members=64, power=400.0),
        device="RTX 3090", memory_mib=24 * 1024, price=(0.25, "EUR"),
    )  # fmt: skip
    theirs = record(
        arm([1500.0] * 5, power=300.0), arm([20_000.0] * 5, "cohort", members=64, power=300.0),
        arm([4000.0] * 5, "mig", processes=7), device="A100", memory_mib=40 * 1024, price=(1.0, "EUR"),
    )  # fmt: skip
    return [(A, ours), (B, theirs)]


def rows(found):
    (block,) = found.blocks
    return {row.name: row for row in (*block.arms, *block.best)}


def test_the_examples_hold():
    assert doctest.testmod(module).failed == 0


def test_ratios_by_hand():
    found = compare(pair())
    by_name = rows(found)
    assert found.labels == ("3090", "a100")
    assert by_name["alone 1 x 1"].ratios[1].median == 1.5
    assert by_name["cohort 1 x 64"].ratios == (None, by_name["cohort 1 x 64"].ratios[1])
    assert by_name["cohort 1 x 64"].ratios[1].median == 2.0
    per_price = by_name["per price"]  # 10,000 / 0.25 = 40,000 and 20,000 / 1.00 = 20,000 trials for a euro
    assert [cell.figure.median for cell in per_price.cells] == [40_000.0, 20_000.0]
    assert (per_price.ratios[1].median, per_price.unit) == (0.5, "trials/EUR")
    joules = by_name["joules a trial"]  # 400 W * 3600 s / 10,000 = 144 J and 300 * 3600 / 20,000 = 54 J
    assert [cell.figure.median for cell in joules.cells] == [144.0, 54.0]
    assert (joules.ratios[1].median, joules.more_is_better) == (0.375, False)
    per_gib = by_name["per GiB of its memory"]  # 10,000 / 24 and 20,000 / 40
    assert [cell.figure.median for cell in per_gib.cells] == [pytest.approx(416.667), 500.0]
    assert per_gib.ratios[1].median == pytest.approx(1.2)


def test_an_arm_that_one_machine_lacks_says_why():
    (block,) = compare(pair()).blocks
    mig = next(row for row in block.arms if row.name.startswith("mig"))
    assert (mig.cells[0].figure, mig.cells[0].said) == (None, "no MIG on this card")
    assert mig.cells[1].figure.median == 4000.0
    assert mig.ratios == (None, None)


def test_mig_that_is_off_is_told_from_a_card_without_it():
    (path, ours), other = pair()
    card = DeviceFacts(name="A100", uuid="GPU-x", memory_mib=40_960, mig_mode="disabled")
    whole = ours.model_copy(update={"machine": ours.machine.model_copy(update={"device": card})})
    (block,) = compare([(path, whole), other]).blocks
    assert next(row for row in block.arms if row.name.startswith("mig")).cells[0].said == "MIG is off"


def test_out_of_memory_is_a_cell():
    (path, ours), other = pair()
    lost = arm([1.0], "processes", processes=8, state="out of memory", reason="CUDA out of memory", repeats=())
    with_loss = ours.model_copy(update={"arms": (*ours.arms, lost)})
    (block,) = compare([(path, with_loss), other]).blocks
    row = next(row for row in block.arms if row.name.startswith("processes"))
    assert [cell.said for cell in row.cells] == ["out of memory", "not measured"]


def test_the_baseline_can_be_another_one():
    for name in ("a100.json", "a100"):
        found = compare(pair(), name)
        assert found.baseline == 1
        assert rows(found)["cohort 1 x 64"].ratios[0].median == 0.5
    with pytest.raises(DistmlError, match=r"'a10' is none of the measured records\. Did you mean 'a100'\?"):
        compare(pair(), "a10")


def test_records_of_other_work_are_refused_with_what_differs():
    (_, ours), (_, theirs) = pair()
    other = theirs.model_copy(update={"workload": theirs.workload.model_copy(update={"rows": 24_000, "tf32": True})})
    with pytest.raises(MistakesError) as error:
        compare([(A, ours), (B, other)])
    assert "training rows: 24,000 against 6,000 in 3090.json" in str(error.value)
    assert "TF32: on against off" in str(error.value)


def test_published_figures_stand_apart():
    found = compare([(Path("p.json"), PUBLISHED), *pair()])
    assert found.published == (PUBLISHED,)
    assert found.labels == ("3090", "a100")
    with pytest.raises(DistmlError, match="none of these records was measured"):
        compare([(Path("p.json"), PUBLISHED), (Path("q.json"), PUBLISHED)])
    with pytest.raises(DistmlError, match="two records or more"):
        compare(pair()[:1])


def test_prices_in_two_currencies_and_unknown_joules_are_reasons():
    (path, ours), (other, theirs) = pair()
    price = theirs.machine.price.model_copy(update={"currency": "USD"})
    mixed = theirs.model_copy(update={"machine": theirs.machine.model_copy(update={"price": price})})
    assert "per price" not in rows(compare([(path, ours), (other, mixed)]))
    silent = arm([30_000.0] * 5, "cohort", members=64, missing={"joules_per_trial": "no permission"})
    row = rows(compare([(path, ours), (other, theirs.model_copy(update={"arms": (silent,)}))]))["joules a trial"]
    assert (row.cells[1].figure, row.cells[1].said, row.ratios) == (None, "no permission", (None, None))


def test_an_interrupted_record_gives_ratios_without_intervals():
    (path, ours), (other, theirs) = pair()
    short = theirs.model_copy(update={"arms": (arm([1500.0, 1600.0]),)})
    ratio = rows(compare([(path, ours), (other, short)]))["alone 1 x 1"].ratios[1]
    assert (ratio.median, ratio.low, ratio.high) == (1.55, None, None)


def test_best_fits_are_compared_whatever_batch_and_members_they_came_to():
    fits = [
        arm([9000.0] * 5, "cohort", members=members, batch="best-fit", batch_size=batch, name=f"{members}, {batch}")
        for members, batch in ((64, 512), (1024, 4096))
    ]
    (block,) = compare([(A, record(fits[0])), (B, record(fits[1]))]).blocks
    (row,) = block.arms
    assert row.name == "the best cohort, best-fit batch"
    assert [cell.said for cell in row.cells] == ["64, 512", "1024, 4096"]
    assert block.best == ()  # a machine's best is at the batch size that all share
