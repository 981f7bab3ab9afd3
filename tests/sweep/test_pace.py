"""How long a trial still takes: said where others have gone the same way, and not at all elsewhere."""

from typing import Any

import pytest

from distml.sweep.pace import Pace, next_to_end


def trial(
    name: str, start: float, *rungs: tuple[int, float], end: int = 9, family: str = "net"
) -> list[dict[str, Any]]:
    """Its events; rungs: (resource, seconds since the one before)."""
    events = [
        {"event": "asked", "trial": name, "family": family, "at": start},
        {"event": "cohort", "cohort": f"c-{name}", "trials": [name], "at": start},
    ]
    for resource, seconds in rungs:
        start += seconds
        state = "finished" if resource == end else "running"
        events.append({"event": "rung", "trial": name, "resource": resource, "state": state, "at": start})
    return events


PAST = [event for number, extra in enumerate((0.0, 2.0, 50.0)) for event in
        trial(f"t{number}", 0.0, (1, 10.0 + extra), (3, 20.0 + extra), (9, 60.0 + extra))]  # fmt: skip


@pytest.mark.parametrize(
    ("rungs", "now", "left"),
    [
        ((), 105.0, 12 - 5 + 22 + 62),
        (((1, 10.0),), 115.0, 22 - 5 + 62),
        (((1, 10.0), (3, 20.0)), 130.0, 62),
        (((1, 10.0), (3, 20.0)), 200.0, None),  # longer than the others took: nobody knows
        (((2, 10.0),), 115.0, None),  # nobody went that way
    ],
)
def test_what_is_left_is_the_median_of_the_steps_to_come(rungs: Any, now: float, left: float | None) -> None:
    assert Pace([*PAST, *trial("one", 100.0, *rungs)]).seconds_left("one", now) == left


def test_nothing_is_said_where_sizes_differ_or_few_have_gone_before() -> None:
    assert Pace([*PAST[:10], *trial("one", 100.0)]).seconds_left("one", 105.0) is None  # two
    other = trial("longer", 0.0, (1, 10.0), (3, 20.0), (27, 300.0), end=27)
    assert Pace([*PAST, *other, *trial("one", 100.0)]).seconds_left("one", 105.0) is None
    assert Pace([*PAST, *trial("one", 100.0, family="forest")]).seconds_left("one", 105.0) is None
    assert Pace(PAST).seconds_left("nobody", 105.0) is None


def test_of_several_cohorts_the_one_that_ends_first_with_its_last_trial() -> None:
    events = [
        *PAST,
        *trial("a", 100.0),
        *trial("b", 100.0, (1, 5.0)),
        *trial("c", 100.0, (1, 4.0)),
        *trial("d", 100.0, family="forest"),
    ]
    pace = Pace(events)
    assert next_to_end(pace, [["a", "b"], ["b", "c"]], 110.0) == ("b", 79.0)
    assert next_to_end(pace, [["a"], ["b", "d"]], 110.0) == ("a", 84.0)  # of d nothing is known
    assert next_to_end(pace, [["d"], []], 110.0) is None
