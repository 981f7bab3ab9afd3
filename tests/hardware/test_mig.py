"""MIG layouts against NVIDIA's published enumerations, and the choice among them against brute force."""

import dataclasses
import doctest
from collections import Counter
from itertools import combinations, permutations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.errors import DistmlError
from distml.hardware import mig
from distml.hardware.mig import (
    CARDS,
    best_for_needs,
    best_for_throughput,
    find_card,
    maximal_layouts,
    recognise_card,
)

unhurried = settings(deadline=None)  # the machine may be busy
A100, A30 = find_card("a100-40"), find_card("a30")
CLASSIC = dataclasses.replace(A100, profiles=tuple(one for one in A100.profiles if one.name != "1g.10gb"))
# 7 | 4+3 | 4+2+1 | 4+1x3 | 3+3 | 3+2+2 | 3+2+1 | 3+2+1+1 | 3+1x3 | 3+1x4 | 2+2+2+1 | 2+2+1x3 | 2+1x5 | 1x7
PUBLISHED = [
    "7",
    "43",
    "421",
    "4111",
    "33",
    "322",
    "321",
    "3211",
    "3111",
    "31111",
    "2221",
    "22111",
    "211111",
    "1111111",
]


def compute(card, layout):
    return "".join(sorted((str(card.profile(one.profile).compute) for one in layout), reverse=True))


def by_trying_all(card):
    """Every maximal layout, from all subsets of all placements."""
    places = [(start, one) for one in card.profiles for start in one.starts]

    def valid(chosen):
        cells = [cell for start, one in chosen for cell in range(start, start + one.memory)]
        return len(cells) == len(set(cells)) and sum(one.compute for _, one in chosen) <= card.compute

    found = [set(some) for size in range(1, card.compute + 1) for some in combinations(places, size) if valid(some)]
    return {
        frozenset((start, one.name) for start, one in some)
        for some in found
        if not any(valid([*some, place]) for place in places if place not in some)
    }


def test_the_examples_hold():
    assert doctest.testmod(mig).failed == 0


def test_the_classic_profiles_of_an_a100_give_19_layouts_of_14_kinds():
    layouts = maximal_layouts(CLASSIC)
    assert len(layouts) == len(set(layouts)) == 19
    assert sorted({compute(CLASSIC, layout) for layout in layouts}) == sorted(PUBLISHED)


def test_an_a30_has_5_layouts():
    assert sorted(compute(A30, layout) for layout in maximal_layouts(A30)) == ["1111", "211", "211", "22", "4"]


@pytest.mark.parametrize("card", [A30, CLASSIC], ids=["a30", "a100"])
def test_enumeration_finds_what_trying_all_subsets_finds(card):
    found = [frozenset((one.start, one.profile) for one in layout) for layout in maximal_layouts(card)]
    assert len(found) == len(set(found))
    assert set(found) == by_trying_all(card)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_slices_of_a_layout_neither_overlap_nor_exceed_the_card(card):
    for layout in maximal_layouts(card):
        profiles = [card.profile(one.profile) for one in layout]
        cells = [
            cell for one, at in zip(profiles, layout, strict=True) for cell in range(at.start, at.start + one.memory)
        ]
        assert len(cells) == len(set(cells))
        assert max(cells) < card.memory
        assert sum(one.compute for one in profiles) <= card.compute
        assert sum(one.multiprocessors for one in profiles) <= card.multiprocessors


@unhurried
@given(st.dictionaries(st.sampled_from([one.name for one in A100.profiles]), st.integers(0, 50), min_size=1))
def test_no_layout_has_more_throughput_than_the_chosen_one(throughput):
    plan = best_for_throughput(A100, throughput)
    best = max(sum(throughput.get(one.profile, 0) for one in layout) for layout in maximal_layouts(A100))
    assert sum(throughput.get(one, 0) for one in plan.profiles) == best


@unhurried
@given(st.lists(st.sampled_from([3.0, 4.75, 6.0, 9.75, 12.0, 19.5, 30.0]), min_size=1, max_size=4))
def test_no_layout_holds_more_needs_than_the_chosen_one(needs):
    def held(layout):
        memory = [A100.profile(one.profile).memory_gib for one in layout]
        tries = permutations(memory, min(len(needs), len(memory)))
        return max(
            sum(need <= room for need, room in zip(order, some, strict=False))
            for some in tries
            for order in permutations(needs)
        )

    kinds = {str(sorted(one.profile for one in layout)): layout for layout in maximal_layouts(CLASSIC)}
    plan = best_for_needs(CLASSIC, needs)
    assert held(plan.layout) == max(map(held, kinds.values()))
    assert f"{held(plan.layout)} of {len(needs)} held" in plan.reason


def test_the_choice_by_throughput_says_why():
    plan = best_for_throughput(A100, {"1g.5gb": 10, "7g.40gb": 38})
    assert plan.profiles == ("1g.5gb",) * 7
    assert plan.reason == (
        "7 x 1g.5gb: 70 together; next best 7g.40gb with 38; not measured: 1g.10gb, 2g.10gb, 3g.20gb, 4g.20gb"
    )


def test_the_choice_by_needs_says_why_and_what_must_wait():
    assert best_for_needs(A100, [4, 9]).reason == "4g.20gb + 3g.20gb: 2 of 2 held, on 7 of 7 compute slices"
    assert best_for_needs(A100, [50, 30, 30]).reason == (
        "7g.40gb: 1 of 3 held, on 7 of 7 compute slices; must wait for a slice: 30 GiB; too large for any slice: 50 GiB"
    )


def test_an_administrator_gets_the_commands_and_the_same_for_mig_parted():
    plan = best_for_needs(A100, [4, 9])
    assert plan.commands(1) == [
        "sudo nvidia-smi -i 1 -mig 1",
        "sudo nvidia-smi mig -i 1 -dci",
        "sudo nvidia-smi mig -i 1 -dgi",
        "sudo nvidia-smi mig -i 1 -cgi 4g.20gb:0,3g.20gb:4 -C",
    ]
    assert yaml.safe_load(plan.mig_parted([1, 2])) == {
        "version": "v1",
        "mig-configs": {
            "distml": [{"devices": [1, 2], "mig-enabled": True, "mig-devices": {"4g.20gb": 1, "3g.20gb": 1}}]
        },
    }
    assert yaml.safe_load(plan.mig_parted([]))["mig-configs"]["distml"][0]["devices"] == "all"


@pytest.mark.parametrize(
    ("name", "memory_mib", "card"),
    [
        ("NVIDIA A100-SXM4-40GB", 40960, "a100-40"),
        ("NVIDIA A100 80GB PCIe", 81920, "a100-80"),
        ("NVIDIA A30", 24576, "a30"),
        ("NVIDIA H100 80GB HBM3", 81559, "h100-80"),
        ("NVIDIA H200", 143771, "h200"),
        ("NVIDIA H100 NVL", 95830, None),  # other profiles: 94 GB
        ("NVIDIA GH200 480GB", 97871, None),
        ("NVIDIA RTX A3000", 24576, None),
        ("NVIDIA GeForce RTX 3090", 24576, None),
    ],
)
def test_cards_are_recognised_by_what_nvml_calls_them(name, memory_mib, card):
    found = recognise_card(name, memory_mib)
    assert (found and found.name) == card


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: find_card("a100"), "unknown card 'a100'. Did you mean 'a100-80'?"),
        (lambda: best_for_throughput(A100, {"1g.6gb": 3}), "a100-40 has no profile '1g.6gb'. Did you mean '1g.5gb'?"),
        (lambda: best_for_throughput(A100, {}), "no throughput"),
        (lambda: best_for_needs(A100, []), "no needs"),
        (lambda: best_for_needs(A100, [80, 50]), "needs 50 GiB; the largest slice of a100-40 has 39.25 GiB"),
    ],
)
def test_mistakes_name_the_bad_value_and_the_valid_ones(call, said):
    with pytest.raises(DistmlError, match="^" + said.replace("?", r"\?").replace(".", r"\.")):
        call()


def test_profiles_of_a_card_grow_together():
    for card in CARDS:
        names = Counter(one.name for one in card.profiles)
        assert set(names.values()) == {1}
        memory = [one.memory_gib for one in card.profiles]
        assert memory == sorted(memory)
