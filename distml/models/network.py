"""The scoring network as a LightningModule."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from distml.models.layers import ScoringLayers


class ScoringNetwork(ScoringLayers, pl.LightningModule):
    """ScoringLayers for Lightning's Trainer and its checkpoints; takes the same arguments."""

    trains_by_chain = True

    def __init__(self, features: int, **settings: Any) -> None:
        super().__init__(features, **settings)
        pl.LightningModule.save_hyperparameters(self)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.predict(batch[0] if isinstance(batch, (tuple, list)) else batch)
