import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from distml.sweep.guard import Guard, SweepHeldError, driver_of

DRIVER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from distml.sweep.guard import Guard, SweepHeldError
    try:
        with Guard(Path(sys.argv[1]), heartbeat=0.1, silence=10.0):
            print("held", flush=True)
            sys.stdin.read()
    except SweepHeldError as error:
        print(error, flush=True)
""")


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def file_of_another_machine(folder: Path, number: int = 1, **changes: object) -> Path:
    file = folder / f"driver.{number}.json"
    driver = {"host": "node7", "pid": 4, "process_started": 1.0, "scope": "elsewhere", "started_at": 1.8e9, **changes}
    file.write_text(json.dumps(driver))
    return file


def guard(folder: Path) -> Guard:
    return Guard(folder, heartbeat=0.1, silence=0.5)


def test_of_two_drivers_at_once_the_second_is_refused_with_who_and_what_to_do(tmp_path) -> None:
    with start(tmp_path) as first:
        assert said(first) == "held"
        with start(tmp_path) as second:
            refusal = said(second)
        assert f"process {first.pid} on {os.uname().nodename}" in refusal
        assert f"distml stop {tmp_path.name}" in refusal
        with pytest.raises(SweepHeldError), guard(tmp_path):
            pass
        first.communicate()
    with guard(tmp_path) as mine:
        mine.confirm()


def test_two_drivers_that_start_together_never_both_hold(tmp_path) -> None:
    for _ in range(3):
        with start(tmp_path) as one, start(tmp_path) as other:
            assert sorted(line == "held" for line in (said(one), said(other))) == [False, True]
            one.communicate()
            other.communicate()


def test_a_killed_driver_is_followed_at_once(tmp_path) -> None:
    with start(tmp_path) as first:
        assert said(first) == "held"
        assert driver_of(tmp_path) is not None
        first.kill()
        first.wait()
    assert driver_of(tmp_path) is None
    with Guard(tmp_path, silence=3600.0) as mine:
        mine.confirm()
    assert [path.name for path in tmp_path.iterdir()] == ["driver.2.json"]


def test_the_same_process_does_not_hold_twice(tmp_path) -> None:
    with guard(tmp_path), pytest.raises(SweepHeldError), guard(tmp_path):
        pass


def test_a_pid_that_has_been_given_to_another_process_is_not_the_driver(tmp_path) -> None:
    with guard(tmp_path):
        pass
    left = json.loads((tmp_path / "driver.1.json").read_text())
    (tmp_path / "driver.1.json").write_text(json.dumps(left | {"released": False, "process_started": 1.0}))
    with Guard(tmp_path, silence=3600.0) as mine:
        mine.confirm()


def test_a_driver_elsewhere_holds_as_long_as_its_heart_beats(tmp_path) -> None:
    with guard(tmp_path):
        mine = json.loads((tmp_path / "driver.1.json").read_text())
        (tmp_path / "driver.1.json").write_text(json.dumps(mine | {"host": "node7", "scope": "elsewhere"}))
        with pytest.raises(SweepHeldError, match="on node7"), Guard(tmp_path, silence=30.0):
            pass


def test_a_driver_elsewhere_that_is_silent_is_followed_and_knows_it_when_it_wakes(tmp_path) -> None:
    sleeper = Guard(tmp_path, heartbeat=3600.0)
    with sleeper:
        mine = json.loads((tmp_path / "driver.1.json").read_text())
        (tmp_path / "driver.1.json").write_text(json.dumps(mine | {"scope": "elsewhere"}))
        sleeper.confirm()
        with guard(tmp_path) as follower:
            with pytest.raises(SweepHeldError, match="taken over"):
                sleeper.confirm()
            follower.confirm()


def test_a_slow_process_does_not_take_what_has_changed_hands(tmp_path, monkeypatch) -> None:
    file_of_another_machine(tmp_path)
    slow = guard(tmp_path)
    real = Guard._claim

    def overtaken(self: Guard, number: int) -> Path | None:
        monkeypatch.setattr(Guard, "_claim", real)
        with guard(tmp_path), guard_after_release(tmp_path):  # numbers 2 and 3 come and 2 goes meanwhile
            return real(self, number)

    monkeypatch.setattr(Guard, "_claim", overtaken)
    with slow:
        assert [path.name for path in tmp_path.iterdir()] == ["driver.4.json"]


def guard_after_release(folder: Path) -> Guard:
    """A further holder, as if the one before it had ended."""
    file = max(folder.glob("driver.*.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"released": True}))
    return guard(folder)


def test_a_driver_killed_before_it_had_written_its_name_is_followed(tmp_path) -> None:
    (tmp_path / "driver.1.json").touch()
    with guard(tmp_path) as mine:
        mine.confirm()


def test_a_driver_that_ended_leaves_no_doubt(tmp_path) -> None:
    with guard(tmp_path):
        driver = driver_of(tmp_path)
        assert driver is not None and driver.pid == os.getpid()
    assert driver_of(tmp_path) is None
    file_of_another_machine(tmp_path, number=9, released=True)
    with Guard(tmp_path, silence=3600.0) as mine:
        mine.confirm()


def test_another_machines_driver_is_shown_while_it_was_heard_of_lately(tmp_path) -> None:
    file = file_of_another_machine(tmp_path)
    driver = driver_of(tmp_path)
    assert driver is not None and str(driver).startswith("process 4 on node7")
    os.utime(file, (time.time() - 120, time.time() - 120))
    assert driver_of(tmp_path) is None
