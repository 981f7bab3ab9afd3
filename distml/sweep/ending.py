"""How long a sweep's end takes: its best trials are trained once more, on all training rows."""

import heapq
from collections import Counter
from collections.abc import Iterable

from distml.sweep.records import TrialRecord

MOST = 6  # members of a scorer
OF_A_FAMILY = 3  # of them that are likely to be of one family
ALONE = 4.0  # a network that trains alone takes about so many times its share of a cohort's time
SHARE = 0.25  # of the budget's minutes at most: the search is what they are for
_STEADY_SECONDS = 2.0  # to read, choose, calibrate and write
_SECONDS_PER_ROW = 1e-4  # to choose by


def ending_seconds(costs: Iterable[float], cpus: int, rows: int) -> float:
    """From the seconds that each of the likely members takes to train on all rows, the best first.

    The best trains twice: once by itself, for its score on the holdout, then with the others, `cpus` at a time.

    >>> ending_seconds([4.0, 10.0, 2.0], cpus=2, rows=20_000)
    18.0
    """
    each = list(costs)
    if not each:
        return 0.0
    return each[0] + max(max(each), sum(each) / cpus) + _STEADY_SECONDS + _SECONDS_PER_ROW * rows


def likely_members(trials: Iterable[TrialRecord], metric: str, greater_is_better: bool) -> list[TrialRecord]:
    """The finished trials that a scorer would be made of now, about; the best first."""
    scored = ((trial.score(metric), trial) for trial in trials if trial.state == "finished")
    sign = -1.0 if greater_is_better else 1.0
    known = [(sign * score, trial.number, trial) for score, trial in scored if score is not None]
    members: list[TrialRecord] = []
    taken: Counter[str] = Counter()
    for _, _, trial in heapq.nsmallest(20 * MOST, known):
        if len(members) < MOST and taken[trial.family] < OF_A_FAMILY:
            members.append(trial)
            taken[trial.family] += 1
    return members


def refit_seconds(seconds: float, folds: int, is_network: bool, out_of_bag: bool) -> float:
    """How long a trial takes on all training rows, from what it took in the sweep.

    Each of F folds trains on (F - 1) / F of the rows; out-of-bag rows validate one training on all.

    >>> refit_seconds(8.0, folds=5, is_network=False, out_of_bag=False)
    2.0
    """
    once = seconds if out_of_bag or folds == 1 else seconds / (folds - 1)
    return ALONE * once if is_network else once
