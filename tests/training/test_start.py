import gc
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from distml.models.metrics import Evaluator
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


def test_a_process_of_scoring_networks_does_not_wait_for_imports_it_has_no_use_for() -> None:
    script = """
import pickle, sys
from distml.training.cohort import Member
from distml.training.start import start_cohort

cohort, _ = start_cohort(pickle.load(sys.stdin.buffer), {})
cohort.admit([Member("t0001", {}, 1, (1,))])
assert cohort.advance()[0].state == "finished"
print([name for name in sys.modules if "lightning" in name or name in ("torch._dynamo", "sklearn")])
"""
    order = replace(assignment(), evaluator=Evaluator("roc_auc", ["log_loss"], "classification", 2))
    done = subprocess.run([sys.executable, "-c", script], input=pickle.dumps(order), capture_output=True, timeout=120)
    assert done.stdout.decode().strip() == "[]", done.stderr.decode()
