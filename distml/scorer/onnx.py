"""A member's model as ONNX too, where it converts and says the same."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from distml.data.task import Outline
from distml.errors import DistmlError
from distml.models.probabilities import predicted

TOLERANCE = 1e-5  # between the model's predictions and the file's, the largest over all rows
_INPUT, _OUTPUT = "x", "prediction"


def check_installed() -> None:
    """Raises DistmlError where the libraries are missing."""
    try:
        import onnxruntime  # noqa: F401
        import skl2onnx  # noqa: F401
    except ImportError:
        raise DistmlError("ONNX needs libraries of its own: pip install 'distml[onnx]'") from None


def write_onnx(model: Any, engine: str, outline: Outline, x: np.ndarray, path: Path) -> str | None:
    """Write a trained model as ONNX and compare; why there is none, or None where it is written and equal.

    The file takes a prepared matrix, float32 (rows, features), and gives (rows, classes) or (rows,) in its last output.
    x: rows to compare on.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of converters, on their own future
            write = _network if engine == "network" else _estimator
            truth = write(model, outline, x, path)
            found = _run(path, x).reshape(truth.shape)
    except Exception as error:  # converters raise whatever they meet
        path.unlink(missing_ok=True)
        return f"does not convert ({f'{type(error).__name__}: {error}'.splitlines()[0][:200]})"
    apart = float(np.abs(found - truth).max())
    if not apart <= TOLERANCE * max(1.0, float(np.abs(truth).max())):
        path.unlink()
        return f"differs by up to {apart:.2g} from the model"
    return None


def _estimator(model: Any, outline: Outline, x: np.ndarray, path: Path) -> np.ndarray:
    from skl2onnx import to_onnx

    options = {"zipmap": False} if outline.task == "classification" else None
    made = to_onnx(model, x[:1].astype(np.float32), options=options)
    path.write_bytes(made.SerializeToString())
    return predicted(model, x, outline)


def _network(module: Any, outline: Outline, x: np.ndarray, path: Path) -> np.ndarray:
    import torch

    from distml.models.network_output import predictions

    class Predicting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.inner.predict(rows)

    if not hasattr(module, "predict"):
        raise TypeError("the module has no method predict(x)")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    rows = torch.from_numpy(x)
    # The newer exporter takes one more library, and no longer a network this simple.
    torch.onnx.export(
        Predicting().eval(), (rows[:2],), str(path), input_names=[_INPUT], output_names=[_OUTPUT],
        dynamic_axes={_INPUT: {0: "rows"}, _OUTPUT: {0: "rows"}}, dynamo=False,
    )  # fmt: skip
    return predictions(module, rows, outline)


def _run(path: Path, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    return np.asarray(session.run(None, {given.name: x})[-1])
