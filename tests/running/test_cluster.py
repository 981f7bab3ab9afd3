"""A real Ray of several nodes on this machine, with cards that are not there: the cluster of cluster/local/mixed.py."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import ray
import yaml

from distml.sweep.journal import read
from tests.running.command import GERMAN, ROOT
from tests.running.test_stopping import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

CARDS = {"GPU-3090-0", "GPU-3090-1"}
SLICES = {f"MIG-a100-{number}" for number in range(4)}


@dataclass(frozen=True)
class Running:
    """The mixed cluster, while it runs."""

    folder: Path
    address: str
    dashboard: str
    environment: dict[str, str]

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [Path(sys.executable).with_name("distml"), *arguments], cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def distml(self, *arguments: str, expect: int = 0) -> str:
        """What the command says; its exit status must be as expected."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=180)
        assert process.returncode == expect, f"{out}\n{err}"
        return out + err

    def sweep_file(self, name: str, families: dict[str, object], trials: int, seconds: float = 1.0) -> Path:
        """Families of the Diary: name -> what a cohort asks of a GPU."""
        space = {"strength": {"low": 0.0, "high": 1.0}, "seconds": seconds}
        content = {
            "name": name, "seed": 3, "split": {"folds": 1}, "budget": {"trials": trials},
            "data": {"source": str(GERMAN), "target": "creditability", "positive": "bad"},
            "search": {"algorithm": "random", "scheduler": "none"},
            "export": False,  # it trains members again, in this process
            "families": {
                family: {"class": "tests.running.models:Diary", "space": space, "resources": {"gpu": gpu}}
                for family, gpu in families.items()
            },
        }  # fmt: skip
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(content))))
        return path

    @property
    def runs(self) -> str:
        return str(self.folder / "runs")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="dm-", dir="/tmp"))  # short: Ray's sockets lie below it
    port, dashboard = free_port(), free_port()
    foreign = ("RAY_", "CUDA_", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "HOME": str(folder), "RAY_TMPDIR": str(folder), "DISTML_TEST_DIARY": str(folder / "diary.txt"),
        "COLUMNS": "150",
    }  # fmt: skip
    script = [sys.executable, str(ROOT / "cluster" / "local" / "mixed.py")]
    before = set(psutil.pids())
    try:
        subprocess.run(
            [*script, "start", f"--port={port}", f"--dashboard-port={dashboard}", f"--folder={folder / 'nvml'}"],
            cwd=ROOT, env=environment, check=True, timeout=240,
        )  # fmt: skip
        yield Running(folder, f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", environment)
    finally:
        subprocess.run([*script, "stop"], cwd=ROOT, env=environment, check=True, timeout=200)
        left = [process for process in psutil.process_iter(["cmdline"]) if process.pid not in before
                and str(folder) in " ".join(process.info["cmdline"] or [])]  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        assert not left


def test_a_sweep_uses_all_of_it_and_no_device_is_held_beyond_what_it_has(cluster: Running) -> None:
    asked = {"half": 0.5, "nine": "9GiB", "large": "20GiB", "slice": "mig:any", "plain": "none"}
    file = cluster.sweep_file("mixed", asked, trials=70)
    process = cluster.begin("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs)
    waiting = cluster.folder / "runs" / "mixed" / "waiting.json"

    reason = r"needs 20\.0 GiB on one device; the best free is \d+\.\d GiB on ws-3090 rtx-3090 [01]"

    def large_waits() -> bool:
        assert process.poll() is None, process.communicate()
        if not waiting.exists() or "large" not in json.loads(waiting.read_text()):
            return False
        status = json.loads(cluster.distml("status", "mixed", "--runs", cluster.runs, "--format", "json"))
        return re.fullmatch(reason, status["families_waiting"].get("large", "")) is not None

    wait_for(large_waits, seconds=120)  # until somebody has a part of each of the two cards that are large enough
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "holdout" in out

    slots = {event["cohort"]: event["slot"] for event in read(cluster.folder / "runs" / "mixed" / "journal.jsonl")
             if event["event"] == "cohort" and " on " in event.get("slot", "")}  # fmt: skip
    assert {slot.split(" on ")[1].split()[0] for slot in slots.values()} == {"head", "ws-3090", "a100", "cpu"}
    board = json.loads(cluster.distml("leaderboard", "mixed", "--runs", cluster.runs, "--format", "json"))
    trials = {str(row["params"]["strength"]): row for row in board}
    changes, used, seen = [], Counter(), set()
    for line in (cluster.folder / "diary.txt").read_text().splitlines():
        _, _, strength, began, ended, *sees = line.split()
        row = trials[strength]
        if strength in seen:  # the winner, on all training rows, when nothing else trains any more
            assert row["trial"] == board[0]["trial"]
            continue
        seen.add(strength)
        if row["family"] == "plain":
            assert sees == []  # CUDA_VISIBLE_DEVICES is there and empty
            continue
        (uuid,) = sees
        slot = slots[row["cohort"]]
        share = float(slot.split(" of ")[0]) if " of " in slot else 1.0
        assert slot.endswith(f" {uuid}")
        assert uuid in (SLICES if row["family"] == "slice" else CARDS | SLICES)
        assert row["family"] != "large" or (uuid in CARDS and share == 1)
        assert row["family"] != "nine" or uuid not in ("MIG-a100-2", "MIG-a100-3")  # 4.8 GiB hold no 9
        used[uuid] += 1
        changes += [(float(began), share, uuid), (float(ended), -share, uuid)]
    assert set(used) == CARDS | SLICES
    held: Counter[str] = Counter()
    for _, share, uuid in sorted(changes):
        held[uuid] += share
        assert held[uuid] <= 1 + 1e-6


def test_the_plan_counts_what_each_class_of_device_holds(cluster: Running) -> None:
    guide = (ROOT / "cluster" / "local" / "README.md").read_text()
    (command,) = [line for line in guide.splitlines() if line.startswith("distml plan ")]
    words = command.replace("127.0.0.1:6379", cluster.address).split()
    shown = cluster.distml(*words[1:], "--runs", cluster.runs)
    assert "2 x rtx-3090: 4 at once; 2 on each: memory (9.0 of 24.0 GiB)" in shown
    assert "2 x 1g.5gb: none; needs 9.0 GiB; 1g.5gb has 4.8 GiB" in shown


def test_what_no_node_has_is_refused_before_anything_trains(cluster: Running) -> None:
    file = cluster.sweep_file("wrong", {"a": "mig:9g.99gb", "b": "60GiB"}, trials=4)
    said = cluster.distml("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs, expect=2)
    assert "families.a.resources.gpu  no slice here is '9g.99gb'; there are mig:1g.5gb, mig:2g.10gb" in said
    assert "families.b.resources.gpu  '60GiB' is more than any device has (rtx-3090 24.0 GiB" in said


def test_devices_of_all_machines(cluster: Running) -> None:
    nodes = json.loads(cluster.distml("devices", "--address", cluster.address, "--format", "json"))
    assert {node["node"]: len(node["devices"]) for node in nodes} == {"a100": 5, "cpu": 0, "head": 0, "ws-3090": 2}


def test_the_doctor_looks_at_all_machines(cluster: Running) -> None:
    arguments = ("doctor", "--address", cluster.address, "--runs", cluster.runs, "--format", "json")
    findings = json.loads(cluster.distml(*arguments))
    assert {finding["verdict"] for finding in findings} == {"good"}
    subjects = {finding["subject"] for finding in findings}
    machines = ("a100", "cpu", "head", "ws-3090")
    assert {f"{name} {what}" for name in machines for what in ("versions", "storage", "clock")} <= subjects
    assert any("MIG: 3g.20gb, 2g.10gb, 1g.5gb, 1g.5gb" in finding["found"] for finding in findings)


def test_a_node_that_runs_is_not_started_twice(cluster: Running) -> None:
    said = cluster.distml("node", "start", "--address", cluster.address, "--name", "cpu", expect=2)
    assert "cpu runs already" in said and "distml node stop --name cpu" in said


def test_a_sweep_can_be_handed_to_the_cluster_as_a_job(cluster: Running) -> None:
    file = cluster.sweep_file("job", {"half": 0.5}, trials=2, seconds=0.1)
    program = Path(sys.executable).parent
    submit = [program / "ray", "job", "submit", "--address", cluster.dashboard, "--"]
    done = subprocess.run(
        [*submit, str(program / "distml"), "sweep", str(file), "--runs", cluster.runs],
        cwd=ROOT, env={**cluster.environment, "RAY_AUTH_MODE": "token"}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    board = json.loads(cluster.distml("leaderboard", "job", "--runs", cluster.runs, "--format", "json"))
    assert Counter(row["state"] for row in board) == {"finished": 2}


def test_another_version_is_refused_by_a_sweep_and_by_a_node_before_anything_trains(cluster: Running) -> None:
    other = cluster.folder / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import ray\nray.__version__ = '2.59.1'\n")  # as if that were installed
    environment = {**cluster.environment, "PYTHONPATH": f"{other}:{os.environ.get('PYTHONPATH', '')}"}
    elsewhere = replace(cluster, environment=environment)
    file = cluster.sweep_file("version", {"plain": "none"}, trials=2)
    said = elsewhere.distml("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs, expect=2)
    assert f"Ray at {cluster.address}: the cluster has Ray {ray.__version__} and Python " in said
    assert "this machine Ray 2.59.1 and Python" in said and "install the same on both" in said
    assert not (cluster.folder / "runs" / "version" / "journal.jsonl").read_text()
    said = elsewhere.distml("node", "start", "--address", cluster.address, "--name", "old", "--cpus", "1", expect=2)
    assert "Ray did not start for cpu-only: the cluster has Ray" in said and "Ray 2.59.1" in said


def test_mig_that_was_changed_is_said_before_anything_trains(cluster: Running) -> None:
    file = cluster.sweep_file("changed", {"slice": "mig:any"}, trials=2)
    machine = cluster.folder / "nvml" / "a100.txt"
    before = machine.read_text()
    machine.write_text(before.replace("uuid MIG-a100-2\n", "uuid MIG-a100-new\n"))
    try:
        said = cluster.distml("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs, expect=2)
    finally:
        machine.write_text(before)
    assert "a100 has no longer MIG-a100-2 (1g.5gb): was MIG changed since its node was started?" in said
    assert not (cluster.folder / "runs" / "changed" / "journal.jsonl").read_text()


def test_storage_that_is_not_shared_is_said_before_anything_trains(cluster: Running) -> None:
    file = cluster.sweep_file("private", {"slice": "mig:any"}, trials=2)
    (cluster.folder / "runs").mkdir(exist_ok=True)
    private = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', cluster.runs]
    if subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here: a machine without the shared folder could not be made")
    distml = str(Path(sys.executable).with_name("distml"))
    node = [distml, "node", "start", "--address", cluster.address, "--name", "alone", "--cpus", "1"]
    subprocess.run([*private, *node], cwd=ROOT, env=cluster.environment, check=True, timeout=120)
    try:
        said = cluster.distml("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs, expect=2)
    finally:
        cluster.distml("node", "stop", "--name", "alone")
    assert "runs/private is not the same folder on alone: choose one that all machines share" in said
    assert not (cluster.folder / "runs" / "private" / "journal.jsonl").read_text()


def test_the_tour_shows_all_there_is_to_see_of_a_sweep(cluster: Running) -> None:
    tour = [sys.executable, str(ROOT / "cluster" / "local" / "mixed.py"), "tour", f"--folder={cluster.folder / 'tour'}"]
    (cluster.folder / "tour").mkdir()
    ports = [f"--port={cluster.address.split(':')[1]}", f"--dashboard-port={cluster.dashboard.split(':')[2]}"]
    done = subprocess.run(
        [*tour, *ports], cwd=ROOT, env=cluster.environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("$ distml ")] == [
        "devices", "plan", "status", "top", "stop",
    ]  # fmt: skip
    assert "7 nodes alive" in shown and "holdout (200 rows, touched once)" in shown
    top = shown[shown.index("$ distml top") :]
    assert {line.split()[0] for line in top.splitlines()[2:] if re.match(r"(a100|cpu|head|ws-3090)  ", line)} == {
        "a100", "cpu", "head", "ws-3090",
    }  # fmt: skip
    if shutil.which("prometheus"):
        for figure in ("score", "gpu_seconds", "energy_joules"):
            asked = shown[shown.index(f"ray_distml_trial_{figure}") :].splitlines()[1:3]
            assert all(re.match(r"  t\d{4} +[a-z-]+ +\d+\.\d{4}$", line) for line in asked), asked


def test_a_sweep_outlives_a_node(cluster: Running) -> None:
    file = cluster.sweep_file("outlives", {"half": 0.5, "plain": "none"}, trials=16)
    process = cluster.begin("sweep", str(file), "--address", cluster.address, "--runs", cluster.runs)
    journal = cluster.folder / "runs" / "outlives" / "journal.jsonl"
    wait_for(lambda: journal.exists() and journal.read_text().count('"event":"ended"') >= 3, seconds=120)
    assert "ended: rtx-3090, cpu-only" in cluster.distml("node", "stop", "--name", "ws-3090")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    board = json.loads(cluster.distml("leaderboard", "outlives", "--runs", cluster.runs, "--format", "json"))
    assert Counter(row["state"] for row in board) == {"finished": 16}
