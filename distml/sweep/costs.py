"""From what a cohort took to what each of its trials took, and the journal's event about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from distml.hardware.attribution import Cost
from distml.hardware.packing import Measured
from distml.sweep.holding import Holding
from distml.training.cohort import RungResult

SHARING_RULE = "members share their cohort's GPU seconds and energy by their training time"


def shares(results: Sequence[RungResult]) -> list[float]:
    """Each member's part of its cohort's cost by SHARING_RULE; equal ones where no training time is known.

    >>> shares([RungResult("t1", 1, "running", seconds=3.0), RungResult("t2", 1, "failed")])
    [1.0, 0.0]
    """
    total = sum(result.seconds for result in results)
    if not total:
        return [1 / len(results)] * len(results)
    return [result.seconds / total for result in results]


def placed(results: Sequence[RungResult], holding: Holding, device: str | None) -> list[RungResult]:
    """Results with the GPU seconds that their cohort held, and the device as a user knows it."""
    seconds = holding.gpu_seconds
    return [
        replace(result, device=device, gpu_seconds=None if seconds is None else seconds * share)
        for result, share in zip(results, shares(results), strict=True)
    ]


def with_own_peak(cost: Cost, holding: Holding) -> Cost:
    """The cost with the peak that the process itself knows, where that is more: a short one falls between samples."""
    own = holding.peak_memory_mib
    if own is None or (cost.peak_memory_mib is not None and cost.peak_memory_mib >= own):
        return cost
    missing = {name: reason for name, reason in cost.missing.items() if name != "peak_memory_mib"}
    return replace(cost, peak_memory_mib=own, missing=missing)


def cost_event(cohort: str, results: Sequence[RungResult], cost: Cost) -> dict[str, Any]:
    """What a rung cost, for the journal: it comes a second after the rung, when the samples are there."""
    return {
        "event": "cost",
        "cohort": cohort,
        "trials": [result.trial for result in results],
        "shares": [round(share, 6) for share in shares(results)],
        "gpu_seconds": cost.gpu_seconds,
        "trained_seconds": sum(result.seconds for result in results),  # the rest is starting and waiting
        "utilisation": cost.utilisation,
        "peak_memory_mib": cost.peak_memory_mib,
        "energy_j": cost.energy_j,
        "energy_estimated": None if cost.energy_j is None else cost.energy_estimated,
        "missing": dict(cost.missing),
    }


def measured(event: Mapping[str, Any]) -> Measured:
    """What a cohort took of a device that it had to itself, from a cost event.

    It was busy while it trained: the time it took to start, or waited for its driver, is not counted, and what was
    busy then is.

    >>> event = {"trials": ["t1", "t2"], "peak_memory_mib": 900.0, "utilisation": 0.25, "gpu_seconds": 6.0}
    >>> measured({**event, "trained_seconds": 3.0})
    Measured(members=2, memory_mib=900.0, utilisation=0.5)
    """
    busy, trained = event["utilisation"], event["trained_seconds"]
    if busy is not None:
        busy = min(1.0, busy * event["gpu_seconds"] / trained) if trained else None
    return Measured(len(event["trials"]), event["peak_memory_mib"], busy)


def member_costs(event: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Trial -> its part of a cost event: energy is shared, utilisation and peak memory are the whole cohort's.

    `gpu_seconds` is the weight of its utilisation.
    """
    joules = event["energy_j"]
    return {
        trial: {
            "energy_j": None if joules is None else joules * share,
            "energy_estimated": event["energy_estimated"],
            "utilisation": event["utilisation"],
            "gpu_seconds": event["gpu_seconds"] * share,
            "peak_memory_mib": event["peak_memory_mib"],
            "missing": event["missing"],
        }
        for trial, share in zip(event["trials"], event["shares"], strict=True)
    }
