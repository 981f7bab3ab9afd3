import subprocess
import sys
from typing import Any

import pytest
import torch

from distml.data.task import Outline
from distml.models.scoring import SCORING_NETWORK, check_network
from distml.models.space import Choice, Fixed, Float

OUTLINE = Outline("classification", 5)


def test_a_seed_gives_the_weights() -> None:
    one, other = (SCORING_NETWORK.build({"hidden": (4,)}, OUTLINE, 3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.layers[0].weight, SCORING_NETWORK.build({"hidden": (4,)}, OUTLINE, 4).layers[0].weight)


@pytest.mark.parametrize("pick", [0, -1])
def test_the_whole_default_space_is_valid(pick: int) -> None:
    def value(domain: Any) -> Any:
        if isinstance(domain, Fixed):
            return domain.value
        assert isinstance(domain, (Choice, Float))
        return domain.options[pick] if isinstance(domain, Choice) else (domain.low, domain.high)[pick]

    params = {name: value(domain) for name, domain in SCORING_NETWORK.space.items()}
    check_network(params)
    SCORING_NETWORK.build(params, OUTLINE, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", (64, 0)), ("hidden", 64), ("activation", "rleu"), ("dropout", 1.0), ("lr", 0), ("lr", "fast"),
        ("weight_decay", -1), ("betas", (0.9,)), ("betas", (0.9, 1.0)), ("epochs", 0), ("epochs", 2.5),
        ("batch_size", True),
        ("class_weight", "even"), ("class_weight", 0), ("warmup", 1.5), ("schedule", None), ("widht", 3),
    ],
)  # fmt: skip
def test_values_outside_the_domain_are_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        check_network({name: value})


def test_the_family_is_read_without_torch() -> None:
    code = "import sys, distml.models.scoring; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
