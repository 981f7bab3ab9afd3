import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
from torch import nn

from distml.data.task import Outline
from distml.models.scoring import SCORING_NETWORK
from distml.models.space import Choice, Fixed, Float, Int
from distml.training.structure import structure_key, with_structure
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


def test_the_key_leaves_floats_and_the_resource_out() -> None:
    family = family_of(Telling, SPACE)
    base = {"widening": 1.0, "dropout": 0.1, "activation": "relu", "epochs": 3}
    assert structure_key(family, base) == structure_key(family, {**base, "dropout": 0.2, "epochs": 9})
    assert structure_key(family, base) != structure_key(family, {**base, "activation": "tanh"})
    found = replace(family, structural=frozenset({"widening"}))
    assert structure_key(found, base) != structure_key(found, {**base, "widening": 2.0})


def test_estimators_of_a_family_share_a_process_whatever_their_parameters() -> None:
    forest = replace(SCORING_NETWORK, name="forest", engine="estimator")
    assert structure_key(forest, {"depth": 3}) == structure_key(forest, {"depth": 4}) == "forest"


def test_the_driver_sorts_trials_without_torch() -> None:
    code = (
        "import sys; from distml.models.scoring import SCORING_NETWORK as f;"
        "from distml.training.structure import structure_key;"
        "print(structure_key(f, {'hidden': (8,), 'lr': 0.1}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "scoring-network hidden=(8,) False"
