"""What a progress report says of the time that is left."""

import pytest

from distml.sweep.progress import FamilyProgress
from distml.sweep.watching import _remaining


@pytest.mark.parametrize(
    ("done", "total", "elapsed", "limit", "left"),
    [
        (20, 40, 30.0, None, 30.0),  # at the pace so far
        (20, 40, 30.0, 50.0, 20.0),  # the time is up first
        (20, None, 30.0, 50.0, 20.0),
        (20, 40, 65.0, 60.0, 0.0),  # running rungs end when the time is up
        (41, 40, 30.0, None, 0.0),
        (0, 40, 30.0, None, None),  # no pace yet
    ],
)  # fmt: skip
def test_time_left(done: int, total: int | None, elapsed: float, limit: float | None, left: float | None) -> None:
    family = FamilyProgress("mine", "", done, total, None)
    assert _remaining((family,), elapsed, limit) == left
