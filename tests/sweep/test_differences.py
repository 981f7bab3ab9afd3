import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.models.space import Choice, Domain, Fixed, Float, Int, parse_domain
from distml.sweep.differences import completed, differences, resolved
from distml.sweep.spec import SweepSpec
from distml.sweep.values import domain_as_written


def spec(**changes: Any) -> SweepSpec:
    families = {"scoring-network": {"space": {"lr": {"low": 0.001, "high": 0.1}, "hidden": [[64], [64, 64]]}}}
    return SweepSpec(
        **{"name": "x", "data": {"source": "a.csv", "target": "b"}, "families": families, **changes},
    )


def test_a_resolved_sweep_is_a_sweep_file_of_the_same_sweep() -> None:
    once = resolved(spec(resources={"cpu": 2}, preprocessing={"pca": [None, 8]}))
    assert resolved(SweepSpec.from_mapping(json.loads(json.dumps(once)))) == once


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
numbers = st.floats(-1e6, 1e6)
domains = st.one_of(
    values.map(Fixed),
    st.lists(values, min_size=1, max_size=4).map(lambda options: Choice(tuple(options))),
    st.tuples(numbers, numbers).map(lambda pair: Float(*sorted(pair))),
    st.tuples(st.integers(1, 99), st.integers(1, 99)).map(lambda pair: Int(*sorted(pair), log=True)),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 5)).map(
        lambda three: Int(*sorted(three[:2]), step=three[2])
    ),
)


@given(domains)
def test_a_domain_survives_being_written(domain: Domain) -> None:
    again = parse_domain(json.loads(json.dumps(domain_as_written(domain))))
    if isinstance(domain, Fixed) and isinstance(domain.value, tuple):
        assert again == Choice((domain.value,))  # a list alone would be a choice of its items
    else:
        assert again == domain


def test_nothing_differs_from_itself() -> None:
    assert differences(resolved(spec()), resolved(spec())) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"budget": {"trials": 5}}, "budget.minutes: 10.0 -> null"),
        ({"resources": {"cpu": 4}}, "resources.cpu: 1 -> 4"),
        ({"report": ["gini"]}, "report: [] -> [gini]"),
    ],
)
def test_a_sweep_goes_on_with_another_budget_resources_or_report(changes: dict[str, Any], line: str) -> None:
    found = differences(resolved(spec()), resolved(spec(**changes)))
    assert line in map(str, found)
    assert all(difference.harmless for difference in found)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {
                "families": {
                    "scoring-network": {"space": {"lr": {"low": 0.01, "high": 0.1}, "hidden": [[64], [64, 64]]}}
                }
            },
            "families.scoring-network.space.lr.low: 0.001 -> 0.01",
        ),
        (
            {"families": {"scoring-network": {"space": {"lr": {"low": 0.001, "high": 0.1}, "hidden": [[64]]}}}},
            "families.scoring-network.space.hidden: [[64], [64, 64]] -> [[64]]",
        ),
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"metric": "f1"}, "metric: null -> f1"),
        ({"split": {"folds": 3}}, "split.folds: 5 -> 3"),
        ({"search": {"scheduler": "none"}}, "search.scheduler: asha -> none"),
        ({"data": {"source": "a.csv", "target": "b", "drop": ["ID"]}}, "data.drop: [] -> [ID]"),
        ({"preprocessing": {"numeric": "none"}}, "preprocessing.numeric: [standard] -> [none]"),
    ],
)
def test_any_other_change_stands_in_the_way(changes: dict[str, Any], line: str) -> None:
    found = differences(resolved(spec()), resolved(spec(**changes)))
    assert [str(difference) for difference in found if not difference.harmless] == [line]


def test_the_table_may_lie_elsewhere() -> None:
    assert differences(resolved(spec()), resolved(spec(data={"source": "elsewhere/a.csv", "target": "b"}))) == []


def test_a_family_more_or_less_is_one_line() -> None:
    families = {**spec().families, "random-forest": {}}
    (found,) = differences(resolved(spec()), resolved(spec(families=families)))
    assert str(found).startswith("families.random-forest: nothing -> {class: null")
    assert not found.harmless


def test_what_an_earlier_version_did_not_know_of_is_no_difference() -> None:
    now = resolved(spec())
    then = json.loads(json.dumps(now))
    del then["loggers"], then["preprocessing"]["text_dimensions"]
    assert differences(then, now) != []
    assert differences(completed(then), now) == []
    assert completed({**then, "of a later version": 1}) == {**then, "of a later version": 1}
