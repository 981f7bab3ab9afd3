from dataclasses import replace

import numpy as np
import pytest
import torch

from distml.errors import DistmlError
from distml.models.network_output import predictions
from distml.training.whole import refit_network
from tests.training.networks import assignment, fold, member


@pytest.mark.parametrize("normalisation", ["none", "batch"], ids=["stacked", "solo"])
def test_a_refit_is_the_trial_on_all_training_rows(normalisation: str) -> None:
    made = replace(assignment(folds=2), whole=fold(9, rows=100))
    network = refit_network(made, member("t0", 1, (1, 3), normalisation=normalisation))
    x, y = made.whole.x_train, made.whole.y_train  # type: ignore[union-attr]
    found = predictions(network, torch.from_numpy(x), made.outline)
    assert made.evaluator(y, found)["log_loss"] < made.evaluator(y, np.full((len(x), 2), 0.5))["log_loss"]


def test_a_refit_that_diverges_is_said() -> None:
    made = replace(assignment(), whole=fold())
    with pytest.raises(DistmlError, match="t0 could not be trained on all rows"):
        refit_network(made, member("t0", optimiser="sgd", lr=1e30))
