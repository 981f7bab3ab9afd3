"""How soon a search has the score that random search has after 50 trials, replayed on recorded learning curves.

    make bench-quality-simulation

Nothing trains. One processor trains one network for one epoch in one unit of time, whoever asks for it, and every way
of searching has as many trials under way at once. So nobody gains by batching, by start-up or by an idle processor:
what is compared is which trials get the time. Only the score of a trial trained to its end counts.
"""

import csv
import gzip
import json
import math
import random
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from ray.tune.schedulers import ASHAScheduler  # noqa: TID251  # as one uses it without distml

from distml.models.registry import find_family
from distml.models.space import Value
from distml.sweep.orders import FamilyPlan, Searcher
from distml.sweep.parts import structure_of
from distml.sweep.rungs import rungs
from distml.sweep.search import Search
from distml.sweep.tune.stoppers import TuneStopper, make_stopper
from distml.training.cohort import Member, RungResult

CURVES = Path(__file__).with_name("curves.csv.gz")
TRIALS = 50  # of random search, whose best score the others shall have
FACTOR = 3  # a sweep file's default
METRIC = "score"

Reports = Iterator[tuple[int, float]]  # (epochs of networks trained so far, score of a trial that finished)


@dataclass(frozen=True)
class Table:
    """Recorded trials of one table. curves: configuration -> its score after each epoch, up; NaN once diverged."""

    space: str
    name: str
    hidden: Sequence[tuple[int, ...]]  # configuration -> widths, which members of a cohort share
    curves: Sequence[Sequence[float]]

    def order(self, seed: int) -> list[int]:
        """The configurations in the order in which a search meets them."""
        return random.Random(seed).sample(range(len(self.curves)), len(self.curves))

    def goal(self, orders: int = 101) -> float:
        """The best score of random search's first trials, its median over orders."""
        finals = [curve[-1] if math.isfinite(curve[-1]) else -math.inf for curve in self.curves]
        return statistics.median(max(finals[i] for i in self.order(seed)[:TRIALS]) for seed in range(orders))


@cache
def load_tables(epochs: int) -> tuple[Table, ...]:
    """Learning rates are constant, so that a training of `epochs` epochs is the beginning of what was recorded."""
    with gzip.open(CURVES, "rt") as file:
        rows = list(csv.DictReader(file))
    tables = []
    for space, name in dict.fromkeys((row["space"], row["table"]) for row in rows):
        own = [row for row in rows if (row["space"], row["table"]) == (space, name)]
        hidden = [tuple(json.loads(row["hidden"])) for row in own]
        curves = [[float(row[f"epoch_{epoch}"]) for epoch in range(1, epochs + 1)] for row in own]
        tables.append(Table(space, name, hidden, curves))
    return tuple(tables)


def random_search(table: Table, seed: int, concurrent: int) -> Reports:
    return solo(table, seed, concurrent, None)


def asha(table: Table, seed: int, concurrent: int) -> Reports:
    """Ray Tune's own ASHA: each trial reports after each epoch, by itself."""
    epochs = len(table.curves[0])
    scheduler = ASHAScheduler("resource", "score", "max", max_t=epochs, grace_period=1, reduction_factor=FACTOR)
    return solo(table, seed, concurrent, TuneStopper(scheduler))


def solo(table: Table, seed: int, concurrent: int, stopper: TuneStopper | None) -> Reports:
    """Trials that train in turn, an epoch each; the next configuration takes the place of one that ended."""
    waiting = deque(table.order(seed))
    under_way = deque((waiting.popleft(), 0) for _ in range(concurrent))
    now = 0
    while under_way:
        configuration, epoch = under_way.popleft()
        curve, name = table.curves[configuration], str(configuration)
        now, epoch, score = now + 1, epoch + 1, curve[epoch]
        ended = epoch == len(curve) or math.isnan(score)
        if ended:
            yield now, score
        elif stopper is not None:
            stopper.record(name, epoch, score)
            ended = stopper.cuts(name, epoch, score)
        if not ended:
            under_way.append((configuration, epoch))
        elif waiting:
            under_way.append((waiting.popleft(), 0))


def cohorts(table: Table, seed: int, concurrent: int, searcher: Searcher | None = None) -> Reports:
    """distml's own search, one cohort at a time: its members report together, each at its own next rung.

    searcher: who proposes configurations; None: chance, in the order of the seed.
    """
    epochs = len(table.curves[0])
    points = rungs(epochs, 1, FACTOR)
    plan = FamilyPlan(
        name="scoring-network", searcher=searcher or _Replay(table, seed),
        stopper=make_stopper("asha", mode="max", rungs=points, factor=FACTOR),
        structure=partial(structure_of, find_family("scoring-network")), rungs=lambda params: points,
        cohort_size=concurrent, quota=len(table.curves),
    )  # fmt: skip
    search = Search([plan], metric=METRIC, greater_is_better=True, seed=seed, journal=lambda events: None)
    now = 0
    while (order := search.next_cohort(now)) is not None:
        members: dict[str, tuple[Member, int]] = {member.trial: (member, 0) for member in order.members}
        ended = False
        while not ended:
            results = []
            for trial, (member, rung) in members.items():
                now += points[rung] - (points[rung - 1] if rung else 0)
                members[trial] = member, rung + 1
                results.append(_result(table, member, points[rung]))
            yield from ((now, result.scores[METRIC]) for result in results if result.state == "finished")
            reply = search.on_results(order.cohort, results, now)
            for trial in reply.release:
                members.pop(trial)
            members |= {member.trial: (member, 0) for member in reply.admit}
            ended = reply.end


def _result(table: Table, member: Member, epoch: int) -> RungResult:
    curve = table.curves[int(member.params["configuration"])]  # type: ignore[arg-type]
    score = curve[epoch - 1]
    if math.isnan(score):
        return RungResult(member.trial, epoch, "diverged")
    return RungResult(member.trial, epoch, "finished" if epoch == len(curve) else "running", {METRIC: score}, (score,))


class _Replay:
    """A random searcher that proposes the recorded configurations."""

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._left = table, iter(table.order(seed))

    def suggest(self, trial: str) -> Mapping[str, Value] | None:
        configuration = next(self._left, None)
        if configuration is None:
            return None
        return {"configuration": configuration, "hidden": self._table.hidden[configuration]}

    def recall(self, trial: str, params: Mapping[str, Value]) -> None:
        """It proposes the same whatever is known."""

    def result(self, trial: str, resource: int, score: float) -> None:
        """It learns nothing from results."""

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        """It learns nothing from results."""


WAYS: Mapping[str, Callable[[Table, int, int], Reports]] = {"random": random_search, "asha": asha, "cohorts": cohorts}


def time_to(reports: Reports, score: float) -> float:
    """Epochs of networks until a finished trial has that score; infinite where none ever does."""
    return next((now for now, reported in reports if reported >= score), math.inf)


def times(table: Table, concurrent: int, orders: int) -> dict[str, list[float]]:
    """Way -> its time to random search's best score, for each order of the configurations."""
    goal = table.goal()
    return {way: [time_to(run(table, seed, concurrent), goal) for seed in range(orders)] for way, run in WAYS.items()}


def sooner(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times sooner we are, order by order, ascending; 1 where neither ever has the score."""
    return sorted(1.0 if math.isinf(a) and math.isinf(b) else a / b for a, b in zip(theirs, ours, strict=True))


def main() -> None:
    orders = 51
    print(
        f"median [quartiles] over {orders} orders of the configurations; 'never': orders in which the goal was missed"
    )
    print(
        "space    table               epochs  members  goal    over random          over ASHA            never (ASHA)"
    )
    for epochs in (10, 15, 27):
        for table in load_tables(epochs):
            for concurrent in (8, 16, 64):
                seen = times(table, concurrent, orders)
                figures = []
                for peer in ("random", "asha"):
                    ratios = sooner(seen[peer], seen["cohorts"])
                    low, middle, high = (ratios[round(share * (orders - 1))] for share in (0.25, 0.5, 0.75))
                    figures.append(f"{middle:5.2f} [{low:.2f}, {high:.2f}]".ljust(20))
                never = {way: sum(map(math.isinf, values)) for way, values in seen.items()}
                print(
                    f"{table.space:8} {table.name:19} {epochs:6}  {concurrent:7}  {table.goal():.4f}  "
                    f"{figures[0]} {figures[1]} {never['cohorts']} ({never['asha']})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
