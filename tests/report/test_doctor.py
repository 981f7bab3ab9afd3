"""What the doctor finds on machines good and bad."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from distml.hardware.devices import Device, Inventory
from distml.report import doctor
from distml.report.doctor import Finding

GIB = 2**30


def said(findings):
    return [line.plain for line in doctor.findings_lines(findings)]


def test_this_environment_has_what_distml_needs():
    assert {finding.verdict for finding in doctor.check_versions()} == {"good"}


def test_a_package_outside_its_range_or_missing_is_to_mend():
    def installed(name):
        if name == "optuna":
            raise metadata.PackageNotFoundError
        return "2.59.1"

    wanted = ["ray[tune]<2.61,>=2.60", "optuna>=4", 'pytest>=8; extra == "dev"']
    findings = {finding.subject: finding for finding in doctor.check_versions(installed, wanted)}
    assert set(findings) == {"distml", "python", "ray", "optuna"}
    assert findings["ray"] == Finding("ray", "mend", "2.59.1, outside <2.61,>=2.60", 'pip install "ray<2.61,>=2.60"')
    assert findings["optuna"] == Finding("optuna", "mend", "not installed", 'pip install "optuna>=4"')


def test_an_old_python_is_to_mend():
    python = doctor.check_versions(python="3.10.4")[1]
    assert (python.subject, python.verdict) == ("python", "mend")


def test_little_memory_is_to_mind():
    assert doctor.check_processors(2, 8 * GIB) == Finding("processor", "good", "2 cores, 8.0 GiB of memory free")
    assert doctor.check_processors(1, GIB).verdict == "mind"


def test_no_gpu_is_good_and_a_driver_that_fails_is_not():
    assert doctor.check_devices(Inventory(reason="no NVML: a CPU node")) == [
        Finding("gpu", "good", "no NVML: a CPU node")
    ]
    failing = Inventory(reason="NVML does not start: x", faults=("NVML does not start: x",))
    assert doctor.check_devices(failing)[0].verdict == "mend"


def test_cards_are_told_with_their_slices_and_what_is_wrong_with_them():
    workstation = Device(0, "GPU-0", "NVIDIA GeForce RTX 3090", 24576, 82, "570.86")
    cut = Device(1, "GPU-1", "NVIDIA A100-SXM4-40GB", 40960, 108, "570.86", mig_mode="enabled")
    piece = Device(0, "MIG-0", f"{cut.name} MIG 3g.20gb", 19968, 42, "570.86", profile="3g.20gb", parent="GPU-1")
    found = doctor.check_devices(Inventory((workstation, cut, piece), faults=("gpu2: the GPU fell off the bus",)))
    assert [(one.subject, one.verdict, one.found) for one in found] == [
        ("gpu0", "good", "NVIDIA GeForce RTX 3090, 24.0 GiB, driver 570.86"),
        ("gpu1", "good", "NVIDIA A100-SXM4-40GB, 40.0 GiB, driver 570.86, MIG: 3g.20gb"),
        ("gpu", "mend", "gpu2: the GPU fell off the bus"),
    ]
    bare = doctor.check_devices(Inventory((cut,)))[0]
    assert (bare.verdict, bare.found.endswith("MIG without a slice")) == ("mend", True)


def test_a_runs_folder_that_is_a_file_or_full_is_told(tmp_path, monkeypatch):
    assert doctor.check_runs_folder(tmp_path / "runs" / "deep").verdict == "good"
    file = tmp_path / "file"
    file.write_text("")
    assert doctor.check_runs_folder(file).verdict == "mend"
    assert doctor.check_runs_folder(file / "runs").found == f"{file} is a file"
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(free=GIB))
    assert doctor.check_runs_folder(tmp_path).verdict == "mind"


def test_a_read_only_runs_folder_is_to_mend(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # a superuser may write anywhere, so permissions would not do
    assert doctor.check_runs_folder(tmp_path / "runs").found == f"{tmp_path} cannot be written"


def test_small_shared_memory_is_to_mind(tmp_path, monkeypatch):
    assert doctor.check_shared_memory(tmp_path / "none").verdict == "mind"
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(total=GIB // 16))
    assert doctor.check_shared_memory(tmp_path) == Finding(
        str(tmp_path), "mind", "0.06 GiB", "start the container with --shm-size=4g or more"
    )


@pytest.mark.parametrize(
    ("program", "verdict", "found"),
    [
        ("print('chatter'); print('local Ray, 2 CPUs, no GPU')", "good", "local Ray, 2 CPUs, no GPU"),
        ("raise OSError('no port left')", "mend", "OSError: no port left"),
        ("import sys; sys.exit(3)", "mend", "it said nothing"),
    ],
)
def test_the_start_of_ray_is_judged_by_a_process_of_its_own(program, verdict, found):
    finding = doctor.check_ray([sys.executable, "-c", program])
    assert (finding.verdict, finding.found) == (verdict, found)


def test_a_ray_that_hangs_is_given_up_and_its_process_is_gone():
    finding = doctor.check_ray([sys.executable, "-c", "import time; time.sleep(61.25)"], seconds=1)
    assert (finding.verdict, finding.found) == ("mend", "not up after 1 s")
    assert not [child for child in psutil.Process().children() if "61.25" in " ".join(child.cmdline())]


def test_advice_stands_under_its_finding_and_a_sum_at_the_end():
    findings = [Finding("ray", "mend", "not installed", 'pip install "ray"'), Finding("gpu", "good", "a CPU node")]
    assert said(findings) == [
        "mend   ray   not installed",
        '             pip install "ray"',
        "good   gpu   a CPU node",
        "",
        "1 thing to mend",
    ]
    assert said(findings[1:])[-1] == "fit for sweeps"


def test_the_command_starts_ray_and_finds_this_machine_fit(tmp_path):
    distml = Path(sys.executable).with_name("distml")
    command = [distml, "doctor", "--runs", tmp_path, "--format", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    findings = {finding["subject"]: finding for finding in json.loads(answer.stdout)}
    assert findings["start of Ray"]["verdict"] == "good"
    assert "local Ray" in findings["start of Ray"]["found"]
    assert answer.returncode == any(finding["verdict"] == "mend" for finding in findings.values())


class _Usage:
    """What shutil.disk_usage gives, in bytes."""

    def __init__(self, total=100 * GIB, free=100 * GIB):
        self.total, self.free = total, free
