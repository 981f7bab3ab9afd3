"""Who else used the machine, and what it costs."""

import pytest

from distml.bench.conditions import Stretch, cpu_times, marks, running_sweeps
from distml.bench.machine import throttle_count
from distml.bench.site import Site, read_site
from distml.errors import DistmlError, MistakesError
from tests.bench.records import record
from tests.report.sweeps import write_sweep
from tests.test_cli import distml

MACHINE = record().machine


def test_a_quiet_machine_has_no_marks():
    assert marks(MACHINE, None, [Stretch(100.0, 4.0, 1.0)], [], 0, []) == []
    assert marks(MACHINE, None, [], [], None, []) == []


def test_everything_that_disturbs_is_a_mark():
    battery = MACHINE.model_copy(update={"on_battery": True})
    found = marks(battery, None, [Stretch(60.0, 20.0, 5.0), Stretch(40.0, 10.0, 0.0)], ["power brake"], 1, ["night"])
    assert found == [
        "a sweep ran at the same time: night",
        "busy: others used 30 % of the processor meanwhile",
        "the host of this virtual machine took 5 % of its processor",
        "the card's clocks were held back: power brake",
        "the processor slowed down for its heat 1 time",
        "on battery",
    ]


def test_the_processors_time_goes_on():
    before = cpu_times()
    assert sum(number * number for number in range(400_000)) > 0
    after = cpu_times()
    assert after.busy >= before.busy > 0 and after.stolen >= before.stolen >= 0


def test_throttling_is_counted_over_all_cores(tmp_path):
    assert throttle_count(tmp_path) is None
    for core, count in ((0, 3), (1, 4)):
        folder = tmp_path / f"cpu{core}" / "thermal_throttle"
        folder.mkdir(parents=True)
        (folder / "core_throttle_count").write_text(f"{count}\n")
    assert throttle_count(tmp_path) == 7


def test_a_bench_is_refused_while_a_sweep_runs_here(tmp_path):
    folder = write_sweep(tmp_path)
    assert running_sweeps(tmp_path) == []
    with folder.writer():
        assert running_sweeps(tmp_path) == ["credit"]
        said = distml("bench", "--quick", "--runs", tmp_path)
        assert said.returncode == 2
        assert "credit trains on this machine" in said.stderr and "--anyway" in said.stderr


class TestSite:
    def write(self, folder, text):
        file = folder / "site.yaml"
        file.write_text(text)
        return file

    def test_prices_are_found_by_any_of_a_devices_names(self, tmp_path):
        site = read_site(self.write(tmp_path, "currency: EUR\nper_hour: {RTX-3090: 0.25, cpu: 0.04}\n"))
        assert site.price(["NVIDIA GeForce RTX 3090", "rtx-3090"]).per_hour == 0.25
        assert site.price(["cpu"]).currency == "EUR"
        assert site.price(["a100"]) is None and site.no_price == "site.yaml has none for this device"

    def test_without_a_file_there_are_no_prices(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert read_site(None) == Site()
        self.write(tmp_path, "currency: EUR\nper_hour: {cpu: 0.04}\n")
        assert read_site(None).price(["cpu"]).per_hour == 0.04

    def test_all_mistakes_are_told_at_once(self, tmp_path):
        file = self.write(tmp_path, "prize: 1\nper_hour: {cpu: -1, rtx-3090: '0.25', a100: true}\n")
        with pytest.raises(MistakesError) as error:
            read_site(file)
        wheres = [one.where for one in error.value.mistakes]
        assert wheres == ["prize", "currency", "per_hour.cpu", "per_hour.rtx-3090", "per_hour.a100"]
        assert "write it without quotes" in str(error.value)

    def test_a_file_that_is_not_there_is_said(self, tmp_path):
        with pytest.raises(DistmlError, match="there is no file"):
            read_site(tmp_path / "site.yaml")
