"""How soon each way of searching has what random search has after 50 trials, on recorded learning curves.

    make bench-quality-simulation

Nothing trains. One machine does one epoch of one network a unit of time, whoever asks for it: no way of searching
gains by batching, by start-up or by idle processors; what is compared is who trains what.
"""

import csv
import gzip
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from distml.models.registry import find_family
from distml.models.space import Value
from distml.sweep.parts import structure_of
from distml.sweep.rungs import rungs
from distml.sweep.search import FamilyPlan, Search, Stopper
from distml.sweep.tune.stoppers import TuneStopper, make_stopper
from distml.training.cohort import Member, RungResult

CURVES = Path(__file__).with_name("curves.csv.gz")
METRIC = "score"
FACTOR = 3  # a sweep file's default

Way = Literal["random", "asha", "cohorts"]


@dataclass(frozen=True)
class Table:
    """configurations: their parameters; curves: (configurations, epochs) validation scores, larger is better."""

    name: str
    configurations: tuple[Mapping[str, Value], ...]
    curves: tuple[tuple[float, ...], ...]


@cache
def load_tables() -> tuple[Table, ...]:
    with gzip.open(CURVES, "rt") as file:
        rows = list(csv.DictReader(file))
    tables = []
    for name in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == name]
        epochs = [key for key in own[0] if key.startswith("epoch_")]
        configurations = tuple({"configuration": i, "hidden": tuple(json.loads(row["hidden"]))} for i, row in enumerate(own))
        tables.append(Table(name, configurations, tuple(tuple(float(row[epoch]) for epoch in epochs) for row in own)))
    return tuple(tables)


class Replay:
    """Proposes the recorded configurations in a given order."""

    def __init__(self, configurations: Sequence[Mapping[str, Value]]) -> None:
        self._left = iter(configurations)

    def suggest(self, trial: str) -> Mapping[str, Value] | None:
        return next(self._left, None)

    def recall(self, trial: str, params: Mapping[str, Value]) -> None: ...

    def result(self, trial: str, resource: int, score: float) -> None: ...

    def complete(self, trial: str, score: float | None, failed: bool) -> None: ...


@dataclass
class _Cohort:
    members: dict[str, tuple[Member, int]]  # with the epochs trained so far
    work: float = 0.0  # epochs of networks until it reports


def shuffled(table: Table, seed: int):
    order = list(table.configurations)
    random.Random(seed).shuffle(order)
    return order


def reports(table: Table, way: Way, concurrent: int, seed: int, full: int, hal=False, nostruct=False, factor=FACTOR, first=1):
    points = rungs(full, first, factor)
    stopper: Stopper | None = None
    if way != "random":
        stopper = make_stopper("asha", mode="max", first=points[0], full=full, factor=factor)
        if way == "asha" and not hal:
            stopper = TuneStopper(stopper._scheduler)
    size, slots = (concurrent, 1) if way == "cohorts" else (1, concurrent)
    family = find_family("scoring-network")
    plan = FamilyPlan(
        "scoring-network", Replay(shuffled(table, seed)), stopper,
        structure=(lambda p: "") if nostruct else (lambda params: structure_of(family, params)), rungs=lambda params: points, cohort_size=size,
    )
    search = Search([plan], metric=METRIC, greater_is_better=True, seed=seed, journal=lambda e: None, slots=slots)
    running: dict[str, _Cohort] = {}
    now = 0.0
    def work(c):
        return sum(next(p for p in points if p > r) - r for _, r in c.members.values())
    while True:
        while len(running) < slots and (order := search.next_cohort(now)) is not None:
            c = _Cohort({m.trial: (m, 0) for m in order.members})
            c.work = work(c)
            running[order.cohort] = c
        if not running:
            return
        name = min(running, key=lambda n: running[n].work)
        left = running[name].work
        now += left * len(running)
        for c in running.values():
            c.work -= left
        c = running[name]
        results = []
        for trial, (member, reached) in list(c.members.items()):
            res = next(p for p in points if p > reached)
            c.members[trial] = (member, res)
            score = table.curves[member.params["configuration"]][res - 1]
            yield now, score, res == points[-1]
            results.append(RungResult(trial, res, "finished" if res == points[-1] else "running", {METRIC: score}, (score,)))
        reply = search.on_results(name, results, now)
        for t in reply.release:
            c.members.pop(t, None)
        for m in reply.admit:
            c.members[m.trial] = (m, 0)
        if reply.end:
            del running[name]
        else:
            c.work = work(c)


def time_to(table, way, concurrent, seed, full, target, finished=False, **kw):
    for now, score, fin in reports(table, way, concurrent, seed, full, **kw):
        if score >= target and (fin or not finished):
            return now
    return float("inf")


def best_of_50(table, seed, full, finished=False):
    points = rungs(full, 1, FACTOR)
    own = shuffled(table, seed)[:50]
    return max(table.curves[p["configuration"]][r - 1] for p in own for r in (points if not finished else points[-1:]))
