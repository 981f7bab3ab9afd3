"""Shares and places: never more given than there is, nobody waiting who would fit."""

import doctest
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.hardware import packing
from distml.hardware.devices import DeviceClass
from distml.hardware.packing import RAY_UNITS, Need, Share, Slot, allocator_cap, pack, share_of

unhurried = settings(deadline=None)  # the machine may be busy
needs = st.builds(Need, st.integers(1, 90_000), st.integers(0, 140))
classes = st.builds(
    lambda count, memory, sms: DeviceClass("some", tuple(map(str, range(count))), memory, sms),
    st.integers(1, 16),
    st.integers(1_000, 81_920),
    st.none() | st.integers(7, 132),
)
few_needs = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), needs, max_size=12)
sizes = st.tuples(st.integers(0, 81_920), st.integers(0, 132))
slot_lists = st.lists(sizes, max_size=6).map(lambda all: [Slot(f"gpu{i}", *one) for i, one in enumerate(all)])


def taken(need, slot):
    return min(need.multiprocessors, slot.multiprocessors)


def test_the_examples_hold():
    assert doctest.testmod(packing).failed == 0


@unhurried
@given(needs, classes)
def test_the_cohorts_of_a_share_fit_a_device_and_their_fractions_one_gpu(need, devices):
    share = share_of(need, devices)
    if share.slots == 0:
        assert need.memory_mib > devices.memory_mib
        assert share.gpu == 0
        return
    assert share.slots * need.memory_mib <= devices.memory_mib
    if devices.multiprocessors and share.slots > 1:
        assert share.slots * need.multiprocessors <= devices.multiprocessors
    assert round(share.gpu * RAY_UNITS) * share.slots <= RAY_UNITS < round(share.gpu * RAY_UNITS) * (share.slots + 1)


@unhurried
@given(needs, classes)
def test_rays_sum_over_a_node_never_admits_one_cohort_too_many(need, devices):
    share = share_of(need, devices)
    if share.slots:
        admitted = len(devices.uuids) * RAY_UNITS // round(share.gpu * RAY_UNITS)
        assert admitted == share.at_once


@unhurried
@given(needs, classes, st.integers(0, 5_000), st.integers(0, 20))
def test_a_larger_need_never_gets_more_slots_and_a_larger_device_never_fewer(need, devices, mib, multiprocessors):
    share = share_of(need, devices)
    larger = Need(need.memory_mib + mib, need.multiprocessors + multiprocessors)
    assert share_of(larger, devices).slots <= share.slots
    more = devices.multiprocessors and devices.multiprocessors + multiprocessors
    roomier = DeviceClass("some", devices.uuids, devices.memory_mib + mib, more)
    assert share_of(need, roomier).slots >= share.slots


def test_eighty_cohorts_on_two_nodes_of_eight_gpus_all_run():
    node = DeviceClass("a100", tuple(f"GPU-{i}" for i in range(8)), 40_960, 108)
    share = share_of(Need(int(40_960 * 0.18)), node)
    assert (share.slots, share.gpu, share.at_once) == (5, 0.2, 40)


def test_where_no_even_split_counts_right_one_slot_is_given_up():
    node = DeviceClass("some", tuple(map(str, range(8))), 60_000, None)
    share = share_of(Need(1_000), node)
    assert share.slots == 59 or RAY_UNITS * 8 // (RAY_UNITS // share.slots) == 8 * share.slots
    assert "and not 60 so that Ray counts right" in share.reason


def test_a_device_that_does_not_tell_its_memory_takes_one():
    assert share_of(Need(9_000), DeviceClass("some", ("GPU-0",), None, None)) == Share(
        "some", 1, 1, "1 on each: the device does not tell its memory"
    )


@unhurried
@given(needs, classes, st.integers(0, 800))
def test_allocators_and_contexts_of_all_processes_fit_the_device(need, devices, context):
    share = share_of(need, devices)
    if share.slots:
        cap = allocator_cap(devices.memory_mib // share.slots, devices.memory_mib, context)
        used = share.slots * cap * devices.memory_mib
        assert used <= max(0, devices.memory_mib - share.slots * context) + 1e-6


@unhurried
@given(few_needs, slot_lists)
def test_no_slot_is_given_more_than_it_has(asked, slots):
    packed = pack(asked, slots)
    for slot in slots:
        here = [asked[cohort] for cohort, place in packed.placed.items() if place == slot.name]
        assert sum(need.memory_mib for need in here) <= slot.memory_mib
        assert sum(taken(need, slot) for need in here) <= slot.multiprocessors


@unhurried
@given(few_needs, slot_lists)
def test_everyone_is_placed_or_waits_for_a_reason_and_nobody_who_would_fit_waits(asked, slots):
    packed = pack(asked, slots)
    assert packed.placed.keys() | packed.waiting.keys() == asked.keys()
    assert not packed.placed.keys() & packed.waiting.keys()
    for cohort, slot in product(packed.waiting, slots):
        here = [asked[one] for one, place in packed.placed.items() if place == slot.name]
        memory = slot.memory_mib - sum(need.memory_mib for need in here)
        multiprocessors = slot.multiprocessors - sum(taken(need, slot) for need in here)
        assert asked[cohort].memory_mib > memory or taken(asked[cohort], slot) > multiprocessors
    assert all(packed.waiting.values())


@unhurried
@given(needs, st.integers(0, 30), slot_lists)
def test_needs_that_are_alike_are_placed_as_often_as_can_be(need, count, slots):
    packed = pack({str(number): need for number in range(count)}, slots)
    possible = 0
    for slot in slots:
        by_memory = slot.memory_mib // need.memory_mib
        compute = taken(need, slot)
        possible += min(by_memory, slot.multiprocessors // compute) if compute else by_memory
    assert len(packed.placed) == min(count, possible)


@unhurried
@given(needs, st.integers(1, 20), slot_lists, sizes)
def test_another_device_or_one_cohort_less_never_places_fewer(need, count, slots, added):
    alike = {str(number): need for number in range(count)}
    placed = len(pack(alike, slots).placed)
    assert len(pack(alike, [*slots, Slot("added", *added)]).placed) >= placed
    fewer = dict(list(alike.items())[1:])
    assert len(pack(fewer, slots).placed) >= placed - 1


@unhurried
@given(few_needs, few_needs, slot_lists)
def test_what_is_left_of_a_device_is_packed_like_a_device(first, second, slots):
    """A need is cut down to the multiprocessors a device has, never to those that are free."""
    held = {slot.name: [first[cohort] for cohort, place in pack(first, slots).placed.items() if place == slot.name]
            for slot in slots}  # fmt: skip
    left = [
        Slot(
            slot.name,
            slot.memory_mib - sum(need.memory_mib for need in held[slot.name]),
            slot.multiprocessors - sum(taken(need, slot) for need in held[slot.name]),
            slot.multiprocessors,
        )
        for slot in slots
    ]
    packed = pack(second, left)
    for slot in slots:
        here = held[slot.name] + [second[cohort] for cohort, place in packed.placed.items() if place == slot.name]
        assert sum(need.memory_mib for need in here) <= slot.memory_mib
        assert sum(taken(need, slot) for need in here) <= slot.multiprocessors


def test_who_waits_is_told_what_is_free():
    slots = [Slot("node3 gpu1", 6_554, 82), Slot("node3 gpu2", 2_048, 82)]
    assert pack({"c1": Need(9_318)}, slots).waiting == {
        "c1": "needs 9.1 GiB on one device; the best free is 6.4 GiB on node3 gpu1"
    }
    assert pack({"c1": Need(9_318)}, []).waiting == {"c1": "needs 9.1 GiB on one device; there is none"}
    busy = pack({"c1": Need(1_024, 60), "c2": Need(1_024, 60)}, [Slot("gpu0", 24_576, 82)])
    assert busy.waiting == {
        "c2": "needs 60 multiprocessors and 1.0 GiB on one device; the best free is 22 and 23.0 GiB on gpu0"
    }


@pytest.mark.parametrize("structures", [4, 50])
def test_a_hundred_thousand_cohorts_on_seven_thousand_slices_are_packed(structures):
    asked = {f"c{number}": Need(1_000 + 137 * (number % structures), 3) for number in range(100_000)}
    slots = [Slot(f"slice{number}", 9_984, 14) for number in range(7_000)]
    packed = pack(asked, slots)
    assert len(packed.placed) + len(packed.waiting) == 100_000
    assert len(packed.placed) >= 7_000
