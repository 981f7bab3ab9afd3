"""What a trained network predicts, in the one form that scores and scorers take."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from distml.data.task import Outline

_PREDICTED_ROWS = 16384  # at a time: bounds the memory that a prediction takes


@torch.no_grad()
def predictions(module: Any, x: Tensor, outline: Outline) -> np.ndarray:
    """x: (rows, features) -> (rows, classes) probabilities or (rows,) values, as float64.

    By the module's own `predict(x)`; without one, its forward gives values, or logits for sigmoid or softmax.
    """
    module.eval()
    parts = [_predicted(module, part, outline) for part in torch.split(x, _PREDICTED_ROWS)]
    return torch.cat(parts).double().cpu().numpy()


def _predicted(module: Any, x: Tensor, outline: Outline) -> Tensor:
    if hasattr(module, "predict"):
        return module.predict(x)
    output = module(x)
    if output.shape[-1] == 1 and output.ndim == 2:
        output = output.squeeze(-1)
    if outline.task != "classification":
        return output
    if output.ndim == 2:
        return torch.softmax(output, -1)
    positive = torch.sigmoid(output)
    return torch.stack([1 - positive, positive], -1)
