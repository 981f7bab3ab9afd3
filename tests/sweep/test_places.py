"""Which cohort goes where, what it asks Ray for, and why others wait."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.hardware.packing import Measured
from distml.sweep.cluster import Cluster, Node
from distml.sweep.places import Places
from distml.sweep.wish import Wish
from tests.sweep.clusters import mixed, rtx_3090s, slices


def fill(places: Places, family: str) -> list[str]:
    """Where cohorts of a family go until there is no room: the kinds, in order."""
    kinds = []
    while (kind := places.kind_for(family)) is not None:
        placement = places.take(f"{family}{len(kinds)}", family)
        assert placement is not None and placement.kind == kind
        kinds.append(kind)
    return kinds


@pytest.mark.parametrize(
    ("gpu", "kinds"),
    [
        ("auto", {"rtx-3090": 2, "3g.20gb": 1, "2g.10gb": 1, "1g.5gb": 2}),
        (1, {"rtx-3090": 2, "3g.20gb": 1, "2g.10gb": 1, "1g.5gb": 2}),
        (2, {"rtx-3090": 1}),
        (0.5, {"rtx-3090": 4, "3g.20gb": 1, "2g.10gb": 1, "1g.5gb": 2}),  # there is one core a slice
        ("9GiB", {"2g.10gb": 1, "rtx-3090": 4, "3g.20gb": 1}),
        ("20GiB", {"rtx-3090": 2}),
        ("mig:any", {"3g.20gb": 1, "2g.10gb": 1, "1g.5gb": 2}),
        ("mig:1g.5gb", {"1g.5gb": 2}),
        ("none", {"": 10}),
    ],
)
def test_where_cohorts_go(gpu: str | float, kinds: dict[str, int]) -> None:
    places = Places({"family": Wish(1, gpu)}, mixed())
    assert places.slots == sum(kinds.values())
    assert Counter(fill(places, "family")) == kinds


def test_memory_goes_to_the_smallest_slot_that_holds_it_and_auto_to_the_largest_device() -> None:
    assert fill(Places({"a": Wish(1, "4.5GiB")}, mixed()), "a")[0] == "1g.5gb"
    assert fill(Places({"a": Wish(1, "9.7GiB")}, mixed()), "a")[-1] == "rtx-3090"
    assert fill(Places({"a": Wish(1, "auto")}, mixed()), "a")[0] == "rtx-3090"


def test_cores_that_belong_to_devices_are_kept_for_them_where_a_family_wants_those() -> None:
    assert fill(Places({"a": Wish(1), "b": Wish(1, "auto")}, mixed()), "a") == ["", ""]
    workstation = Cluster(mixed().nodes[4:])
    assert fill(Places({"a": Wish(1), "b": Wish(1, "auto")}, workstation), "a") == ["", ""]  # there are no others


def test_ray_is_asked_for_the_device_and_for_its_class() -> None:
    places = Places({"share": Wish(1, "9GiB"), "cpu": Wish(2)}, Cluster(mixed().nodes[3:]))
    placement = places.take("c1", "share")
    assert placement is not None
    assert placement.resources == {"CPU": 1, "GPU": 0.5, "rtx-3090": 0.5}
    assert (placement.memory_mib, str(placement)) == (12_288, "0.5 of rtx-3090")
    placement = places.take("c2", "cpu")
    assert placement is not None and placement.resources == {"CPU": 2, "cpu-only": 2}


def test_a_ray_that_somebody_else_started_is_asked_for_what_it_knows() -> None:
    places = Places({"a": Wish(1, 0.25), "b": Wish(1)}, Cluster((Node("ws", 8, rtx_3090s()),)))
    placement = places.take("c1", "a")
    assert placement is not None and placement.resources == {"CPU": 1, "GPU": 0.25}
    assert fill(places, "b") == [""] * 6  # one core is kept for the device that is free


def test_why_a_family_waits() -> None:
    cluster = Cluster((Node("node3", 9, rtx_3090s(), apart=True),))
    places = Places({"big": Wish(1, "20GiB"), "small": Wish(1, "9.5GiB"), "whole": Wish(1, "auto")}, cluster)
    assert places.why_waiting("small") is None
    fill(places, "small")
    assert places.why_waiting("big") == "needs 20.0 GiB on one device; the best free is 0.0 GiB on node3 rtx-3090 0"
    places.release("small0")
    assert places.why_waiting("big") == "needs 20.0 GiB on one device; the best free is 12.0 GiB on node3 rtx-3090 0"
    assert places.why_waiting("whole") == "for a whole GPU; all 2 are taken"


def test_why_a_family_waits_for_cores_or_slices() -> None:
    places = Places({"a": Wish(2), "b": Wish(1, "mig:1g.5gb"), "c": Wish(1, 0.5)}, mixed())
    fill(places, "a")
    assert places.why_waiting("a") == "for 2 CPUs; the most free are 4 on ws"
    fill(places, "b")
    assert places.why_waiting("b") == "for a 1g.5gb slice; all 2 are taken"
    fill(places, "c")
    assert places.why_waiting("c") == "for 1 CPU beside a GPU; the most free are 0 on a100"


def test_nodes_come_and_go() -> None:
    everything = mixed()
    places = Places({"a": Wish(1, "auto")}, everything)
    assert len(fill(places, "a")) == 6
    places.update(Cluster(everything.nodes[:-1]))
    assert places.kind_for("a") is None
    assert places.of("a0").kind == "rtx-3090"  # its last words may still come
    assert {places.of(cohort).kind for cohort in places.stranded} == {"rtx-3090"} and len(places.stranded) == 2
    places.release("a0")  # stood on the workstation, which is gone
    assert len(places.stranded) == 1
    assert places.kind_for("a") is None
    places.update(everything)
    assert fill(places, "a") == ["rtx-3090", "rtx-3090"]
    places.update(Cluster(()))
    assert places.why_waiting("a") == "for a whole GPU; there is none now"


def test_nodes_that_look_the_same_keep_what_stands_on_each() -> None:
    node = next(node for node in mixed().nodes if node.devices and len(node.devices.uuids) == 2)
    cluster = Cluster((node, node))
    places = Places({"a": Wish(1, "auto")}, cluster)
    assert len(fill(places, "a")) == 4
    for _ in range(2):
        places.update(cluster)
        assert places.kind_for("a") is None and not places.stranded


gpus = st.sampled_from(["none", "auto", "mig:any", "mig:1g.5gb", "3GiB", "9GiB", "20GiB", 0.2, 0.3, 0.5, 1, 2])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.builds(Wish, st.integers(1, 3), gpus), min_size=1, max_size=4), st.randoms())
def test_no_device_is_ever_held_beyond_what_it_has(wishes, random):
    families = {f"f{number}": wish for number, wish in enumerate(wishes)}
    cluster = mixed()
    places, held = Places(families, cluster), {}
    for step in range(60):
        if held and random.random() < 0.4:
            cohort = random.choice(sorted(held))
            places.release(cohort)
            del held[cohort]
            continue
        family = random.choice(sorted(families))
        kind = places.kind_for(family)
        placement = places.take(f"c{step}", family)
        assert (None if placement is None else placement.kind) == kind
        if placement is not None:
            held[f"c{step}"] = placement
        has = Counter()
        for node in cluster.nodes:
            has.update(
                {
                    "CPU": node.cpus,
                    (node.devices.name if node.devices else "cpu-only"): len(node.devices.uuids)
                    if node.devices
                    else node.cpus,
                }
            )
        asked = Counter()
        for one in held.values():
            asked.update({name: count for name, count in one.resources.items() if name != "GPU"})
        assert all(count <= has[name] + 1e-9 for name, count in asked.items())


def test_slots_of_one_machine_are_its_cores() -> None:
    here = Cluster((Node("here", 2),))
    assert Places({"a": Wish(1), "b": Wish(2)}, here).slots == 2
    assert Places({"b": Wish(2)}, here).slots == 1


def test_slices_of_two_cards_that_share_a_name_count_as_the_smaller() -> None:
    from distml.sweep.cluster import nodes_from

    rows = [
        {
            "Alive": alive, "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 2.0, "GPU": 1.0, "1g.10gb": 1.0},
            "Labels": {"distml/host": host, "distml/class": "1g.10gb", "distml/memory-mib": memory,
                       "distml/multiprocessors": "14", "distml/device-0": f"MIG-{host}"},
        }
        for host, memory, alive in (("a", "9728", True), ("b", "9984", True), ("c", "1", False))
    ]  # fmt: skip
    nodes = nodes_from(rows)
    assert [(node.name, node.devices and node.devices.memory_mib, node.apart) for node in nodes] == [
        ("a", 9728, True), ("b", 9728, True),
    ]  # fmt: skip
    assert nodes[0].devices and nodes[0].devices.uuids == ("MIG-a",)


def test_a_ray_without_labels_has_devices_of_no_known_class() -> None:
    from distml.sweep.cluster import nodes_from

    (node,) = nodes_from([{"Alive": True, "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 2.0, "GPU": 2.0}}])
    assert (node.name, node.apart, node.devices and node.devices.name) == ("10.0.0.1", False, "gpu")
    assert Places({"a": Wish(1, "6GiB")}, Cluster((node,))).kind_for("a") is None
    assert slices("1g.5gb").name == "1g.5gb"


@pytest.mark.parametrize(
    ("gpu", "largest_mib"), [("4GiB", 24_576), (0.25, 24_576), ("auto", 24_576), ("mig:any", 19_968), ("none", None)]
)
def test_who_ran_out_of_memory_alone_gets_larger_slots_up_to_the_largest(gpu: str | float, largest_mib: int) -> None:
    cluster = mixed()
    of = {one.name: one.memory_mib for one in cluster.device_classes}
    places, sizes, more = Places({"a": Wish(1, gpu)}, cluster), [], True
    while more:
        placement = places.take("c", "a")
        assert placement is not None
        sizes.append(placement.memory_mib or of.get(placement.kind))
        more = places.outgrown("c", "a")
        places.release("c")
    assert sizes[-1] == largest_mib
    assert sizes == sorted(set(sizes)) if largest_mib else sizes == [None]


def test_what_is_learnt_of_two_classes_outlives_a_look_at_the_cluster() -> None:
    places = Places({"net": Wish(1, "auto")}, mixed())
    assert {places.take(cohort, "net", "s").kind for cohort in ("c1", "c2")} == {"rtx-3090"}
    for kind in ("rtx-3090", "3g.20gb"):
        places.learn("net", "s", kind, Measured(64, 3000.0, 0.1))
        places.update(mixed())
        assert places.kind_for("net") is not None
    for cohort in range(3, 60):
        if places.take(f"c{cohort}", "net", "s") is None:
            break
    places.update(mixed())
    assert places.kind_for("net", "s") is None
    assert places.why_waiting("net") is not None
