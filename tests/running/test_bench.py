"""The real `distml bench`, interrupted like a person does it: the whole group of processes gets the signal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from distml.bench.record import read_measured

pytestmark = pytest.mark.long


def test_ctrl_c_keeps_what_was_measured_and_leaves_nothing_behind(tmp_path):
    record = tmp_path / "record.json"
    command = [Path(sys.executable).with_name("distml"), "bench", "--quick", "--device", "cpu", "--output", record]
    process = subprocess.Popen(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    latest = time.monotonic() + 120
    workers: list[psutil.Process] = []
    while len(workers) < 3 and time.monotonic() < latest:  # the server, the tracker and a process that trains
        time.sleep(0.2)
        workers = psutil.Process(process.pid).children(recursive=True)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    said, complaints = process.communicate(timeout=60)
    assert process.returncode == 130, complaints
    assert "interrupted; what had been measured is in the record" in complaints
    assert "Traceback" not in complaints
    found = read_measured(record)
    assert not found.made.complete and "interrupted: not every arm has all its repeats" in found.marks
    assert any(arm.state == "not run" for arm in found.arms) or all(len(arm.repeats) < 5 for arm in found.arms)
    assert found.made.command == "distml bench --quick --device cpu --output record.json"
    assert "scoring network" in said
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
