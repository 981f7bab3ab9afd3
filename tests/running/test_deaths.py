"""What dies in the middle of a sweep over several machines: the leaderboard is that of a sweep where nothing did."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import psutil
import pytest

from distml.sweep.journal import read
from tests.running.machines import Machines, kill, running_machines
from tests.running.test_stopping import wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
]  # of which a machine that has nothing else to do takes a tenth

Board = dict[str, dict[str, Any]]
LATEST = 150.0  # seconds until something that takes a few happens

# A cohort of other members multiplies matrices of another shape, whose sums are rounded in another order: at each step
# that is some 1e-7 of a 32-bit weight, and here there are about a hundred. What trains alone has no such neighbours.
ROUNDING = {"scoring-network": 1e-4}


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    yield from running_machines()


@pytest.fixture(autouse=True)
def all_there(machines: Machines) -> None:
    """What an earlier test killed, or left half dead, stands again."""
    machines.bring_back()


@pytest.fixture(scope="module")
def undisturbed(machines: Machines) -> Board:
    finish(machines, "undisturbed")
    board = leaderboard(machines, "undisturbed")
    assert Counter(row["state"] for row in board.values()) == {"finished": 32}
    return board


def finish(machines: Machines, name: str) -> str:
    """Type the sweep's command and wait for its end; what it says."""
    with machines.sweep(machines.sweep_file(name)) as driver:
        out, err = driver.communicate(timeout=2 * LATEST)
    assert driver.returncode == 0, out + err
    assert err == ""
    return out


def wait_until(driver: "subprocess.Popen[str]", what: Callable[[], object]) -> None:
    """A moment of a sweep, by what its journal and its processes say; there is none once it has ended."""

    def found() -> object:
        assert driver.poll() is None, driver.communicate()
        return what()

    wait_for(found, seconds=LATEST)


def leaderboard(machines: Machines, name: str) -> Board:
    return {row["trial"]: row for row in machines.shown("leaderboard", name)}


def assert_as_undisturbed(machines: Machines, name: str, undisturbed: Board) -> None:
    """The same trials with the same parameters, scores and ranks; and no trial was trained after it had ended."""
    found = leaderboard(machines, name)
    facts = ("family", "state", "params")
    assert {trial: [row[fact] for fact in facts] for trial, row in found.items()} == {
        trial: [row[fact] for fact in facts] for trial, row in undisturbed.items()
    }
    for trial, row in undisturbed.items():
        assert found[trial]["score"] == pytest.approx(row["score"], abs=ROUNDING.get(row["family"], 0), rel=0), trial
    within = max(ROUNDING.values())
    ranked = [undisturbed[trial]["score"] for trial in found]  # the better log loss is the lesser
    assert all(one <= other + 2 * within for one, other in pairwise(ranked))
    assert not trained_after_their_end(read(machines.journal(name)))


def trained_after_their_end(events: list[dict[str, Any]]) -> set[str]:
    over: set[str] = set()
    again: set[str] = set()
    for event in events:
        if event["event"] == "ended":
            again |= over & {event["trial"]}
            over.add(event["trial"])
        elif event["event"] in ("cohort", "rung"):
            again |= over & {*event.get("trials", []), event.get("trial")}
    return again


def lost(machines: Machines, name: str) -> list[dict[str, Any]]:
    return [event for event in read(machines.journal(name)) if event["event"] == "lost"]


def test_a_raylet_is_killed_that_trains_beside_others_of_its_machine(machines: Machines, undisturbed: Board) -> None:
    """The one with the card: what wants it waits until the administrator has started the machine's node again."""
    name = "raylet"
    with machines.sweep(machines.sweep_file(name)) as driver:
        wait_until(driver, lambda: machines.ended(name) >= 6 and machines.trainers("ws", "card"))
        victim = machines.trainers("ws", "card")[0].parent()
        assert victim is not None and victim.name() == "raylet"
        kill([victim])
        why = "for a whole GPU; there is none now"
        wait_until(driver, lambda: machines.shown("status", name)["families_waiting"].get("card") == why)
        machines.stop("ws")
        machines.start("ws")
        out, err = driver.communicate(timeout=2 * LATEST)
    assert (driver.returncode, err) == (0, ""), out + err
    assert "card  the machine under cohort" in out and "Trial" not in out
    assert_as_undisturbed(machines, name, undisturbed)
    assert {event["cause"] for event in lost(machines, name)} == {"node"}


def test_a_machine_is_switched_off(machines: Machines, undisturbed: Board) -> None:
    """With all its raylets and what they train, at once. The others take over what can be trained there."""
    name = "machine"
    machines.hold.touch()  # or the others, where they are quick, leave this machine nothing to train
    with machines.sweep(machines.sweep_file(name)) as driver:
        wait_until(driver, lambda: machines.trainers("cpu", "plain"))
        kill(machines.processes("cpu"))
        machines.hold.unlink()
        out, err = driver.communicate(timeout=2 * LATEST)
    assert (driver.returncode, err) == (0, ""), out + err
    assert "  the machine under cohort" in out
    assert_as_undisturbed(machines, name, undisturbed)
    assert {event["cause"] for event in lost(machines, name)} == {"node"}


def test_a_sampler_then_the_driver_are_killed(machines: Machines, undisturbed: Board) -> None:
    name = "driver"
    with machines.sweep(machines.sweep_file(name)) as driver:
        wait_until(driver, lambda: machines.titled("ws", "NodeSampler") and machines.trainers("ws", "card"))
        killed = time.time()
        kill(machines.titled("ws", "NodeSampler"))
        wait_until(driver, lambda: gaps(machines, name, since=killed))
        kill([psutil.Process(driver.pid)])
    (gap, *_) = gaps(machines, name, since=killed)
    kept = {trial for trial, row in leaderboard(machines, name).items() if row["state"] == "finished"}
    assert kept
    out = finish(machines, name)
    assert f"going on: {len(kept)} trials found in the journal" in out
    assert_as_undisturbed(machines, name, undisturbed)
    shown = machines.shown("show", name, gap)
    assert shown["energy_j"] is None and "sampler" in shown["missing"]["energy_j"]


def gaps(machines: Machines, name: str, since: float) -> list[str]:
    """Trials that ended since then, and of which telemetry says that it cannot tell their energy."""
    events = read(machines.journal(name))
    ended = {event["trial"] for event in events if event["event"] == "ended" and event["at"] > since}
    costs = [event for event in events if event["event"] == "cost" and event["energy_j"] is None]
    return [trial for event in costs for trial in event["trials"] if trial in ended]


def test_the_head_dies_and_the_same_command_goes_on(machines: Machines, undisturbed: Board) -> None:
    name = "head"
    with machines.sweep(machines.sweep_file(name)) as driver:
        wait_until(driver, lambda: machines.ended(name) >= 6 and machines.trainers("ws", "card"))
        kill(machines.named("head", "gcs_server"))
        out, err = driver.communicate(timeout=45)  # Ray's own end of a driver without a head takes 60
    assert driver.returncode == 1, out + err
    assert err.count("\n") == 1 and err.startswith("The head of the Ray cluster at ")
    for word in ("`distml node start --head`", f"--address {machines.address}", "the same command goes on"):
        assert word in err
    assert "died" not in out  # no cohort is blamed
    kept = {trial for trial, row in leaderboard(machines, name).items() if row["state"] == "finished"}
    assert len(kept) >= 6
    machines.stop("head", "ws", "cpu")
    machines.start("head", "ws", "cpu")
    assert f"going on: {len(kept)} trials found in the journal" in finish(machines, name)
    assert_as_undisturbed(machines, name, undisturbed)
    assert not lost(machines, name)
