"""Trials that have ended, told to MLflow, TensorBoard or Weights & Biases by Ray's own callbacks.

Ray Tune's trials are cohorts; what people look at are members. So Ray's callbacks are not given to Ray Tune: each is
handed one member after another, whole, once it has ended.
"""

import logging
import os
import queue
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune.logger import LoggerCallback

_Event = Mapping[str, Any]
_AT_ONCE = 4  # trials: Weights & Biases takes two processes for each that is not through yet


@dataclass(eq=False)
class _Trial:
    """What Ray's callbacks read of a trial."""

    trial_id: str
    config: dict[str, Any]
    local_path: str
    experiment_dir_name: str
    evaluated_params: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.evaluated_params = self.config

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return self.trial_id


class TrialLoggers:
    """Hears of a sweep's events, and passes on each trial that ends, in a thread of its own: training does not wait.

    Args:
        names: of sweep file's `loggers`.
        folder: of the run; files go below it unless MLFLOW_TRACKING_URI or WANDB_MODE says otherwise.
    """

    def __init__(self, names: Sequence[str], sweep: str, folder: Path) -> None:
        self._sweep, self._folder = sweep, folder
        self._params: dict[str, dict[str, Any]] = {}
        self._rungs: defaultdict[str, list[_Event]] = defaultdict(list)
        self._ended: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._callbacks = {name: _callback(name, sweep, folder) for name in names}
        self._failed: dict[str, str] = {}  # logger -> why it is told no more
        self._thread = threading.Thread(target=self._pass_on, name="loggers", daemon=True)
        self._thread.start()

    def take(self, events: Iterable[_Event], past: bool = False) -> None:
        """Events as they are journalled; of the past ones trials are known, and not logged again."""
        for event in events:
            if event["event"] == "asked":
                self._params[event["trial"]] = {"family": event["family"], **event["params"]}
            elif event["event"] == "rung":
                self._rungs[event["trial"]].append(event)
            elif event["event"] == "ended" and not past:
                self._ended.put((event["trial"], event["state"]))

    @property
    def behind(self) -> int:
        """Trials that have ended and are not passed on yet."""
        return self._ended.qsize()

    def close(self) -> Mapping[str, str]:
        """Wait until all that ended have been passed on; logger -> why it was not told of all."""
        self._ended.put(None)
        self._thread.join()
        return self._failed

    def _pass_on(self) -> None:
        waiting = 0
        while (ended := self._ended.get()) is not None:
            waiting = (waiting + 1) % _AT_ONCE
            results = [_result(rung) for rung in self._rungs.pop(ended[0], [])]
            for name in self._callbacks.keys() - self._failed.keys():
                try:
                    self._log(name, *ended, results)
                    if not waiting:
                        self._callbacks[name].on_experiment_end([])
                except Exception as error:  # a server that is away, a full disk, whatever a logger raises
                    self._failed[name] = f"{type(error).__name__}: {error}"
        for name in self._callbacks.keys() - self._failed.keys():
            self._callbacks[name].on_experiment_end([])

    def _log(self, name: str, trial_name: str, state: str, results: Sequence[dict[str, Any]]) -> None:
        place = self._folder / name / trial_name if name == "tensorboard" else self._folder
        trial = _Trial(trial_name, {**self._params[trial_name], "state": state}, str(place), self._sweep)
        callback = self._callbacks[name]
        callback.log_trial_start(trial)
        for result in results:
            callback.log_trial_result(result["training_iteration"], trial, result)
        callback.log_trial_end(trial, failed=state == "failed")


def _result(rung: _Event) -> dict[str, Any]:
    return {"training_iteration": rung["resource"], **(rung["scores"] or {}), "seconds": rung["seconds"]}


def _callback(name: str, sweep: str, folder: Path) -> LoggerCallback:
    if name == "tensorboard":
        from ray.tune.logger import TBXLoggerCallback

        return TBXLoggerCallback()
    if name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it tells of every table that it makes
        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.absolute() / 'mlflow.db'}"
        callback: LoggerCallback = MLflowLoggerCallback(tracking_uri=place, experiment_name=sweep)
    else:
        from ray.air.integrations.wandb import WandbLoggerCallback

        mode = os.environ.get("WANDB_MODE", "offline")
        # Ray asks for a key even where nothing is sent.
        key = "offline" if mode == "offline" and not os.environ.get("WANDB_API_KEY") else None
        callback = WandbLoggerCallback(project=sweep, group=sweep, api_key=key, mode=mode)
    callback.setup()
    return callback
