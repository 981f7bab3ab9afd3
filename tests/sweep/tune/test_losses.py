"""What ended a cohort: its process, or the machine under it."""

import pytest
import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError

from distml.errors import DistmlError
from distml.sweep.tune import losses
from distml.sweep.tune.losses import cause_of, loss

ACTOR = "840373daec2688d16ee9f8d604000000"


def unavailable() -> ActorUnavailableError:
    return ActorUnavailableError("RPC error: Socket closed rpc_code: 14", bytes.fromhex(ACTOR))


@pytest.mark.parametrize("listens", [True, False])
def test_a_process_that_does_not_answer_died_alone_or_with_its_machine(
    monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(losses, "_raylet_listens", lambda actor: bool(asked.append(actor)) or listens)
    assert cause_of(unavailable()) == ("process" if listens else "node")
    assert asked == [ACTOR]


def test_a_process_that_nobody_tells_more_of_is_taken_to_have_died_alone() -> None:
    """Whatever is not known to be the machine's fault must count, or what kills its process would do so for ever."""
    assert cause_of(None) == cause_of(ActorDiedError()) == cause_of(RuntimeError("?")) == "process"


def test_what_ray_and_the_places_say_of_nodes() -> None:
    died = ActorDiedError()
    died.error_msg = "The actor died unexpectedly.\nThe actor died because its node has died. Node Id: 4f2"
    assert cause_of(died) == cause_of(DistmlError("its node went before it began")) == "node"
    assert loss(died, "node").error == "its node does not answer any more"
    assert "Node Id: 4f2" in loss(died, "node").traceback


def test_the_desk_of_a_machine_that_died_is_no_fault_of_who_waits_for_it() -> None:
    def told(cause: Exception) -> RayTaskError:
        return RayTaskError("step", "Traceback ...", cause)

    assert cause_of(told(ActorDiedError())) == cause_of(told(unavailable())) == "node"
    assert cause_of(told(ModuleNotFoundError("no distml here"))) == "process"


def test_a_process_killed_for_want_of_memory_says_so() -> None:
    found = loss(ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."), "process")
    assert (found.kind, found.error.split(":")[0]) == ("memory", "OutOfMemoryError")
