"""From what a cohort took of a device to the share of those after it, and what the account of places makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.hardware.packing import HEADROOM, MOST_AT_ONCE, Measured, share_of_measured
from distml.sweep.cluster import Cluster, Node
from distml.sweep.needs import Needs
from distml.sweep.places import Places
from distml.sweep.wish import Wish
from tests.sweep.clusters import mixed, rtx_3090s, slices

SMALL = Measured(16, 3_000.0, 0.2)


@given(
    st.floats(1, 30_000), st.floats(0, 1), st.integers(0, 30_000), st.integers(1, 8),
    st.integers(1_000, 80_000),
)  # fmt: skip
def test_a_share_has_the_memory_and_the_time_that_was_measured(peak, busy, too_small, devices, total):
    share = share_of_measured(Measured(8, peak, busy), rtx_3090s(devices, total), too_small)
    assert 0 <= share.slots <= MOST_AT_ONCE
    assert (share.slots == 0) == (total <= too_small)
    if share.slots > 1:
        assert total / share.slots >= HEADROOM * peak
        assert share.slots * busy <= 1 + 1e-9
        assert total // share.slots > too_small
        assert share.gpu * share.slots <= 1


@pytest.mark.parametrize(
    ("measured", "memory_mib", "reason"),
    [
        (Measured(8, None, 0.1), 24_576, "1 on each: what 8 members take of its memory is not known"),
        (Measured(8, 900.0, None), 24_576, "1 on each: for how much of the time one keeps it busy is not known"),
        (Measured(1, 900.0, 0.1), None, "1 on each: what 1 member take of its memory is not known"),
        (None, 24_576, "1 on each: none had one to itself yet"),
        (Measured(8, 23_000.0, 0.1), 24_576, "1 on each: memory (24.7 GiB with headroom); 8 members took 22.5"),
        (Measured(8, 900.0, 0.93), 24_576, "1 on each: one alone kept it busy for 93 % of the time"),
    ],
)
def test_what_is_not_known_or_leaves_nothing_stays_a_whole_device(measured, memory_mib, reason):
    share = share_of_measured(measured, rtx_3090s(1, memory_mib))
    assert share.slots == 1 and share.reason.startswith(reason)


def test_later_cohorts_of_a_structure_take_the_share_that_follows_and_others_begin_with_a_whole_device() -> None:
    places = Places({"net": Wish(1, "auto")}, Cluster((Node("ws", 12, rtx_3090s(), apart=True),)))
    first = places.take("c1", "net", "A")
    assert first is not None and first.memory_mib is None and places.held_whole("c1")
    places.learn("net", "A", "rtx-3090", SMALL)
    (event,) = places.take_events()
    assert (event["slots"], event["structure"], event["kind"]) == (5, "A", "rtx-3090")
    assert event["reason"].startswith("5 on each: one alone kept it busy for 20 % of the time; 16 members took 2.9 of")
    assert places.shared("net", "A", "rtx-3090") and not places.shared("net", "B", "rtx-3090")
    second = places.take("c2", "net", "A")
    assert second is not None
    assert second.resources == {"CPU": 1, "GPU": 0.2, "rtx-3090": 0.2} and second.memory_mib == 24_576 // 5
    assert places.kind_for("net", "B") is None and places.kind_for("net") == "rtx-3090"
    assert places.why_waiting("net", "B") == "for a whole GPU; all 2 are taken"
    assert places.why_waiting("net", "A") is None
    for number in range(4):
        assert places.take(f"d{number}", "net", "A") is not None
    assert places.kind_for("net") is None
    assert places.why_waiting("net", "A") == "for a share of a GPU; the most free is 0 on ws rtx-3090 0"
    assert sorted(places.behind("net", "A")) == ["c1", "c2", "d0", "d1", "d2", "d3"]
    places.release("c1")
    assert places.kind_for("net", "B") == "rtx-3090"


def test_each_class_of_device_is_measured_by_itself() -> None:
    places = Places({"net": Wish(1, "auto")}, mixed())
    places.learn("net", "A", "rtx-3090", SMALL)
    kinds = []
    while places.kind_for("net", "A") is not None:
        placement = places.take(f"c{len(kinds)}", "net", "A")
        assert placement is not None
        kinds.append(str(placement))
    assert kinds.count("0.2 of rtx-3090") == 4  # the workstation's cores
    assert {"3g.20gb", "2g.10gb", "1g.5gb"} < set(kinds)  # whole


def test_what_was_learnt_is_taken_up_again_and_a_node_that_comes_keeps_it() -> None:
    cluster = Cluster((Node("ws", 8, rtx_3090s(), apart=True),))
    before = Places({"net": Wish(1, "auto")}, cluster)
    before.learn("net", "A", "rtx-3090", SMALL)
    after = Places({"net": Wish(1, "auto")}, Cluster(()))
    for event in before.take_events():
        after.recall(event)
    assert after.kind_for("net", "A") is None
    after.update(cluster)
    placement = after.take("c1", "net", "A")
    assert placement is not None and str(placement) == "0.2 of rtx-3090" and after.take_events() == []


def test_memory_that_runs_out_in_a_share_makes_it_larger_until_a_whole_device_is_too_small() -> None:
    places = Places({"net": Wish(1, "auto")}, Cluster((Node("ws", 8, rtx_3090s(1), apart=True),)))
    places.learn("net", "A", "rtx-3090", SMALL)
    sizes = []
    for number in range(4):
        placement = places.take(f"c{number}", "net", "A")
        assert placement is not None
        sizes.append(placement.memory_mib)
        places.cramped(f"c{number}", "net")  # several members: never more than a whole device
        places.release(f"c{number}")
    assert sizes == [24_576 // 5, 24_576 // 4, 24_576 // 3, 24_576 // 2]
    placement = places.take("whole", "net", "A")
    assert placement is not None and placement.memory_mib is None
    places.cramped("whole", "net")
    assert not places.outgrown("whole", "net")  # there is nothing larger: its member has failed
    places.release("whole")
    assert places.kind_for("net", "A") == "rtx-3090"  # and others of its structure may still try
    assert [event["too_small_mib"] for event in places.take_events()] == [0, 4_915, 6_144, 8_192, 12_288]


def test_one_that_outgrew_its_share_alone_gets_a_larger_one() -> None:
    places = Places({"net": Wish(1, "auto")}, Cluster((Node("ws", 8, rtx_3090s(1), apart=True),)))
    places.learn("net", "A", "rtx-3090", SMALL)
    places.take("c1", "net", "A")
    assert places.outgrown("c1", "net")
    places.release("c1")
    placement = places.take("c2", "net", "A")
    assert placement is not None and str(placement) == "0.25 of rtx-3090"


def test_more_is_remembered_and_less_is_not() -> None:
    needs, devices = Needs(), slices("1g.10gb", 2, 9_728, 14)
    assert needs.measure("net", "A", devices, Measured(4, 1_000.0, None))  # whole, for want of a figure
    assert needs.measure("net", "A", devices, Measured(4, 900.0, 0.25))
    assert needs.slots("net", "A") == (("1g.10gb", 4),)
    assert not needs.measure("net", "A", devices, Measured(2, 100.0, 0.01))
    assert needs.measure("net", "A", devices, Measured(4, 4_000.0, 0.01))
    assert needs.slots("net", "A") == (("1g.10gb", 2),)


def test_a_family_waits_for_a_whole_device_where_others_have_parts_of_it() -> None:
    places = Places(
        {"a": Wish(1, "auto"), "b": Wish(1, "auto"), "c": Wish(1, 0.25)}, Cluster((Node("ws", 8, rtx_3090s(1)),))
    )
    places.learn("a", "A", "rtx-3090", SMALL)
    places.take("c1", "a", "A")
    assert places.kind_for("b") is None and places.kind_for("a") == "rtx-3090"
    assert places.waits_for("b", "rtx-3090") and not places.waits_for("b", "1g.5gb")
    assert not places.waits_for("c", "rtx-3090")  # a share is all it asks for
