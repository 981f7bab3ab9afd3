"""How soon cohorts find what random search finds, on learning curves recorded once: nothing trains here."""

import math
import statistics
from itertools import pairwise

import pytest

from experiments.learning_curves.simulate import Table, asha, cohorts, load_tables, random_search, sooner, times

EPOCHS, MEMBERS = 10, 16  # the defaults of the scoring network and of a cohort
ORDERS = 31
TABLES = {f"{table.space}-{table.name}": table for table in load_tables(EPOCHS)}


@pytest.mark.parametrize("name", TABLES)
def test_cohorts_are_sooner_than_random_search_and_no_later_than_asha(name: str) -> None:
    seen = times(TABLES[name], MEMBERS, ORDERS)
    assert all(map(math.isfinite, seen["random"]))
    assert statistics.median(sooner(seen["random"], seen["cohorts"])) >= 1.8
    assert statistics.median(sooner(seen["asha"], seen["cohorts"])) >= 1.1


def test_every_way_pays_for_each_epoch_of_each_network() -> None:
    """Of 9 steady configurations, the best first: halving cuts others of them, random search trains all to the end."""
    steady = Table("made-up", "steady", [(64, 64)] * 9, [[-i / 10] * 9 for i in range(9)])
    reports = {way: list(run(steady, 0, 3)) for way, run in (("r", random_search), ("a", asha), ("c", cohorts))}
    assert reports["r"][-1][0] == 9 * 9
    assert sorted(score for _, score in reports["r"]) == sorted(curve[-1] for curve in steady.curves)
    for way in ("a", "c"):
        assert reports[way][-1][0] < 9 * 9
        assert max(score for _, score in reports[way]) == 0
    assert all(before <= after for way in reports.values() for (before, _), (after, _) in pairwise(way))


def test_a_diverged_configuration_ends_and_gives_its_place() -> None:
    curves = [[0.5, 0.6, 0.7], [0.5, math.nan, math.nan], [0.4, 0.5, 0.6]]
    table = Table("made-up", "diverging", [(64, 64)] * 3, curves)
    assert [now for now, _ in random_search(table, 0, 1)][-1] == 3 + 2 + 3
    finished = [score for _, score in cohorts(table, 0, 3)]
    assert finished == [0.7]
