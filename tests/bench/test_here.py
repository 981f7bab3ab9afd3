"""The record of this machine, and what a plan makes of it."""

from pathlib import Path

import pytest

from distml.bench import here
from distml.bench.machine import identity
from distml.bench.record import write
from distml.bench.statistics import figure
from distml.hardware.devices import list_devices
from distml.sweep.cluster import Cluster, Node
from distml.sweep.plan import Speed, make_plan
from distml.sweep.preflight import preflight
from tests.bench.records import arm, record
from tests.sweep.test_plan import spec


@pytest.fixture
def ours():
    """A record of this machine: 100 trials an hour of 12,000 rows times epochs."""
    found = record(
        arm([100.0] * 5, samples_per_second=figure([12_000 * 100 / 3600] * 5)),
        arm([50.0] * 5, model="random-forest", batch_size=None, samples_per_second=figure([5000.0] * 5)),
    )
    known = found.machine.model_copy(update={"identity": identity(list_devices())})
    return found.model_copy(update={"machine": known})


def test_the_full_record_goes_before_the_quick_one(ours, tmp_path):
    assert here.known_speed(tmp_path) is None
    write(ours, here.default_output(tmp_path, quick=True))
    assert here.known_speed(tmp_path).source.endswith("throughput-quick.json")
    write(ours, here.default_output(tmp_path, quick=False))
    found = here.known_speed(tmp_path)
    assert found.source == f"this machine's throughput record of 2026-11-23, {tmp_path / 'throughput.json'}"
    assert found.rows_per_second["scoring-network"] == pytest.approx(12_000 * 100 / 3600)


def test_a_record_of_another_machine_or_a_broken_one_is_none_of_this(ours, tmp_path):
    other = ours.machine.model_copy(update={"identity": "f" * 16})
    write(ours.model_copy(update={"machine": other}), tmp_path / here.FULL)
    assert here.known_speed(tmp_path) is None
    (tmp_path / here.FULL).write_text("{")
    assert here.known_speed(tmp_path) is None


def test_marks_of_a_record_are_said_in_the_plan(ours, tmp_path):
    write(
        ours.model_copy(update={"marks": ("busy: others used 30 % of the processor meanwhile",)}), tmp_path / here.FULL
    )
    assert here.known_speed(tmp_path).source.endswith("(busy: others used 30 % of the processor meanwhile)")


def test_a_plan_by_a_record_by_hand():
    """600 training rows in 2 folds of 400 and 400; 20 trials a family; twice the record's multiplications."""
    space = {"hidden": [[8, 8]], "epochs": 3, "lr": {"low": 1.0e-4, "high": 1.0e-2, "log": True}}
    checked = preflight(spec(families={"scoring-network": {"space": space}}, search={"scheduler": "none"}))
    from distml.data.arrays import prepare_folds
    from distml.data.variant import Variant

    folds = prepare_folds(checked.dataset, Variant(), checked.spec.seed)
    features = folds[0].x_train.shape[1]
    rows = sum(len(fold.x_train) for fold in folds)
    multiplications = features * 8 + 8 * 8 + 8
    speed = Speed({"scoring-network": 1000.0}, multiplications // 2, features, "the record")
    made = make_plan(checked, Cluster((Node("here", cpus=2),)), speed=speed)
    assert made.seconds == pytest.approx(20 * rows * 3 * 2 / 1000.0, rel=0.01)
    assert made.basis == "from the record, scaled by rows, epochs or trees, and the size of the model"


def test_families_that_the_record_does_not_have_are_guessed_and_said():
    checked = preflight(spec(families=["random-forest", "naive-bayes"]))
    made = make_plan(
        checked, Cluster((Node("here", cpus=2),)), speed=Speed({"random-forest": 1e6}, 5696, 24, "the record")
    )
    assert made.basis.endswith("; naive-bayes: a guess from one small trial on 2,000 rows")
    assert make_plan(checked, Cluster((Node("here", cpus=2),))).basis.startswith("a guess from one small trial of each")


def test_links_of_the_default_place():
    assert here.default_output(Path("runs"), quick=False) == Path("runs/throughput.json")
