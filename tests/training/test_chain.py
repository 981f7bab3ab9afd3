"""The written-out training step against autograd under torch.func."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.training.chain import Chain
from distml.training.cohort import Assignment
from distml.training.learners import stacking
from distml.training.modules import make_module
from tests.training.networks import assignment


def _gradients(made: Assignment, learner: Any, params: list[dict[str, Any]], rows: int) -> list[torch.Tensor]:
    """Each member's gradient as its network's own parameters hold it."""
    modules = [make_module(made, each, seed, 0, 1).double() for seed, each in enumerate(params)]
    states = [learner.state_of(module) for module in modules]
    state = {name: torch.stack([each[name] for each in states]) for name in states[0]}
    gradient = torch.zeros_like(state["weights"])
    x = learner.table(torch.from_numpy(made.folds[0].x_train))
    y = torch.from_numpy(made.folds[0].y_train)
    index = torch.arange(len(modules) * rows) % len(x)
    learner.bind(state, gradient, x, y, rows)(index, 0, 0)
    for module, row, each in zip(modules, gradient, states, strict=True):
        learner.load(module, {**each, "weights": row})
    return [torch.cat([weight.flatten() for weight in module.parameters()]) for module in modules]


@settings(max_examples=60, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    activation=st.sampled_from(["relu", "silu", "gelu", "tanh"]),
    normalisation=st.sampled_from(["none", "layer"]),
    target=st.sampled_from([("classification", 2), ("classification", 4), ("regression", 0)]),
    rows=st.integers(1, 20),
    smoothing=st.lists(st.sampled_from([0.0, 0.1, 0.3]), min_size=1, max_size=4),
    by_numpy=st.booleans(),
    cardinalities=st.sampled_from([(), (3,), (2, 11)]),
    loss=st.sampled_from([("cross-entropy", [None]), ("focal", [0.0, 0.5, 3.0]), ("complement", [-1.0, 1.5])]),
)
def test_the_gradient_is_autograds(
    hidden: tuple[int, ...], activation: str, normalisation: str, target: tuple[Any, int], rows: int,
    smoothing: list[float], by_numpy: bool, cardinalities: tuple[int, ...],
    loss: tuple[str, list[float | None]],
) -> None:  # fmt: skip
    made = assignment(task=target[0], classes=target[1], dtype=np.float64, cardinalities=cardinalities)
    structure = {"hidden": hidden, "activation": activation, "normalisation": normalisation, "dropout": 0.0}
    gammas = itertools.cycle(loss[1])
    given = {**structure, "class_weight": "balanced", "loss": loss[0]}
    params = [{**given, "label_smoothing": each, "gamma": next(gammas)} for each in smoothing]
    module = make_module(made, params[0], 0, 0, 1)
    written = _gradients(made, Chain(module, by_numpy), params, rows)
    derived = _gradients(made, stacking(made, params[0]), params, rows)
    for one, other in zip(written, derived, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("normalisation", ["none", "layer"])
def test_dropout_is_on_average_the_gradient_of_torchs(activation: str, normalisation: str) -> None:
    """Over many draws of noise the two mean gradients agree to their standard error."""
    made = assignment(dtype=np.float64, rows=16)
    params = {"hidden": (6, 5), "activation": activation, "normalisation": normalisation, "dropout": 0.3}
    module = make_module(made, params, 0, 0, 1).double()
    x, y = torch.from_numpy(made.folds[0].x_train), torch.from_numpy(made.folds[0].y_train)
    chain = Chain(module, by_numpy=False)
    state = {name: value[None] for name, value in chain.state_of(module).items()}
    gradient = torch.zeros_like(state["weights"])
    step = chain.bind(state, gradient, chain.table(x), y, len(x))
    written, derived = [], []
    torch.manual_seed(0)
    loading = make_module(made, params, 0, 0, 1).double()
    for draw in range(1500):
        step(torch.arange(len(x)), 0, draw)
        chain.load(loading, {name: value[0] for name, value in {**state, "weights": gradient}.items()})
        written.append(torch.cat([weight.detach().flatten() for weight in loading.parameters()]))
        module.zero_grad()
        module.training_step((x, y), 0).backward()
        derived.append(torch.cat([weight.grad.flatten() for weight in module.parameters()]))
    one, other = torch.stack(written), torch.stack(derived)
    error = torch.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
    assert float(((one.mean(0) - other.mean(0)).abs() / (error + 1e-12)).max()) < 5


def test_what_the_written_out_step_does_not_cover_is_left_to_torch_func() -> None:
    made = assignment()
    assert Chain.suits(make_module(made, {}, 0, 0, 1))
    assert not Chain.suits(make_module(made, {"normalisation": "batch"}, 0, 0, 1))
