"""What a driver makes of a head and a raylet that go, on real sockets."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from distml.sweep import lifeline as module
from distml.sweep.lifeline import ClusterLostError, Lifeline, epitaph

SOON = 10.0  # seconds; what is waited for comes within a fraction of one


class Head:
    """Somebody who listens, until they do not, and then again."""

    def __init__(self) -> None:
        self.cluster: str | None = "first"
        self.raylet = True
        self._listening: socket.socket | None = None
        self._port = 0
        self.begin()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def begin(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=1000)
        self._port = self._listening.getsockname()[1]

    def die(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self._listening = None


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "_AFTER_SECONDS", 0.05)
    head = Head()
    yield head
    head.die()


@contextlib.contextmanager
def looked_at(head: Head, **options: Any) -> Iterator[tuple[Lifeline, list[str]]]:
    """A lifeline, and its last words."""
    said: list[str] = []
    settings: dict[str, Any] = {"is_local": False, "patience": 0.1, "unwind": 60.0, "last_word": said.append, **options}
    lifeline = Lifeline(head.address, raylet=lambda: head.raylet, identify=lambda: head.cluster, **settings)
    yield lifeline, said
    lifeline.close()


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def told(lifeline: Lifeline) -> str | None:
    try:
        lifeline.check()
    except ClusterLostError as error:
        return str(error)
    return None


def test_a_head_that_stays_silent_is_lost_and_says_what_to_type(head: Head) -> None:
    with looked_at(head) as (lifeline, said):
        assert lifeline.answers() and told(lifeline) is None
        head.die()
        assert not lifeline.answers()
        until(lambda: told(lifeline))
        text = told(lifeline)
    assert text == epitaph("head", head.address, is_local=False) and "\n" not in text
    for words in (head.address, "`distml node start --head`", f"`distml node start --address {head.address}`"):
        assert words in text
    assert said == []  # it was closed in time


def test_a_head_may_come_back_with_what_it_knew(head: Head) -> None:
    with looked_at(head, patience=SOON) as (lifeline, _):
        head.die()
        until(lambda: not lifeline.answers())
        head.begin()
        time.sleep(0.1)
        assert lifeline.answers() and told(lifeline) is None


def test_a_new_head_at_the_same_address_is_not_the_old_one(head: Head) -> None:
    with looked_at(head, patience=SOON) as (lifeline, _):
        head.die()
        time.sleep(0.1)
        head.cluster = None  # it listens, and does not say yet who it is
        head.begin()
        time.sleep(0.1)
        assert told(lifeline) is None
        head.cluster = "second"
        until(lambda: told(lifeline))
        assert told(lifeline) == epitaph("another head", head.address, is_local=False)


def test_without_its_raylet_a_driver_cannot_go_on_at_once(head: Head) -> None:
    with looked_at(head, patience=SOON) as (lifeline, _):
        head.raylet = False
        until(lambda: told(lifeline))
        assert told(lifeline) == epitaph("node", head.address, is_local=False)


def test_where_the_raylet_went_with_the_head_it_is_the_head_that_died(head: Head) -> None:
    with looked_at(head, patience=SOON) as (lifeline, _):
        head.raylet = False
        head.die()
        until(lambda: told(lifeline))
        assert told(lifeline) == epitaph("head", head.address, is_local=False)


def test_a_driver_that_hangs_is_ended_with_the_same_words(head: Head) -> None:
    with looked_at(head, unwind=0.05) as (lifeline, said):
        head.die()
        until(lambda: said)
        assert said == [told(lifeline)]


def test_who_leaves_in_order_is_not_told_that_ray_has_ended(head: Head) -> None:
    with looked_at(head, unwind=0.0) as (lifeline, said):
        lifeline.leave()
        head.raylet = False
        head.die()
        time.sleep(0.2)
        assert (told(lifeline), said) == (None, [])


def test_an_error_of_ray_is_blamed_on_the_cluster_that_died_and_on_no_other(head: Head) -> None:
    fault = RuntimeError("Broken pipe")
    with looked_at(head, patience=SOON) as (lifeline, _):
        assert lifeline.cause_of(fault) is fault
        head.die()
        blamed = lifeline.cause_of(fault)
        assert isinstance(blamed, ClusterLostError) and blamed.status == 1
        assert lifeline.cause_of(blamed) is blamed


def test_a_local_ray_has_nobody_to_bring_it_back_but_the_sweep(head: Head) -> None:
    assert "node start" not in epitaph("head", head.address, is_local=True)
    assert "the same command goes on" in epitaph("node", head.address, is_local=True)
