"""Does it help when TPE proposes what cohorts train, instead of chance? On the recorded curves, nothing trains.

    python experiments/learning_curves/guided.py

distml's own TPE proposes any point of the space; of the recorded configurations of the same widths that no trial had
yet the nearest is trained in its place. Distance: Euclidean, each parameter scaled to 0..1 over its range, on a log
scale where it is searched on one. TPE hears the neighbour's score as that of what it
proposed, which blurs what it learns.
"""

import csv
import gzip
import json
import math
import statistics
from collections.abc import Mapping

import numpy as np
from record import SPACES
from simulate import CURVES, Table, cohorts, load_tables, random_search, sooner, time_to

from distml.models.space import Domain, Float, Value
from distml.sweep.orders import Searcher
from distml.sweep.tune.searchers import make_searcher

EPOCHS, MEMBERS, ORDERS = 10, 16, 25
PARAMETERS = ("lr", "weight_decay", "dropout")


class Nearest:
    """TPE, whose proposals are answered with recorded configurations."""

    def __init__(self, table: Table, places: np.ndarray, seed: int) -> None:
        """places: (configurations, parameters), 0..1."""
        self._table, self._places, self._space = table, places, SPACES[table.space]
        self._tpe: Searcher = make_searcher("tpe", self._space, mode="max", seed=seed)
        self._left = set(range(len(table.curves)))

    def suggest(self, trial: str) -> Mapping[str, Value] | None:
        proposed = self._tpe.suggest(trial)
        if proposed is None or not self._left:
            return None
        hidden = proposed["hidden"]
        wanted = np.array([scaled(self._space[name], proposed[name]) for name in PARAMETERS])
        alike = [one for one in sorted(self._left) if self._table.hidden[one] == hidden] or sorted(self._left)
        nearest = min(alike, key=lambda one: float(np.square(self._places[one] - wanted).sum()))
        self._left.remove(nearest)
        return {"configuration": nearest, "hidden": self._table.hidden[nearest]}

    def recall(self, trial: str, params: Mapping[str, Value]) -> None:
        """Nothing goes on here from an earlier journal."""

    def result(self, trial: str, resource: int, score: float) -> None:
        self._tpe.result(trial, resource, score)

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        self._tpe.complete(trial, score, failed)


def scaled(domain: Domain, value: Value) -> float:
    """Where a value lies in its range, 0..1."""
    assert isinstance(domain, Float) and isinstance(value, float)
    scale = math.log if domain.log else float
    return (scale(value) - scale(domain.low)) / (scale(domain.high) - scale(domain.low))


def load_places(table: Table) -> np.ndarray:
    """(configurations, parameters): what was recorded, 0..1."""
    space = SPACES[table.space]
    with gzip.open(CURVES, "rt") as file:
        rows = [row for row in csv.DictReader(file) if (row["space"], row["table"]) == (table.space, table.name)]
    assert [tuple(json.loads(row["hidden"])) for row in rows] == list(table.hidden)
    return np.array([[scaled(space[name], float(row[name])) for name in PARAMETERS] for row in rows])


def main() -> None:
    print(f"times sooner than random search, median [quartiles] over {ORDERS} orders; 'never': the goal was missed")
    print("space    table               proposed by TPE         by chance")
    for table in load_tables(EPOCHS):
        goal, places = table.goal(), load_places(table)
        theirs = [time_to(random_search(table, seed, MEMBERS), goal) for seed in range(ORDERS)]
        told = []
        for guided in (True, False):
            ours = [
                time_to(cohorts(table, seed, MEMBERS, Nearest(table, places, seed) if guided else None), goal)
                for seed in range(ORDERS)
            ]
            low, middle, high = statistics.quantiles(sooner(theirs, ours), n=4, method="inclusive")
            told.append(f"{middle:.2f} [{low:.2f}, {high:.2f}] never {sum(map(math.isinf, ours))}".ljust(28))
        print(f"{table.space:8} {table.name:19} {''.join(told)}", flush=True)


if __name__ == "__main__":
    main()
