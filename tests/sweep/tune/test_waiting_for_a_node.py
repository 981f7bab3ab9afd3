"""A sweep of which nothing can train now: somebody has to look whether a node has come."""

from typing import Any

from ray.tune.search import Searcher

from distml.sweep.tune.controller import _CohortSearcher


class Waits:
    """A run without a place for any cohort, until a look finds one or the end."""

    desk = None

    def __init__(self, ends_after: int) -> None:
        self.looks, self._ends_after = 0, ends_after
        self.under_way = False

    @property
    def done(self) -> bool:
        return self.looks >= self._ends_after

    @property
    def is_idle(self) -> bool:
        return not self.done and not self.under_way

    def next_order(self) -> Any:
        return None

    def is_over(self) -> bool:
        self.looks += 1
        return self.done


def test_a_searcher_that_is_asked_in_vain_has_the_driver_look_at_the_cluster_and_the_clock() -> None:
    """Ray Tune asks once a second for ten minutes, and does nothing else, where nothing trains."""
    run: Any = Waits(ends_after=3)
    asked = [_CohortSearcher(run).suggest("one") for _ in range(3)]
    assert (asked, run.looks) == ([None, None, Searcher.FINISHED], 3)


def test_while_something_trains_ray_tune_looks_by_itself() -> None:
    run: Any = Waits(ends_after=3)
    run.under_way = True
    assert _CohortSearcher(run).suggest("one") is None
    assert run.looks == 0
