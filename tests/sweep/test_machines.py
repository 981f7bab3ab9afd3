"""What a machine of a cluster answers before a sweep begins on it, and what is wrong with it."""

from pathlib import Path

from distml.sweep.cluster import Cluster, Node
from distml.sweep.machines import _gone, _not_shared, _Seen
from tests.sweep.clusters import mixed, rtx_3090s

HERE = {uuid for node in mixed().nodes if node.devices for uuid in node.devices.uuids}


def test_devices_that_went_since_a_node_was_started_are_named_with_what_to_do() -> None:
    heard = {name: _Seen(True, tuple(HERE - {"MIG-1g.5gb-1"})) for name in ("a100", "cpu", "ws")}
    (said,) = _gone(mixed(), heard)
    assert said == (
        "a100 has no longer MIG-1g.5gb-1 (1g.5gb): was MIG changed since its node was started? "
        "There: distml node stop, then distml node start"
    )
    assert _gone(mixed(), {"a100": _Seen(True, None)}) == []  # NVML does not tell: others will
    unlabelled = Node("x", 2, rtx_3090s().__class__("gpu", ("", ""), None, None))
    assert _gone(Cluster((unlabelled,)), {"x": _Seen(True, ())}) == []


def test_folders_that_are_not_the_same_everywhere() -> None:
    heard = {"a": _Seen(True, ()), "b": _Seen(False, ()), "c": _Seen(False, None)}
    (said,) = _not_shared(Path("/shared/runs/x"), heard)
    assert said.startswith("/shared/runs/x is not the same folder on b, c: choose one that all machines share")
    assert _not_shared(Path("/shared"), {"a": _Seen(True, ())}) == []
