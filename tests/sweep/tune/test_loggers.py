"""What loggers are told, read back from what they wrote."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from distml.sweep.tune import loggers
from distml.sweep.tune.loggers import TrialLoggers


def story(trial: str, state: str = "finished") -> list[dict[str, Any]]:
    """A trial's events: asked for, two rungs, its end."""
    rungs = [
        {"event": "rung", "trial": trial, "resource": resource, "scores": {"roc_auc": score}, "seconds": 0.5}
        for resource, score in ((1, 0.7), (3, 0.75))
    ]
    asked = {
        "event": "asked",
        "trial": trial,
        "family": "mine",
        "params": {"lr": 0.1, "hidden": [64, 64], "drop": None},
    }
    return [asked, *rungs, {"event": "ended", "trial": trial, "state": state}]


def scalars(file: Path) -> Iterator[tuple[str, int, float]]:
    """(name, step, value) of a TensorBoard file: records of a length, its checksum, an event, its checksum."""
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)
        data = data[16 + length :]


def test_tensorboard_has_each_rung_of_what_ended(tmp_path: Path) -> None:
    told = TrialLoggers(["tensorboard"], "mine", tmp_path)
    told.take(story("t0001"), past=True)
    told.take([*story("t0002"), *story("t0003", "failed")[:1]])
    assert told.close() == {}
    (folder,) = (tmp_path / "tensorboard").iterdir()
    assert folder.name == "t0002"
    found = [one for file in folder.glob("events*") for one in scalars(file)]
    assert [(step, round(value, 3)) for name, step, value in found if name == "ray/tune/roc_auc"] == [
        (1, 0.7),
        (3, 0.75),
    ]


def test_a_trial_that_was_cut_in_two_by_an_interruption_is_whole(tmp_path: Path) -> None:
    told = TrialLoggers(["tensorboard"], "mine", tmp_path)
    told.take(story("t0001")[:2], past=True)
    told.take(story("t0001")[2:])
    assert told.close() == {}
    (file,) = (tmp_path / "tensorboard" / "t0001").glob("events*")
    assert {step for name, step, _ in scalars(file) if name == "ray/tune/roc_auc"} == {1, 3}


def test_a_logger_that_fails_is_named_and_the_other_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def log_trial_start(self, trial: object) -> None:
            raise ConnectionError("no such server")

    real = loggers._callback
    monkeypatch.setattr(loggers, "_callback", lambda name, *more: Broken() if name == "mlflow" else real(name, *more))
    told = TrialLoggers(["mlflow", "tensorboard"], "mine", tmp_path)
    told.take([*story("t0001"), *story("t0002")])
    assert told.close() == {"mlflow": "ConnectionError: no such server"}
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own use of SQLAlchemy
def test_mlflow_has_parameters_scores_and_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'distml[mlflow]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told = TrialLoggers(["mlflow"], "mine", tmp_path)
    told.take([*story("t0001"), *story("t0002", "failed")])
    assert told.close() == {}
    runs = mlflow.search_runs(experiment_names=["mine"], output_format="list")
    found = {run.info.run_name: run for run in runs}
    assert {name: run.info.status for name, run in found.items()} == {"t0001": "FINISHED", "t0002": "FAILED"}
    assert found["t0001"].data.params["lr"] == "0.1" and found["t0001"].data.params["family"] == "mine"
    assert found["t0001"].data.metrics["roc_auc"] == 0.75
    assert sys.modules["mlflow"].get_tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"
