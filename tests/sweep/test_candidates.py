"""The next node without a walk: the one that a walk would find, at the cost of none."""

import random
import time
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from distml.hardware.devices import DeviceClass
from distml.sweep.cluster import Cluster, Node
from distml.sweep.places import Places
from distml.sweep.wish import Wish, in_order
from tests.sweep.clusters import mixed, rtx_3090s, slices

WISHES = {"cores": Wish(1), "two": Wish(2), "share": Wish(1, 0.5), "memory": Wish(1, "4.5GiB"), "auto": Wish(1, "auto")}
CLUSTER = Cluster((
    *mixed().nodes, Node("ws2", 6, rtx_3090s(), apart=True), Node("plain", 3), Node("s", 9, slices("1g.5gb", 7), True),
))  # fmt: skip
MARGIN = 2.5  # on the cost of a decision; a walk costs 16 times as much where there are 16 times as many


def walked(places: Places, wish: Wish) -> str | None:
    """The node that one finds who looks at all of them: the name and its class."""
    states = places._states
    if not wish.any_gpu:
        suited = [state for state in states if places._shares_cores(state.node)]
        suited.sort(key=lambda state: (len(state.free), -state.cpus))
        found = [state for state in suited if places._cores_free(state) >= wish.cpus]
    else:
        found = [
            state
            for devices, _ in in_order(wish, places._cluster.device_classes)
            for state in states
            if state.node.devices is not None and state.node.devices.name == devices.name
            and state.cpus >= wish.cpus and places._has_devices(state, wish)
        ]  # fmt: skip
    return f"{found[0].number}" if found else None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*WISHES, "release", "lose"]), st.integers(0, 99)), max_size=60))
def test_the_node_is_the_one_that_a_walk_finds(steps: Sequence[tuple[str, int]]) -> None:
    places = Places(WISHES, CLUSTER)
    held: list[str] = []
    for number, (step, which) in enumerate(steps):
        if step == "release":
            if held:
                places.release(held.pop(which % len(held)))
        elif step == "lose":
            gone = which % len(CLUSTER.nodes)
            places.update(Cluster(CLUSTER.nodes[:gone] + CLUSTER.nodes[gone + 1 :]))
            held = [cohort for cohort in held if cohort in places._taken]
        elif places.take(f"c{number}", step) is not None:
            held.append(f"c{number}")
        for wish in WISHES.values():
            found = places._find(wish)
            assert (None if found is None else f"{found[0].number}") == walked(places, wish)


def test_a_place_costs_as_much_on_a_cluster_sixteen_times_as_large() -> None:
    small = min(seconds_a_decision(32) for _ in range(3))
    assert any(seconds_a_decision(512) < MARGIN * small for _ in range(2))  # again where the machine was busy


def seconds_a_decision(gpus: int) -> float:
    """Of a processor: a cluster of whole GPUs and seven slices to each is filled, and then cohorts come and go."""
    nodes = [
        Node(f"{devices.name}-{number}", 128, devices, apart=True)
        for number in range(gpus // 4)
        for devices in (rtx_3090s(4), DeviceClass("1g.5gb", tuple(map(str, range(28))), 4_864, 14))
    ]
    places = Places({name: WISHES[name] for name in ("share", "memory")}, Cluster(tuple(nodes)))
    drawn = random.Random(0)
    held: list[str] = []
    decisions = 0
    start = time.process_time()
    for turn in range(12 * gpus):
        for family in ("share", "memory"):
            decisions += 1
            if places.kind_for(family) is not None:
                places.take(f"{family}{turn}", family)
                held.append(f"{family}{turn}")
        if turn > 4 * gpus:
            chosen = drawn.randrange(len(held))
            held[chosen], held[-1] = held[-1], held[chosen]
            places.release(held.pop())
    return (time.process_time() - start) / decisions
