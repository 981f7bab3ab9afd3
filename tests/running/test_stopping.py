"""Ends that nobody planned: Ctrl-C, a full budget, a request, a second driver, kill -9."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.running.command import diary, diary_family, distml, rows, scores, start, sweep_file


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def ended(folder: Path) -> int:
    journal = folder / "runs" / "quick" / "journal.jsonl"
    return journal.read_text().count('"event":"ended"') if journal.exists() else 0


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[psutil.Process]:
    process = start(folder, *arguments)
    try:
        yield psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def slow_sweep(folder: Path, trials: int = 12) -> Path:
    return sweep_file(folder, families=diary_family(seconds=0.3), split={"folds": 1}, budget={"trials": trials})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    distml(folder, "sweep", str(slow_sweep(folder)))
    return scores(folder)


def test_ctrl_c_ends_in_order_and_the_same_command_goes_on(tmp_path: Path, undisturbed: dict[str, float]) -> None:
    file = slow_sweep(tmp_path)
    with running(tmp_path, "sweep", str(file)) as driver:
        wait_for(lambda: ended(tmp_path) >= 3)
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to every process of the group
        assert driver.wait(timeout=30) == 130
    before = scores(tmp_path)
    assert json.loads(distml(tmp_path, "show", "quick", "--format", "json").stdout)["winner"] is None
    distml(tmp_path, "sweep", str(file))
    assert scores(tmp_path) == undisturbed
    finished = {trial for trial, score in before.items() if score is not None}
    fits = [line.split()[1] for line in diary(tmp_path)]
    assert len(finished) >= 3
    assert max(map(fits.count, fits)) <= 2 + 1  # folds are one; a trial under way runs again, the winner once more


def test_a_request_to_stop_lets_running_trials_finish(tmp_path: Path) -> None:
    file = slow_sweep(tmp_path, trials=200)
    with running(tmp_path, "sweep", str(file)) as driver:
        wait_for(lambda: ended(tmp_path) >= 2)
        assert "running" in distml(tmp_path, "status", "quick").stdout
        distml(tmp_path, "stop", "quick")
        assert driver.wait(timeout=40) == 0
    states = {row["state"] for row in rows(tmp_path)}
    assert states <= {"finished", "pending"} and "finished" in states


def test_minutes_end_a_sweep(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, families=diary_family(seconds=0.2), split={"folds": 1}, budget={"minutes": 0.2})
    distml(tmp_path, "sweep", str(file))
    assert sum(row["state"] == "finished" for row in rows(tmp_path)) >= 1


def test_when_the_time_is_up_a_long_trial_is_cut_off_and_the_winner_still_scored(tmp_path: Path) -> None:
    families = {**diary_family(), "slow": diary_family(seconds=60)["diary"]}
    file = sweep_file(tmp_path, families=families, split={"folds": 1}, budget={"minutes": 0.1})
    shown = distml(tmp_path, "sweep", str(file)).stdout
    assert "holdout" in shown
    assert json.loads(distml(tmp_path, "show", "quick", "--format", "json").stdout)["winner"] is not None


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    file = slow_sweep(tmp_path, trials=100)
    with running(tmp_path, "sweep", str(file)):
        wait_for(lambda: ended(tmp_path) >= 1)
        said = distml(tmp_path, "sweep", str(file), expect=2).stderr
        assert "is being run by" in said


@pytest.mark.long
@pytest.mark.parametrize("at", [1, 5, 9])
def test_kill_9_of_the_driver_loses_nothing(tmp_path: Path, undisturbed: dict[str, float], at: int) -> None:
    file = slow_sweep(tmp_path)
    with running(tmp_path, "sweep", str(file)) as driver:
        wait_for(lambda: ended(tmp_path) >= at)
        children = driver.children(recursive=True)
        driver.kill()
        driver.wait(timeout=10)
        # Two agents of Ray's wait a minute for a control store that is gone; they train nothing and then end, too.
        wait_for(lambda: names(children) <= {"ray::DashboardAgent", "ray::RuntimeEnvAgent"})
    before = diary(tmp_path)
    kept = {row["trial"] for row in rows(tmp_path) if row["state"] == "finished"}
    assert len(kept) >= at
    distml(tmp_path, "sweep", str(file))
    assert scores(tmp_path) == undisturbed
    assert len(diary(tmp_path)) - len(before) == len(undisturbed) - len(kept) + 1  # and the winner, for the holdout


def names(processes: Iterable[psutil.Process]) -> set[str]:
    """Of those that still run."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {process.name()} if process.status() != psutil.STATUS_ZOMBIE else set()
    return found


@pytest.mark.long
def test_kill_9_of_a_worker_loses_nothing(tmp_path: Path, undisturbed: dict[str, float]) -> None:
    process = start(tmp_path, "sweep", str(slow_sweep(tmp_path)))
    driver = psutil.Process(process.pid)
    try:
        for at in (1, 5, 8):
            wait_for(lambda at=at: ended(tmp_path) >= at)
            wait_for(lambda: any(map(_trains, driver.children(recursive=True))))
            next(filter(_trains, driver.children(recursive=True))).kill()
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, err
    assert scores(tmp_path) == undisturbed
    assert out.count(" died (") == 3
    assert err == "", "Ray's own words"


def _trains(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()[0].startswith("diary x1, rung")
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 130 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=130m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"this user cannot mount a small disk: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.long
def test_a_full_disk_pauses_the_sweep(small_disk: Path, undisturbed: dict[str, float]) -> None:
    trials = 40  # more than can end in the room that is left in the journal's last block
    process = start(small_disk, "sweep", str(slow_sweep(small_disk, trials)))
    try:
        wait_for(lambda: ended(small_disk) >= 3)
        _fill(small_disk / "ballast")
        assert process.stdout is not None
        shown = list(_until("paused", process.stdout))
        assert "free some space" in shown[-1]
        then = ended(small_disk)
        time.sleep(4)  # in which a dozen more would end; Ray's own files give a little room back at times
        assert process.poll() is None and ended(small_disk) <= then + 3 < trials
        (small_disk / "ballast").unlink()
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, err
    found = scores(small_disk)
    assert len(found) == trials and None not in found.values()
    assert {trial: found[trial] for trial in undisturbed} == undisturbed


def _fill(file: Path) -> None:
    """Take all the room of a file's disk."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as opened:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):
                while opened.write(b"0" * size) == size:
                    pass


def _until(word: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if word in line:
            return
    pytest.fail(f"no line says {word!r}")


@pytest.mark.long
def test_ray_listens_on_loopback_alone(tmp_path: Path) -> None:
    with running(tmp_path, "sweep", str(slow_sweep(tmp_path, trials=100))) as driver:
        wait_for(lambda: ended(tmp_path) >= 1)
        addresses = {
            connection.laddr.ip
            for process in driver.children(recursive=True)
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
