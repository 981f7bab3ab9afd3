"""MPS daemons: started in a private folder, refused with a reason, ended when told. The daemon is a stand-in."""

import doctest
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from distml.bench.conditions import mps_pipes
from distml.errors import DistmlError
from distml.hardware import mps

STANDIN = Path(__file__).parents[1] / "cluster" / "standin" / "mps"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dm-", dir="/tmp") as short:  # sockets lie below it
        yield Path(short)


@pytest.fixture
def daemon(folder: Path, monkeypatch: pytest.MonkeyPatch) -> mps.Daemon:
    monkeypatch.setenv("PATH", f"{STANDIN}:{os.environ['PATH']}")
    monkeypatch.setenv("MPS_DIARY", str(folder / "diary.jsonl"))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return mps.daemon_for("ws", ("GPU-a", "GPU-b"))


def diary(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "diary.jsonl").read_text().splitlines()]


def test_a_daemon_is_started_for_its_cards_in_a_folder_of_its_own_and_told_to_quit(
    daemon: mps.Daemon, folder: Path
) -> None:
    mps.check()
    process = mps.start(daemon)
    assert process.is_running() and daemon.process == process
    assert (daemon.folder.parent.stat().st_mode & 0o777) == 0o700
    servers = process.children()
    assert len(servers) == 1
    assert (daemon.folder / "pipe").stat().st_mode & 0o777 == 0o700
    mps.stop(daemon)
    assert not process.is_running() and not servers[0].is_running() and not daemon.folder.exists()
    told = diary(folder)
    server = f"start_server -uid {os.getuid()}"
    assert [one["did"] for one in told] == ["-d", "get_server_list", server, "get_server_list", "quit"]
    assert told[0]["visible"] == "GPU-a,GPU-b" and told[0]["private"] == ["0o700", "0o700"]
    mps.stop(daemon)  # once more is no matter


def test_a_bench_takes_the_daemon_that_answers_and_has_its_card(
    daemon: mps.Daemon, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {mps.PIPES: str(folder / "none")}
    assert mps_pipes("GPU-b", elsewhere, folder) is None
    process = mps.start(daemon)
    assert mps_pipes("GPU-b", elsewhere, folder) == str(daemon.pipes)
    assert mps_pipes("GPU-b", {mps.PIPES: str(daemon.pipes)}, folder / "none") == str(daemon.pipes)
    assert mps_pipes("GPU-c", elsewhere, folder) is None  # a daemon of other cards
    with monkeypatch.context() as other:
        other.setattr("psutil.Process.uids", lambda process: SimpleNamespace(real=os.getuid() + 1))
        assert mps_pipes("GPU-b", elsewhere, folder) is None  # somebody else's
    process.suspend()
    monkeypatch.setattr(mps, "_ANSWER_SECONDS", 0.5)
    assert mps_pipes("GPU-b", elsewhere, folder) is None  # it hangs
    process.resume()
    mps.stop(daemon)
    assert mps_pipes("GPU-b", elsewhere, folder) is None


@pytest.mark.long
def test_one_that_was_left_behind_is_ended_before_another_starts(daemon: mps.Daemon) -> None:
    before = mps.start(daemon)
    after = mps.start(daemon)
    assert not before.is_running() and after.is_running()
    mps.stop(daemon)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("daemon", "does not start: Cannot start MPS control daemon: operation not permitted; start without --mps"),
        ("server", "the driver starts no MPS server: Failed to start : operation not supported; start without --mps"),
    ],
)
def test_a_driver_that_refuses_is_told_of_and_nothing_is_left(
    daemon: mps.Daemon, monkeypatch: pytest.MonkeyPatch, who: str, said: str
) -> None:
    monkeypatch.setenv("MPS_REFUSES", who)
    with pytest.raises(DistmlError, match=said):
        mps.start(daemon)
    assert daemon.process is None and not daemon.folder.exists()


def test_a_folder_that_others_could_enter_is_not_used(daemon: mps.Daemon) -> None:
    daemon.folder.parent.mkdir(mode=0o755)
    with pytest.raises(DistmlError, match="is not a folder of yours alone"):
        mps.start(daemon)


def test_a_machine_without_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DistmlError, match=r"there is no nvidia-cuda-mps-control here, .*; start without --mps"):
        mps.check()


def test_another_process_of_that_number_is_left_alone(daemon: mps.Daemon) -> None:
    daemon.pipes.mkdir(parents=True)
    (daemon.pipes / "nvidia-cuda-mps-control.pid").write_text(str(os.getpid()))
    assert daemon.process is None
    mps.stop(daemon)


def test_examples() -> None:
    found = doctest.testmod(mps)
    assert found.attempted == 1 and found.failed == 0
