"""How long a trial that runs still takes, from how long others of its family took. Pure functions of a journal."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

_LEAST = 3  # times that a step was seen before anything is said of the next one


class Pace:
    """How long each family's steps took, from one rung to the next, by the journal's clock.

    A step is the time in which its cohort was started or answered, trained and reported: what somebody who waits for
    the slot waits for, too.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self._families: dict[str, str] = {}
        self._reached: dict[str, int] = defaultdict(int)  # trial -> resource
        self._since: dict[str, float] = {}  # trial -> Unix seconds of its last rung, or of its start
        # (family, resource) -> next resource -> seconds of each time
        self._steps: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._ends: dict[str, set[int]] = defaultdict(set)  # family -> resources at which trials had their full size
        for event in events:
            self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "asked":
            self._families[event["trial"]] = event["family"]
            if event.get("parent"):
                self._reached[event["trial"]] = event["parent"]["resource"]
        elif kind == "cohort":
            self._since.update(dict.fromkeys(event["trials"], event["at"]))
        elif kind == "rung":
            trial, family = event["trial"], self._families[event["trial"]]
            before, after = self._reached[trial], event["resource"]
            if trial in self._since and after > before:  # not one that began again
                self._steps[family, before][after].append(event["at"] - self._since[trial])
            if event["state"] == "finished":
                self._ends[family].add(after)
            self._reached[trial], self._since[trial] = after, event["at"]

    def seconds_left(self, trial: str, now: float) -> float | None:
        """Until a running trial reaches its full size, or is stopped before. None: it cannot be said, since too few
        have gone the same way, or not all of them the same way, or it takes longer than they did.

        now: Unix seconds.
        """
        family = self._families.get(trial)
        if family is None or trial not in self._since or len(self._ends[family]) != 1:
            return None
        (end,) = self._ends[family]
        at, left = self._reached[trial], self._since[trial] - now
        while at < end:
            ways = self._steps.get((family, at), {})
            if len(ways) != 1:
                return None
            ((at, seconds),) = ways.items()
            if len(seconds) < _LEAST:
                return None
            left += statistics.median(seconds)
        return left if left > 0 else None


def next_to_end(pace: Pace, cohorts: Iterable[Iterable[str]], now: float) -> tuple[str, float] | None:
    """The trial with which the first of these cohorts ends, and in how many seconds; None where it cannot be said.

    cohorts: the running trials of each.
    """
    ends = []
    for trials in cohorts:
        left = {trial: pace.seconds_left(trial, now) for trial in trials}
        known = {trial: seconds for trial, seconds in left.items() if seconds is not None}
        if known and len(known) == len(left):
            ends.append(max(known.items(), key=lambda item: item[1]))
    return min(ends, key=lambda item: item[1], default=None)
