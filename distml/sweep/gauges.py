"""A running sweep's figures for Prometheus and the Ray dashboard. There, each name begins with 'ray_'."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ray.util.metrics import Counter, Gauge

from distml.sweep.holding import device_name
from distml.sweep.nodes import CohortState, NodeState
from distml.sweep.records import ENDED, TrialState

_STATES: tuple[TrialState, ...] = ("pending", "running", "finished", "stopped", "diverged", "failed")


@dataclass(frozen=True)
class TrialFigures:
    """One trial at one moment; what is not known is None."""

    trial: str
    family: str
    score: float | None
    seconds: float
    gpu_seconds: float | None
    energy_j: float | None


@dataclass(frozen=True)
class Standing:
    """A sweep at one moment."""

    sweep: str
    metric: str
    counts: Mapping[TrialState, int] = field(default_factory=dict)
    best: float | None = None
    energy_j: float = 0.0  # of all trials, as far as it is known
    gpu_seconds: float = 0.0  # of all trials
    cohorts: tuple[CohortState, ...] = ()
    trials: tuple[TrialFigures, ...] = ()  # a bounded number of them: each is a series of its own


class Gauges:
    """Set from one thread. What is not known now is not set: Ray forgets a gauge that it has not heard of for 20 s."""

    def __init__(self, before: Standing) -> None:
        """before: what is not to be counted again, since an earlier driver of this sweep did."""
        sweep, device, node = ("sweep",), ("node", "device", "uuid"), ("node",)
        trial = (*sweep, "family", "trial")
        self._trials = Gauge("distml_trials", "Trials of a sweep by state", (*sweep, "state"))
        self._best = Gauge("distml_best_score", "Best score so far, by the leaderboard", (*sweep, "metric"))
        self._cohorts = Gauge("distml_cohorts", "Cohorts that train", (*sweep, "family"))
        self._size = Gauge("distml_cohort_size", "Trials in a cohort that trains, the mean", (*sweep, "family"))
        self._ended = Counter("distml_trials_ended", "Trials that ended, by state", (*sweep, "state"))
        self._energy = Counter("distml_energy_joules", "Energy attributed to a sweep's trials", sweep)
        self._gpu = Counter("distml_gpu_seconds", "Time that a sweep's trials held GPUs, by the share of each", sweep)
        self._score = Gauge("distml_trial_score", "Last score of a trial that runs or is among the best", trial)
        self._seconds = Gauge("distml_trial_seconds", "Training time of such a trial", trial)
        self._trial_gpu = Gauge("distml_trial_gpu_seconds", "Time that such a trial held GPUs, by its share", trial)
        self._trial_energy = Gauge("distml_trial_energy_joules", "Energy attributed to such a trial", trial)
        self._utilisation = Gauge("distml_device_utilisation", "Part of the time in which anything ran, 0 to 1", device)
        self._power = Gauge("distml_device_power_watts", "Power of a card", device)
        self._memory = Gauge("distml_device_memory_mib", "Memory in use on a card or slice", device)
        self._cpu = Gauge("distml_node_cpu_utilisation", "Of all cores together, 0 to 1", node)
        self._host_memory = Gauge("distml_node_memory_mib", "Memory that a new program could not have", node)
        self._disk_free = Gauge("distml_node_disk_free_mib", "Free room where runs are written", node)
        self._before = before
        self._families: set[str] = set()

    def show(self, standing: Standing, nodes: Sequence[NodeState]) -> None:
        """Set everything."""
        self._show_sweep(standing)
        for node in nodes:
            self._show_node(node)

    def _show_sweep(self, now: Standing) -> None:
        of = {"sweep": now.sweep}
        for state in _STATES:
            self._trials.set(now.counts.get(state, 0), {**of, "state": state})
        for state in ENDED:
            _add(self._ended, now.counts.get(state, 0) - self._before.counts.get(state, 0), {**of, "state": state})
        _add(self._energy, now.energy_j - self._before.energy_j, of)
        _add(self._gpu, now.gpu_seconds - self._before.gpu_seconds, of)
        _set(self._best, now.best, {**of, "metric": now.metric})
        cohorts = Tally(cohort.family for cohort in now.cohorts)
        self._families.update(cohorts)
        for family in self._families:
            members = sum(cohort.trials for cohort in now.cohorts if cohort.family == family)
            self._cohorts.set(cohorts[family], {**of, "family": family})
            _set(self._size, members / cohorts[family] if cohorts[family] else None, {**of, "family": family})
        for one in now.trials:
            tags = {**of, "family": one.family, "trial": one.trial}
            _set(self._score, one.score, tags)
            self._seconds.set(one.seconds, tags)
            _set(self._trial_gpu, one.gpu_seconds, tags)
            _set(self._trial_energy, one.energy_j, tags)
        self._before = now

    def _show_node(self, node: NodeState) -> None:
        if node.gap or node.sample is None or node.inventory is None:
            return
        host, of = node.sample.host, {"node": node.name}
        self._cpu.set(host.utilisation, of)
        self._host_memory.set(host.memory_used_mib, of)
        _set(self._disk_free, host.disk_free_mib, of)
        devices = {device.uuid: device for device in node.inventory.devices}
        for sample in node.sample.devices:
            if sample.uuid in devices:
                name = device_name(devices[sample.uuid], node.inventory)
                of = {"node": node.name, "device": name, "uuid": sample.uuid}
                _set(self._memory, sample.memory_used_mib, of)
                _set(self._utilisation, sample.utilisation, of)
                _set(self._power, sample.power_w, of)


def _set(gauge: Gauge, value: float | None, tags: dict[str, str]) -> None:
    if value is not None:
        gauge.set(value, tags)


def _add(counter: Counter, more: float, tags: dict[str, str]) -> None:
    if more > 0:
        counter.inc(more, tags)
