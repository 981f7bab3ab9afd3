from typing import Any

import pytest
import pytorch_lightning as pl
from torch import nn

from distml.data.task import Outline
from distml.models.space import Choice, Fixed, Float, Int
from distml.training.structure import with_structure
from tests.training.networks import family_of

OUTLINE = Outline("classification", 5)


class Telling(pl.LightningModule):
    def __init__(self, features: int, **settings: Any) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(features, int(settings["widening"] * 4)), nn.Dropout(settings["dropout"]))
        self.act = {"relu": nn.ReLU, "tanh": nn.Tanh}[settings["activation"]]()
        self.depth = settings["depth"]


SPACE = {
    "widening": Float(1.0, 2.0),  # a float that changes shapes
    "dropout": Float(0.0, 0.5),
    "activation": Choice(("relu", "tanh")),
    "depth": Int(1, 3),
    "alpha": Choice((0.1, 0.2)),
    "epochs": Int(1, 9),
    "batch_size": Fixed(16),
}


def test_what_is_structural_is_found_out_from_the_module() -> None:
    family = with_structure(family_of(Telling, SPACE), OUTLINE)
    assert family.structural == {"widening", "activation", "depth", "batch_size"}


def test_what_the_family_names_stands() -> None:
    named = family_of(Telling, SPACE, frozenset({"depth"}))
    assert with_structure(named, OUTLINE) is named


class Choosy(Telling):
    def __init__(self, features: int, **settings: Any) -> None:
        if settings["depth"] == 3:
            raise RuntimeError("too deep\nfor me")
        super().__init__(features, **settings)


def test_a_value_the_module_refuses_is_named() -> None:
    with pytest.raises(ValueError, match=r"^Choosy cannot be made with depth 3: RuntimeError: too deep$"):
        with_structure(family_of(Choosy, SPACE), OUTLINE)
    with pytest.raises(ValueError, match=r"cannot be made with its first values: RuntimeError: too deep$"):
        with_structure(family_of(Choosy, {**SPACE, "depth": Fixed(3)}), OUTLINE)
