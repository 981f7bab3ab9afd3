"""Models and preprocessors as files: each in a form that holds data and cannot run."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

from distml.scorer.errors import ScorerError
from distml.scorer.trust import refused

SUFFIXES = {"network": ".safetensors", "xgboost": ".ubj"}


def write_object(held: Any, path: Path) -> None:
    """Write a scikit-learn object."""
    skops.io.dump(held, path)


def read_object(path: Path, trusted: Collection[str]) -> Any:
    """Read a scikit-learn object; trusted: modules of the user's whose classes may be made.

    Raises:
        ScorerError: no such file, or one that names a type which is not allowed: nothing of it was run.
    """
    try:
        types = skops.io.get_untrusted_types(file=path)
    except Exception as error:  # whatever stands there instead: a pickle, a broken archive, a schema made up
        raise ScorerError(f"{path}: is not a model that distml wrote ({_first_line(error)})") from None
    if wrong := refused(types, trusted):
        names = ", ".join(wrong)
        raise ScorerError(
            f"{path}: holds what may run code and was not opened: {names}. Where these are your own classes, and you "
            f"trust who made the scorer: --trust {wrong[0].rpartition('.')[0]}"
        )
    try:
        return skops.io.load(path, trusted=types)
    except Exception as error:
        raise ScorerError(f"{path}: cannot be opened here ({_first_line(error)})") from None


def write_network(module: Any, path: Path) -> None:
    """Write a network's weights."""
    from safetensors.torch import save_file

    save_file({name: value.detach().contiguous().clone() for name, value in module.state_dict().items()}, path)


def read_network(module: Any, path: Path) -> None:
    """Put the weights that were written into a network of the same structure."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise ScorerError(f"{path}: does not hold this network's weights ({_first_line(error)})") from None


def write_xgboost(model: Any, path: Path) -> None:
    """Write an XGBoost model in its own format."""
    model.save_model(path)


def read_xgboost(model: Any, path: Path) -> None:
    """Put what was written into an estimator of the same kind."""
    try:
        model.load_model(path)
    except Exception as error:  # XGBoostError, ValueError: by what it finds
        raise ScorerError(f"{path}: is not a model that XGBoost wrote ({_first_line(error)})") from None


def write_rows(values: dict[str, np.ndarray], path: Path) -> None:
    """Write columns as Parquet."""
    import pandas as pd

    pd.DataFrame(values).to_parquet(path, index=False)


def _first_line(error: BaseException) -> str:
    if isinstance(error, zipfile.BadZipFile):
        return "not an archive of skops"
    return next(iter(f"{type(error).__name__}: {error}".splitlines()), type(error).__name__)
