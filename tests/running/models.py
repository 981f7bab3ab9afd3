"""Models for tests of running sweeps: they say what they do in a file, take their time, fail on demand."""

import json
import os
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Diary(ClassifierMixin, BaseEstimator):
    """Scores by its parameter alone. Writes a line for each fit to the file that DISTML_TEST_DIARY names.

    Where a file `hold` lies beside that one, a fit lasts as long as it does, so that a test finds it at work.
    """

    def __init__(self, strength: float = 0.0, seconds: float = 0.0, mood: str = "good", random_state: int = 0) -> None:
        self.strength = strength
        self.seconds = seconds
        self.mood = mood
        self.random_state = random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> Self:
        began = time.time()
        time.sleep(self.seconds)
        diary = os.environ.get("DISTML_TEST_DIARY")
        while diary and Path(diary).with_name("hold").exists():
            time.sleep(0.05)
        if diary:
            with Path(diary).open("a") as file:
                sees = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
                file.write(f"{os.getpid()} {self.random_state} {self.strength} {began} {time.time()} {sees}\n")
        told = os.environ.get("DISTML_TEST_ENVIRONMENT")
        if told:
            with Path(told).open("a") as file:
                file.write(json.dumps({k: v for k, v in os.environ.items() if k.startswith("CUDA_")}) + "\n")
        if self.mood == "broken":
            raise KeyError("no such thing")
        if self.mood == "hungry" or (self.mood == "large" and _share() < 0.5):
            raise MemoryError("too much")
        if self.mood == "deadly":
            os._exit(13)
        self.classes_ = np.unique(y)
        self._direction = np.random.default_rng(self.random_state).normal(size=x.shape[1])
        self._signal = _correlations(x, y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        value = x @ (self.strength * self._signal + (1 - self.strength) * self._direction)
        positive = 1 / (1 + np.exp(-(value - value.mean()) / (value.std() + 1e-9)))
        return np.column_stack([1 - positive, positive])

    def predict(self, x: np.ndarray) -> Any:
        return self.classes_[self.predict_proba(x).argmax(1)]


def _share() -> float:
    """Of a GPU, that this process was given; 1 where it was given none, or where there is no Ray."""
    import ray

    assigned = ray.get_runtime_context().get_assigned_resources() if ray.is_initialized() else {}
    return float(assigned.get("GPU", 1.0))


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    centred = (x - x.mean(0)) / (x.std(0) + 1e-9)
    return centred.T @ (y - y.mean()) / len(y)
