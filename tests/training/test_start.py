import gc
import subprocess
import sys

import pytest

from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from distml.training.start import start_cohort
from tests.training.networks import Plain, assignment, family_of, member


def test_the_scoring_network_trains_as_one() -> None:
    cohort, reason = start_cohort(assignment(), member("t0").params)
    assert isinstance(cohort, StackedCohort)
    assert reason.startswith("trains as one network: backward pass written out; products by ")


def test_a_suitable_module_of_a_user_trains_as_one() -> None:
    cohort, reason = start_cohort(assignment(family_of(Plain)), {"lr": 0.01})
    assert isinstance(cohort, StackedCohort)
    assert reason == "trains as one network: batched by torch.func over its own training_step"


def test_batch_normalisation_trains_solo_and_says_why() -> None:
    cohort, reason = start_cohort(assignment(), {"normalisation": "batch"})
    assert isinstance(cohort, SoloCohort)
    assert reason == "trains solo: BatchNorm1d (layers.1) keeps running statistics of its batches"


def test_garbage_between_cohorts_is_not_kept_for_good() -> None:
    start_cohort(assignment(), member("t0").params)
    kept = gc.get_freeze_count()
    garbage = [[number] for number in range(1000)]
    start_cohort(assignment(), member("t1").params)
    assert len(garbage) == 1000
    assert 0 < gc.get_freeze_count() <= kept


def test_what_cannot_be_made_at_all_is_an_error() -> None:
    with pytest.raises(KeyError):
        start_cohort(assignment(), {"activation": "rleu"})


def test_a_cohort_of_scoring_networks_does_not_wait_for_lightnings_import() -> None:
    script = """
import sys
import numpy as np
from distml.data.task import FoldArrays, Outline
from distml.models.metrics import Evaluator
from distml.models.scoring import SCORING_NETWORK
from distml.training.cohort import Assignment, Member
from distml.training.start import start_cohort

x, y, at = np.eye(8, 3, dtype=np.float32), np.arange(8) % 2, np.arange(8)
evaluator = Evaluator("roc_auc", [], "classification", 2)
fold = FoldArrays(x, y, x, y, at, at, ())
cohort, _ = start_cohort(Assignment(SCORING_NETWORK, Outline("classification", 3, (), 2), [fold], evaluator), {})
cohort.admit([Member("t0001", {}, 1, (1,))])
assert cohort.advance()[0].state == "finished"
print([name for name in sys.modules if "lightning" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
