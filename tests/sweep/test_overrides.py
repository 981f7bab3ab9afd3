from typing import Any

import pytest

from distml.errors import MistakesError
from distml.sweep.overrides import apply_overrides

RAW: dict[str, Any] = {"name": "q", "families": ["a", "b"], "budget": None}


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=7", "seed", 7),
        ("budget.trials=5", "budget", {"trials": 5}),
        ("families[1]=c", "families", ["a", "c"]),
        ("families.0=c", "families", ["c", "b"]),
        ("families=[c]", "families", ["c"]),
        ("a.b.c={d: [1, 2]}", "a", {"b": {"c": {"d": [1, 2]}}}),
        ("name=", "name", None),
        ("name=a=b", "name", "a=b"),
    ],
)
def test_a_value_is_put_in_its_place(override: str, key: str, value: Any) -> None:
    assert apply_overrides(RAW, [override])[key] == value


def test_the_last_one_wins_and_what_was_read_stays_as_it_was() -> None:
    assert apply_overrides(RAW, ["seed=1", "seed=2"])["seed"] == 2
    assert RAW == {"name": "q", "families": ["a", "b"], "budget": None}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.trials", "has no value; write key=value"),
        ("=1", "is not a dotted key"),
        ("a..b=1", "is not a dotted key"),
        ("families[2]=c", "families is a list and has no '2': give a place from 0 to 1"),
        ("families.a.space=c", "families is a list and has no 'a'"),
        ("name.first=c", "name is 'q' and has no 'first' in it; set name as a whole"),
        ("x=[1", "'[1' is not a value"),
        ("x=*a", "aliases"),
    ],
)
def test_what_cannot_be_set_says_so(override: str, said: str) -> None:
    with pytest.raises(MistakesError) as raised:
        apply_overrides(RAW, [override])
    assert said in str(raised.value)


def test_all_of_them_at_once() -> None:
    with pytest.raises(MistakesError) as raised:
        apply_overrides(RAW, ["a", "name.x=1", "seed=3"])
    assert [mistake.where for mistake in raised.value.mistakes] == ["a", "name.x"]
