"""Trials with those whose weights they took over, as populations have them."""

from collections.abc import Mapping

from distml.sweep.params import split_params
from distml.sweep.records import TrialRecord
from distml.training.cohort import Ancestor, Member


def line_of(trials: Mapping[str, TrialRecord], trial: str) -> list[tuple[TrialRecord, int]]:
    """Those that a trial goes on from, and the resource at which the next one took over; the oldest first."""
    line = []
    parent = trials[trial].parent
    while parent is not None:
        record = trials[parent.trial]
        line.append((record, parent.resource))
        parent = record.parent
    return line[::-1]


def member_of(trials: Mapping[str, TrialRecord], trial: str, rungs: tuple[int, ...]) -> Member:
    """A recorded trial, ready to be trained from its line's beginning."""
    record = trials[trial]
    ancestors = tuple(
        Ancestor(one.trial, split_params(one.params)[0], one.seed, until) for one, until in line_of(trials, trial)
    )
    return Member(trial, split_params(record.params)[0], record.seed, rungs, ancestors)
