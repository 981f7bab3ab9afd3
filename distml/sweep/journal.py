"""The journal: an append-only file of events, the only truth about a sweep after a crash.

One event is one line of JSON that ends in a checksum. Each checksum also covers the one before it, so that a line
changed, lost, put in or swapped anywhere shows. Only the last line can be torn: it is then dropped, as if the crash had
come a moment earlier. There is one writer (see guard.py) and no file lock, so any file system will do.
"""

import errno
import json
import math
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from distml.errors import DistmlError

VERSION = 1  # of the format; a change that an older distml would misread makes it 2

_SEAL = len(',"crc":"00000000"}\n')
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class JournalFull(DistmlError):
    """There was no room for the events; the journal is as it was before, and append() may be tried again."""


class Journal:
    """The one writer of a journal; a context manager.

    Raises:
        DistmlError: the file cannot be opened, is damaged before its last line, or is of a newer distml.
    """

    def __init__(self, path: Path, may_write: Callable[[], None] = lambda: None) -> None:
        """Take up a journal, or begin one. `may_write` is called before each write and raises to prevent it."""
        self.path = path
        self._may_write = may_write
        try:
            content = path.read_bytes() if path.exists() else None
            self.events, size, crc = _parse(content or b"", path)  # what stood in it when it was opened
            self._end = (size, crc)  # of the last whole line
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            if content is None:
                _sync_folder(path.parent)
            elif len(content) > size:
                os.ftruncate(self._fd, size)
                os.fsync(self._fd)
        except OSError as error:
            raise DistmlError(f"cannot open the journal {path}: {error.strerror}") from None

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write all events, stamped with the time, and return once they are on the disk.

        Raises:
            JournalFull: no room; nothing of it was written.
            DistmlError: the disk failed; nothing of it was written as far as the disk lets us know.
        """
        if not events:
            return
        self._may_write()
        now = round(time.time(), 3)
        (size, crc), lines = self._end, []
        for event in events:
            stamp = {"version": VERSION} if event["event"] == "opened" else {}
            line, crc = _seal({"event": event["event"], "at": now, **stamp, **event}, crc)
            lines.append(line)
        block = b"".join(lines)
        try:
            written = os.write(self._fd, block)
            while written < len(block):  # a disk that fills up takes a part first, and says why on the next call
                written += os.write(self._fd, block[written:])
            os.fsync(self._fd)
            self._end = (size + len(block), crc)
        except BaseException as error:  # Ctrl-C too: half a block must not stand before the next one
            os.ftruncate(self._fd, self._end[0])
            if not isinstance(error, OSError):
                raise
            if error.errno in _FULL:
                raise JournalFull(f"no room for the journal {self.path}: {error.strerror}") from None
            raise DistmlError(f"cannot write the journal {self.path}: {error.strerror}") from None

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(path: Path) -> list[dict[str, Any]]:
    """All events of a journal, also while its writer is at work.

    Raises:
        DistmlError: there is none, it is damaged before its last line, or is of a newer distml.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DistmlError(f"cannot read the journal {path}: {error.strerror}") from None
    return _parse(content, path)[0]


def _seal(event: Mapping[str, Any], previous: int) -> tuple[bytes, int]:
    try:
        text = json.dumps(event, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:  # JSON has no NaN or infinity
        text = json.dumps(_without_nan(event), separators=(",", ":"), allow_nan=False, default=_plain)
    body = text.encode("ascii")
    crc = zlib.crc32(body, previous)
    return b'%s,"crc":"%08x"}\n' % (body[:-1], crc), crc


def _parse(content: bytes, path: Path) -> tuple[list[dict[str, Any]], int, int]:
    """(events, bytes of whole lines, checksum of the last one)."""
    events: list[dict[str, Any]] = []
    size, crc = 0, 0
    *whole, torn = content.split(b"\n")
    lines = [line + b"\n" for line in whole] + ([torn] if torn else [])
    for number, line in enumerate(lines, start=1):
        event, found = _unseal(line, crc)
        if event is None:
            if number == len(lines):
                break
            raise DistmlError(
                f"the journal {path} is damaged at line {number}: its checksum does not match. "
                f"The {number - 1} lines before it are whole. To go on from there, keep a copy of the file and cut it: "
                f"head -n {number - 1} {path} > journal.cut && mv journal.cut {path}"
            )
        if event["event"] == "opened" and event.get("version", VERSION) > VERSION:
            raise DistmlError(
                f"the journal {path} was written by a newer distml (journal version {event['version']}, "
                f"this one knows {VERSION}); update distml"
            )
        events.append(event)
        size += len(line)
        crc = found
    return events, size, crc


def _unseal(line: bytes, previous: int) -> tuple[dict[str, Any] | None, int]:
    body = line[:-_SEAL] + b"}"
    crc = zlib.crc32(body, previous)
    if line[-_SEAL:] != b',"crc":"%08x"}\n' % crc:
        return None, previous
    event: dict[str, Any] = json.loads(body)
    return event, crc


def _plain(value: Any) -> Any:
    """What json does not know: read-only mappings, paths, and numpy's numbers and arrays."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Path) else value.tolist()


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sync_folder(folder: Path) -> None:
    """Make a new file's name last, not only its content."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
