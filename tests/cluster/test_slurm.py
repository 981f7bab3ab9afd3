"""The batch script, run with stand-ins for Slurm's commands and distml's: what it would do on each node."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "cluster" / "slurm" / "sweep.sbatch"
STANDIN = HERE / "standin"  # scontrol, srun, and distml in bin/


def start(folder: Path, *arguments: str, nodes: str = "gpu01 gpu02 gpu03", **settings: str) -> subprocess.Popen[str]:
    """The script as Slurm starts it: on the first node, with the job's variables."""
    environment = {
        "PATH": f"{STANDIN}:{os.environ['PATH']}", "HOME": str(folder), "VENV": str(STANDIN), "NODES": nodes,
        "DIARY": str(folder / "diary"), "SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "gpu[01-03]",
        "SLURMD_NODENAME": nodes.split()[0], "NETWORK": "10.1.", **settings,
    }  # fmt: skip
    return subprocess.Popen(
        ["bash", str(SCRIPT), *arguments], cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(job: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit status, what it complained of); nothing it started may be left."""
    try:
        _, complaint = job.communicate(timeout=30)
    finally:
        listed = subprocess.run(["ps", "-o", "stat=,args=", "-s", str(job.pid)], capture_output=True, text=True)
        left = [line for line in listed.stdout.splitlines() if not line.startswith("Z")]
        if left:
            os.killpg(job.pid, signal.SIGKILL)
    assert not left
    return job.returncode, complaint


def diary(folder: Path) -> list[str]:
    return (folder / "diary").read_text().splitlines()


def wait_for(folder: Path, line: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (folder / "diary").exists() and line in diary(folder):
            return
        time.sleep(0.05)
    raise AssertionError(f"{line!r} never came: {diary(folder)}")


def test_bash_reads_it() -> None:
    subprocess.run(["bash", "-n", SCRIPT], check=True)


def test_each_node_gets_its_commands_in_order(tmp_path: Path) -> None:
    code, complaint = end(start(tmp_path, "credit.yaml", "--runs", "/shared/runs"))
    assert code == 0, complaint
    lines = diary(tmp_path)
    workers = slice(1, 3)  # which of the two is first is nobody's business
    lines[workers] = sorted(lines[workers])
    assert "\n".join(lines) + "\n" == (HERE / "slurm.golden").read_text()
    assert not list(tmp_path.glob(".distml-*"))


def test_one_node_needs_no_workers(tmp_path: Path) -> None:
    assert end(start(tmp_path, "credit.yaml", nodes="gpu01"))[0] == 0
    assert diary(tmp_path) == [
        "gpu01: distml node start --head --host 10.1.0.1",
        "gpu01: distml sweep credit.yaml --address auto",
        "gpu01: distml node stop",
    ]


@pytest.mark.parametrize("code", [1, 2, 130])
def test_the_job_ends_as_the_sweep_did(tmp_path: Path, code: int) -> None:
    assert end(start(tmp_path, "credit.yaml", SWEEP_ENDS=f"exit {code}"))[0] == code
    assert diary(tmp_path)[-1] == "gpu01: distml node stop"


def test_before_the_time_is_up_the_sweep_ends_in_order(tmp_path: Path) -> None:
    ending = "sleep 0.3; echo 'gpu01: sweep ends in order' >>$DIARY; kill $!; exit 130"
    orderly = f'trap "{ending}" TERM; sleep 60 & wait'.replace("$!", r"\$!")
    job = start(tmp_path, "credit.yaml", SWEEP_ENDS=orderly)
    wait_for(tmp_path, "gpu01: distml sweep credit.yaml --address auto")
    time.sleep(0.2)  # for the stand-in to set its trap
    job.send_signal(signal.SIGTERM)
    assert end(job)[0] == 130
    assert diary(tmp_path)[-2:] == ["gpu01: sweep ends in order", "gpu01: distml node stop"]


def test_a_node_that_does_not_join_ends_the_job_before_anything_trains(tmp_path: Path) -> None:
    code, complaint = end(start(tmp_path, "credit.yaml", BROKEN="gpu03", PATIENCE="2"))
    assert code == 1
    assert "gpu03 did not join 10.1.0.1:6379" in complaint
    assert not [line for line in diary(tmp_path) if "distml sweep" in line]
    assert diary(tmp_path)[-1] == "gpu01: distml node stop"


def test_without_a_sweep_file_it_says_what_to_type(tmp_path: Path) -> None:
    code, complaint = end(start(tmp_path))
    assert code == 2
    assert "FILE [options of distml sweep]" in complaint
