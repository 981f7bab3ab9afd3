"""A running sweep's telemetry: samplers, what rungs cost, and what others are told of it all."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from distml.errors import DistmlError
from distml.models.metrics import Metric
from distml.sweep.costs import cost_event, placed, with_own_peak
from distml.sweep.gauges import Gauges, Standing, TrialFigures
from distml.sweep.holding import Holding
from distml.sweep.nodes import CohortState, Scene, state_of
from distml.sweep.records import SweepRecord, best_trial, foremost
from distml.sweep.runs import RunFolder
from distml.sweep.samplers import NodeView, RungCost, Samplers
from distml.training.cohort import RungResult

# From the first order to the first sampler: its process would take the cohorts' time to start. Where there is no GPU
# nothing is costed, and it may come when the cohorts are under way.
_DELAY_WITH_GPUS = 1.0
_DELAY_WITHOUT = 10.0
_SEE_SECONDS = 2.0
_BEST_TRIALS, _RUNNING_TRIALS = 20, 30  # with figures of their own in Prometheus
_SEE_SHARE = 0.01  # of the driver's time, at most, goes into looking: a sweep may have a hundred thousand trials


class Telemetry:
    """What a driver calls; nothing here waits but `close`, and nothing here ends a sweep."""

    def __init__(self, folder: RunFolder, metric: Metric, has_gpus: bool) -> None:
        self._folder, self._metric = folder, metric
        delay = _DELAY_WITH_GPUS if has_gpus else _DELAY_WITHOUT
        self._samplers = Samplers(delay, folder.path, self._publish)
        self._held: dict[str, tuple[Holding, int]] = {}  # cohort -> what it held last, its furthest member
        self._standing = Standing(folder.name, metric.name)  # replaced as a whole: the samplers' thread reads it
        self._first: Standing | None = None  # what earlier drivers left
        self._next_look = 0.0
        self._gauges: Gauges | None = None

    def begin(self) -> None:
        """A cohort is ordered."""
        self._samplers.begin()

    def charge(self, cohort: str, results: Sequence[RungResult], holding: Holding) -> list[RungResult]:
        """The results with what their cohort held; have the rung costed where it held a GPU."""
        if not results:
            return []
        self._held[cohort] = holding, max(result.resource for result in results)
        if not holding.devices:
            return list(results)
        results = placed(results, holding, str(self._samplers.place_of(holding)))
        self._samplers.ask(RungCost(cohort, holding, results))
        return results

    def costs(self) -> list[dict[str, Any]]:
        """The journal's events on rungs whose cost has become known."""
        return [
            cost_event(asked.cohort, asked.about, with_own_peak(cost, asked.holding))
            for asked, cost in self._samplers.answers()
        ]

    def see(self, record: SweepRecord) -> None:
        """Take in how the sweep stands; for most calls the last look is recent enough."""
        now = time.monotonic()
        if now < self._next_look:
            return
        running = Counter(trial.cohort for trial in record.trials.values() if trial.state == "running")
        best = best_trial(record, self._metric.name, self._metric.greater_is_better)
        self._standing = Standing(
            self._folder.name,
            self._metric.name,
            counts=record.counts,
            best=best.score(self._metric.name) if best else None,
            energy_j=sum(trial.energy_j or 0.0 for trial in record.trials.values()),
            gpu_seconds=sum(trial.gpu_seconds or 0.0 for trial in record.trials.values()),
            cohorts=tuple(self._cohort(record, name, trials) for name, trials in sorted(running.items()) if name),
            trials=tuple(self._figures(record)),
        )
        self._first = self._first or self._standing
        took = time.monotonic() - now
        self._next_look = now + max(_SEE_SECONDS, took / _SEE_SHARE)
        self._held = {name: held for name, held in self._held.items() if name in running}

    def close(self) -> None:
        """End the samplers; waits two seconds at most for what the last rungs cost."""
        self._samplers.close()

    def _cohort(self, record: SweepRecord, name: str, trials: int) -> CohortState:
        family = record.cohorts[name].family
        if name not in self._held:
            return CohortState(self._folder.name, name, family, trials, 0)
        holding, rung = self._held[name]
        place = self._samplers.place_of(holding)
        return CohortState(self._folder.name, name, family, trials, rung, place.node, place.devices)

    def _figures(self, record: SweepRecord) -> Iterator[TrialFigures]:
        name, greater = self._metric.name, self._metric.greater_is_better
        for trial in foremost(record, name, greater, ended=_BEST_TRIALS, running=_RUNNING_TRIALS):
            yield TrialFigures(
                trial.trial, trial.family, trial.score(name), trial.seconds, trial.gpu_seconds, trial.energy_j
            )

    def _publish(self, views: Sequence[NodeView]) -> None:
        """Called from the samplers' thread: a disk that is slow or full holds up nobody."""
        standing, nodes = self._standing, tuple(map(state_of, views))
        self._gauges = self._gauges or Gauges(self._first or standing)
        self._gauges.show(standing, nodes)
        with contextlib.suppress(DistmlError):
            self._folder.write_scene(Scene(time.time(), nodes, standing.cohorts))
