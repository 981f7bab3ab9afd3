"""How much sooner halving could be at best on the recorded curves, had one known the best rungs beforehand.

    python experiments/learning_curves/limits.py

For one or two rungs and the share kept at each: trials come in endless random order, every rung keeps the best of all
300, so no trial is judged by a small or early sample. What no such rule reaches, no tuning of rungs will.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from simulate import Table, load_tables

EPOCHS = 10
SHARES = (0.1, 0.15, 0.2, 0.25, 1 / 3, 0.4, 0.5)
RUNGS = (*itertools.combinations((1, 2, 3, 4, 5), 1), *itertools.combinations((1, 2, 3, 4, 5, 6), 2))


def sooner(table: Table, rungs: Sequence[int], shares: Sequence[float]) -> float:
    """How many times sooner than random search: the goal's trials that are kept, over the share of epochs trained."""
    curves = np.nan_to_num(np.array(table.curves), nan=-np.inf)
    good = curves[:, -1] >= table.goal()
    alive, epochs = np.ones(len(curves), bool), float(rungs[0])
    for rung, following, share in zip(rungs, [*rungs[1:], EPOCHS], shares, strict=True):
        places = np.flatnonzero(alive)
        kept = places[np.argsort(-curves[places, rung - 1], kind="stable")][: max(1, round(share * len(places)))]
        alive = np.zeros_like(alive)
        alive[kept] = True
        epochs += (following - rung) * alive.mean()
    return float(EPOCHS * (alive & good).sum() / good.sum() / epochs)


def main() -> None:
    tables = load_tables(EPOCHS)
    found = [
        ([sooner(table, rungs, shares) for table in tables], rungs, shares)
        for rungs in RUNGS
        for shares in itertools.product(SHARES, repeat=len(rungs))
    ]
    print("times sooner than random search on", ", ".join(f"{table.space} {table.name}" for table in tables))
    worst, middle = (max(found, key=lambda one: figure(one[0])) for figure in (min, np.median))
    for what, (ratios, rungs, shares) in (("its worst table", worst), ("its median table", middle)):
        kept = ", ".join(f"{share:.2f}" for share in shares)
        print(f"best by {what}: rungs {rungs}, kept {kept}: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
    print("most on each table: " + ", ".join(f"{max(one[0][i] for one in found):.2f}" for i in range(len(tables))))


if __name__ == "__main__":
    main()
