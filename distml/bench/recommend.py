"""Which way of sharing a machine its record speaks for, and how long a sweep will take on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from distml.bench import statistics
from distml.bench.compare import MODELS
from distml.bench.record import ArmRecord, Figure, Measured, Model
from distml.errors import DistmlError

_NEAR = 0.9  # of the best rate: what comes this near is chosen where it is simpler
_INTERESTING = ("alone", "processes", "mps", "mig", "cohort", "cohorts")


@dataclass(frozen=True)
class Advice:
    """One model's part."""

    model: Model
    title: str
    arm: ArmRecord
    trials: int
    seconds: Figure  # that this many trials take, the start of the processes included
    reasons: tuple[str, ...]
    sweep_file: str  # what stands in it, and what not
    cost: float | None  # in the record's currency


def recommend(record: Measured, trials: int) -> list[Advice]:
    """What to do on this machine for so many trials, one advice a model.

    Raises:
        DistmlError: trials is below 1, or the record has no measured arm.
    """
    if trials < 1:
        raise DistmlError(f"--trials {trials}: it must be at least 1")
    found = [
        _advice(record, model, title, [arm for arm in record.measured(model) if arm.batch == "fixed"], trials)
        for model, title in MODELS
        if record.best(model) is not None
    ]
    if not found:
        raise DistmlError("the record has no arm with figures; measure again: distml bench")
    return found


def choose(arms: Sequence[ArmRecord]) -> ArmRecord:
    """Of the arms that come near the best one's rate, that with the fewest processes, then with the fewest members."""
    best = max(_rate(arm) for arm in arms)
    near = [arm for arm in arms if _rate(arm) >= _NEAR * best]
    return min(near, key=lambda arm: (arm.processes, arm.members, -_rate(arm)))


def _advice(record: Measured, model: Model, title: str, arms: Sequence[ArmRecord], trials: int) -> Advice:
    chosen = choose(arms)
    start = record.start_seconds.median if record.start_seconds else 0.0
    rate = chosen.trials_per_hour
    assert rate is not None
    seconds = Figure(
        median=start + 3600 * trials / rate.median,
        low=None if rate.high is None else start + 3600 * trials / rate.high,
        high=None if rate.low is None else start + 3600 * trials / rate.low,
    )
    price = record.machine.price
    return Advice(
        model, title, chosen, trials, seconds, tuple(_reasons(record, chosen, arms)), _sweep_file(chosen, record),
        None if price is None else price.per_hour * seconds.median / 3600,
    )  # fmt: skip


def _reasons(record: Measured, chosen: ArmRecord, arms: Sequence[ArmRecord]) -> list[str]:
    reasons = []
    for arm in arms:
        if arm is chosen:
            continue
        found = statistics.ratio(chosen.rates, arm.rates)
        interval = "" if found.low is None else f" [{found.low:.2g}, {found.high:.2g}]"
        if statistics.differs(found) is False:
            reasons.append(f"no difference that could be told to {arm.name} ({found.median:.2f}x{interval})")
        elif found.median >= 1:
            reasons.append(f"{found.median:.1f}x{interval} as many trials as {arm.name}")
        else:
            reasons.append(f"{arm.name} gives {1 / found.median:.2f} times as many, and is less simple")
    for arm in record.arms:
        if arm.model == chosen.model and arm.state in ("out of memory", "failed"):
            reasons.append(f"{arm.name}: {arm.state}")
    return reasons


def _sweep_file(chosen: ArmRecord, record: Measured) -> str:
    """What to write in the sweep file so that a sweep shares the machine like this arm, and where it cannot."""
    machine = record.machine
    sizes = "" if chosen.model == "random-forest" else "; a sweep finds the size of its cohorts by itself"
    if chosen.model == "random-forest" or machine.device is None:
        cpus = -(-machine.cores // chosen.processes)
        if cpus == 1:
            return f"nothing to set: a sweep trains on every core at once{sizes}"
        return f"{_resources(chosen, f'cpu: {cpus}')}: {machine.cores // cpus} at once on {machine.cores} cores{sizes}"
    slices = len(machine.device.mig_layout)
    if slices:
        one = "; this arm is of one: CUDA_VISIBLE_DEVICES keeps a sweep to it" if chosen.processes < slices else ""
        return f"{_resources(chosen, 'gpu: mig:any')}; a sweep uses all slices{one}{sizes}"
    mps = ""
    if chosen.processes > 1 and (chosen.way == "mps" or "MPS" in chosen.name):
        mps = "; start the node with --mps"
    elif chosen.processes > 1 and machine.mps:
        mps = "; start the node without --mps"
    return f"{_resources(chosen, f'gpu: {1 / chosen.processes:g}')}{mps}{sizes}"


def _resources(chosen: ArmRecord, asked: str) -> str:
    """Under its family: what suits the network would take cores, or a card, from the forest."""
    return f"families: {{{chosen.model}: {{resources: {{{asked}}}}}}}"


def _rate(arm: ArmRecord) -> float:
    return arm.trials_per_hour.median if arm.trials_per_hour else 0.0
