import errno
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.errors import DistmlError
from distml.sweep import journal as module
from distml.sweep.journal import Journal, JournalFull, read

EVENTS: list[dict[str, Any]] = [
    {"event": "opened", "spec": {"name": "é"}},
    *({"event": "asked", "trial": f"t{number:04d}", "params": {"hidden": [64, 64]}} for number in range(6)),
    {"event": "closed", "reason": "budget", "seconds": 1.5},
]

# A file is written afresh in every example; the folder may be the same.
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def write(path: Path, events: list[dict[str, Any]] = EVENTS) -> bytes:
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        journal.append(*({"at": 1.8e9, **event} for event in events))  # the same bytes every time
    return path.read_bytes()


def without_stamp(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in event.items() if key not in ("at", "version")} for event in events]


def test_what_is_appended_is_read_in_order_with_the_time(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(*EVENTS[:3])
        journal.append(*EVENTS[3:])
    events = read(path)
    assert without_stamp(events) == EVENTS
    assert all(event["at"] > 1.7e9 for event in events)


def test_every_line_is_json_by_itself(tmp_path) -> None:
    lines = write(tmp_path / "journal.jsonl").decode("ascii").splitlines()
    assert [json.loads(line)["event"] for line in lines] == [event["event"] for event in EVENTS]


def test_a_journal_goes_on_where_it_stopped(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    for event in EVENTS:
        with Journal(path) as journal:
            journal.append(event)
    with Journal(path) as journal:
        assert without_stamp(journal.events) == EVENTS


def test_numpy_numbers_and_scores_that_are_no_numbers(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    scores = {"a": math.nan, "b": np.float32(0.5), "c": np.float32("inf"), "d": [np.int64(3)]}
    write(path, [{"event": "rung", "scores": scores, "where": Path("x")}])
    assert read(path)[0]["scores"] == {"a": None, "b": 0.5, "c": None, "d": [3]}


@same_folder
@given(st.data())
def test_cut_at_any_byte_the_whole_lines_before_it_survive(tmp_path, data) -> None:
    path = tmp_path / "journal.jsonl"
    content = write(path)
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    assert without_stamp(read(path)) == EVENTS[:whole]
    with Journal(path) as journal:
        journal.append({"event": "closed", "reason": "again"})
    assert without_stamp(read(path)) == [*EVENTS[:whole], {"event": "closed", "reason": "again"}]


@same_folder
@given(st.data())
def test_a_byte_changed_before_the_last_line_is_found_and_its_line_named(tmp_path, data) -> None:
    path = tmp_path / "journal.jsonl"
    content = bytearray(write(path))
    last_line = content.rstrip(b"\n").rindex(b"\n")
    place = data.draw(st.integers(0, last_line - 1))
    line = content[:place].count(b"\n") + 1
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(DistmlError, match=rf"damaged at line {line}: .* head -n {line - 1} "):
        read(path)
    with pytest.raises(DistmlError, match="damaged"):
        Journal(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("tail", [b'{"event":"closed","crc":"00000000"}\n', b"\0" * 4096, b'{"event":', b"\n"])
def test_a_torn_last_line_is_dropped(tmp_path, tail: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    content = write(path)
    path.write_bytes(content + tail)
    assert without_stamp(read(path)) == EVENTS
    with Journal(path):
        assert path.read_bytes() == content


def test_lines_lost_or_swapped_are_damage_too(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = write(path).splitlines(keepends=True)
    for rearranged in ([*lines[:2], *lines[3:]], [*lines[:2], lines[3], lines[2], *lines[4:]]):
        path.write_bytes(b"".join(rearranged))
        with pytest.raises(DistmlError, match="damaged at line 3"):
            read(path)


def test_the_advice_for_a_damaged_journal_works(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    content = write(path)
    path.write_bytes(content.replace(b"t0003", b"t9999"))
    with pytest.raises(DistmlError) as raised:
        read(path)
    advice = str(raised.value).split("cut it: ")[1]
    subprocess.run(advice, shell=True, check=True, cwd=tmp_path)
    assert without_stamp(read(path)) == EVENTS[:4]


def test_a_newer_format_is_refused(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, [{"event": "opened", "version": 2}, {"event": "something new"}])
    with pytest.raises(DistmlError, match=r"newer distml \(journal version 2, this one knows 1\); update distml"):
        read(path)


def test_no_journal(tmp_path) -> None:
    with pytest.raises(DistmlError, match="No such file"):
        read(tmp_path / "journal.jsonl")
    with pytest.raises(DistmlError, match="cannot open the journal"):
        Journal(tmp_path / "missing" / "journal.jsonl")


def test_one_write_and_one_sync_however_many_events(tmp_path, monkeypatch) -> None:
    calls: list[str] = []
    real_write, real_sync = os.write, os.fsync
    with Journal(tmp_path / "journal.jsonl") as journal:
        monkeypatch.setattr(module.os, "write", lambda fd, block: calls.append("write") or real_write(fd, block))
        monkeypatch.setattr(module.os, "fsync", lambda fd: calls.append("fsync") or real_sync(fd))
        journal.append(*EVENTS)
        journal.append()
    assert calls == ["write", "fsync"]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_whole_lines_and_a_second_try_succeeds(tmp_path, monkeypatch, reason: int) -> None:
    path = tmp_path / "journal.jsonl"
    real = os.write

    def full(fd: int, block: bytes) -> int:
        if len(block) > 40:
            return real(fd, block[:40])  # what still fits is written
        raise OSError(reason, os.strerror(reason))

    with Journal(path) as journal:
        journal.append(*EVENTS[:2])
        before = path.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(module.os, "write", lambda fd, block: full(fd, block[:80]))
            with pytest.raises(JournalFull, match=os.strerror(reason)):
                journal.append(*EVENTS[2:])
        assert path.read_bytes() == before
        journal.append(*EVENTS[2:])
    assert without_stamp(read(path)) == EVENTS


def test_a_file_that_may_not_grow_is_like_a_full_disk(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    program = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from distml.sweep.journal import Journal, JournalFull
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        with Journal(Path(sys.argv[1])) as journal:
            journal.append({"event": "opened", "text": "x" * 500})
            try:
                journal.append({"event": "closed", "text": "x" * 500})
            except JournalFull:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                journal.append({"event": "closed", "text": "room"})
    """)
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    assert [event["text"][:4] for event in read(path)] == ["xxxx", "room"]


def test_an_interrupt_in_the_middle_of_a_write_leaves_whole_lines(tmp_path, monkeypatch) -> None:
    path = tmp_path / "journal.jsonl"
    real = os.write

    def interrupted(fd: int, block: bytes) -> int:
        real(fd, block[:30])
        raise KeyboardInterrupt

    with Journal(path) as journal:
        journal.append(*EVENTS[:2])
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(module.os, "write", interrupted)
            journal.append(EVENTS[2])
        journal.append(*EVENTS[2:])
    assert without_stamp(read(path)) == EVENTS


def test_a_disk_that_fails_is_an_error_with_its_reason(tmp_path, monkeypatch) -> None:
    def failing(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Journal(tmp_path / "journal.jsonl") as journal:
        monkeypatch.setattr(module.os, "fsync", failing)
        with pytest.raises(DistmlError, match="Input/output error") as raised:
            journal.append(EVENTS[0])
        assert not isinstance(raised.value, JournalFull)


def test_nothing_is_written_without_the_right_to(tmp_path) -> None:
    def taken_over() -> None:
        raise DistmlError("taken over")

    path = tmp_path / "journal.jsonl"
    with Journal(path, may_write=taken_over) as journal, pytest.raises(DistmlError, match="taken over"):
        journal.append(EVENTS[0])
    assert read(path) == []


def test_killed_at_any_moment_what_was_acknowledged_is_there(tmp_path) -> None:
    path = tmp_path / "journal.jsonl"
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from distml.sweep.journal import Journal
        with Journal(Path(sys.argv[1])) as journal:
            for number in range(10**9):
                journal.append({"event": "asked", "number": number}, {"event": "asked", "number": number})
                print(number, flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 50:
                break
        process.kill()
        acknowledged = max([50, *map(int, process.stdout.read().split())])
    numbers = [event["number"] for event in read(path)]
    assert numbers[: 2 * (acknowledged + 1)] == sorted([*range(acknowledged + 1)] * 2)
