"""What a container or a job leaves of a machine, on made-up control groups."""

import os

import psutil
import pytest

from distml.hardware.processors import usable_cores, usable_memory


@pytest.fixture
def job(tmp_path):
    """Limits of a job and of the step in it, like Slurm's; (where the groups lie, which one is the process's)."""

    def limited(**files):
        step = tmp_path / "job_1" / "step_0"
        step.mkdir(parents=True)
        for name, (of_job, of_step) in files.items():
            (step.parent / name.replace("_", ".")).write_text(f"{of_job}\n")
            (step / name.replace("_", ".")).write_text(f"{of_step}\n")
        own = tmp_path / "own"
        own.write_text("4:memory:/elsewhere\n0::/job_1/step_0\n")
        return tmp_path, own

    return limited


def test_the_tightest_limit_holds(job, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    groups = job(cpu_max=("350000 100000", "max 100000"), memory_max=(2**30, "max"))
    assert usable_cores(*groups) == 3
    assert usable_memory(*groups) == min(2**30, psutil.virtual_memory().total)


def test_less_than_a_core_is_one_and_no_limit_is_none(job, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5}, raising=False)
    assert usable_cores(*job(cpu_max=("max 100000", "50000 100000"))) == 1
    nothing = tmp_path / "nothing", tmp_path / "nowhere"
    assert usable_cores(*nothing) == 2
    assert usable_memory(*nothing) == psutil.virtual_memory().total
