"""Which of the two ways a structure of network is trained as one: the written-out step, or torch.func."""

from typing import Any

from distml.models.family import Params
from distml.training.block import Learner
from distml.training.chain import Chain
from distml.training.cohort import Assignment
from distml.training.modules import TrainingFacts, batch_size_of, batches_of, make_module
from distml.training.products import numpy_is_quicker
from distml.training.stacking import Stacking


def choose_learner(assignment: Assignment, params: Params, module: Any) -> tuple[Learner, str]:
    """(learner, the reason for it in a sentence)."""
    if Chain.suits(module):
        by_numpy, why = numpy_is_quicker(assignment.device, assignment.threads)
        return Chain(module, by_numpy), f"backward pass written out; {why}"
    return stacking(assignment, params), "batched by torch.func over its own training_step"


def stacking(assignment: Assignment, params: Params) -> Stacking:
    """The batched network of any module."""
    module = make_module(assignment, params, 0, 0, 1)
    return Stacking(module, TrainingFacts(1, batches_of(assignment.folds[0], batch_size_of(params, module))))
