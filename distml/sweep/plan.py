"""What would run where, before anything does."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from distml.data.arrays import outline, prepare_folds
from distml.data.task import FoldArrays
from distml.data.variant import variant_from
from distml.models.family import Family
from distml.models.space import Choice, Domain, Fixed, Space
from distml.sweep.cluster import Cluster
from distml.sweep.journal import read
from distml.sweep.orders import FamilyPlan
from distml.sweep.params import PREPROCESSING, split_params, typical
from distml.sweep.parts import family_plans, full_size
from distml.sweep.places import Places
from distml.sweep.preflight import Checked
from distml.sweep.records import replay
from distml.sweep.resources import check_resources, wishes
from distml.sweep.runs import RunFolder
from distml.sweep.wish import Wish, share
from distml.training.cohort import Assignment, Member
from distml.training.start import start_cohort

_PILOT_ROWS = 2000
_MEASURED = 5  # structures whose shares are told


@dataclass(frozen=True)
class PlanLine:
    """One family's part."""

    family: str
    trials: int | None  # None: as many as the time allows
    text: str  # 'cohorts of 64 on 1 CPU each, 3 structures'
    places: tuple[str, ...] = ()  # what each class of device gives it, and why


@dataclass(frozen=True)
class Plan:
    """What a sweep would do on these resources."""

    lines: tuple[PlanLine, ...]
    seconds: float | None  # None: nothing but Ctrl-C ends it
    basis: str  # what the estimate rests on


def needs_so_far(folder: RunFolder) -> tuple[Mapping[str, Any], ...]:
    """What this sweep's cohorts turned out to take of devices, where it was begun before; the journal's events."""
    return tuple(replay(read(folder.journal)).needs.values()) if folder.journal.is_file() else ()


@dataclass(frozen=True)
class Speed:
    """What all of this machine together did when its throughput record was measured."""

    rows_per_second: Mapping[str, float]  # family -> training rows times epochs or trees
    multiplications: int  # of one row through the record's network, once
    features: int  # columns of the record's table
    source: str  # "this machine's throughput record of 2026-11-23, runs/throughput.json"


def make_plan(
    checked: Checked, cluster: Cluster, needs: Sequence[Mapping[str, Any]] = (), speed: Speed | None = None
) -> Plan:
    """Plan a sweep for a cluster; trains one small piece of each family for the estimate that `speed` says nothing of.

    needs: what is known of its cohorts, from `needs_so_far`.

    Raises:
        MistakesError: it asks for what no node has.
    """
    check_resources(checked.spec, cluster)
    plans = family_plans(checked)
    asked = wishes(checked, cluster)
    lines = []
    seconds = 0.0
    guessed: list[str] = []
    for plan, (family, space) in zip(plans, checked.families.values(), strict=True):
        wish = asked[plan.name]
        where = f"{wish.cpus} CPU{'s' * (wish.cpus != 1)}{f' and {_gpu(wish)}' if wish.any_gpu else ''} each"
        found = _places(wish, cluster) + _measured(plan.name, wish, needs)
        lines.append(PlanLine(plan.name, plan.quota, f"{_how(family, plan, space)}, {where}", found))
        if plan.quota is not None:
            known = _recorded_seconds(checked, family, space, plan, speed) if speed else None
            if known is None:
                known = _pilot_seconds(checked, family, space, plan) / max(1, cluster.cpus)
                guessed.append(plan.name)
            seconds += plan.quota * known
    by_trials = seconds if all(plan.quota is not None for plan in plans) else None
    limit = None if checked.spec.budget.minutes is None else 60 * checked.spec.budget.minutes
    if by_trials is not None and (limit is None or by_trials < limit):
        return Plan(tuple(lines), by_trials, _basis(speed, [plan.name for plan in plans], guessed))
    return Plan(tuple(lines), limit, "the budget's minutes")


def _gpu(wish: Wish) -> str:
    return f"{wish.memory_mib / 1024:g} GiB of a GPU" if wish.memory_mib else str(wish)


def _places(wish: Wish, cluster: Cluster) -> tuple[str, ...]:
    """How many cohorts each class of device holds at once, and why."""
    if not wish.any_gpu:
        return ()
    lines = []
    for devices in cluster.device_classes:
        nodes = [node for node in cluster.nodes if node.devices and node.devices.name == devices.name]
        shares = [share(wish, node.devices) for node in nodes if node.devices]
        at_once = Places({"": wish}, Cluster(tuple(nodes))).slots if any(one.slots for one in shares) else 0
        found = max(shares, key=lambda one: one.slots)
        cpus = sum(node.cpus for node in nodes)
        text = f"{len(devices.uuids)} x {devices.name}: {at_once or 'none'}{' at once' * bool(at_once)}; {found.reason}"
        if at_once < sum(one.at_once for one in shares) // max(1, wish.whole):
            text += f"; {wish.cpus} of the {cpus} CPUs beside them for each, start the node with more --cpus"
        lines.append(text)
    return tuple(lines)


def _measured(family: str, wish: Wish, needs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The shares that cohorts take by now, as was measured."""
    if wish.gpu != "auto":
        return ()
    own = [need for need in needs if need["family"] == family]
    told = [f"{need['kind']} as measured: {need['reason']}" for need in own[:_MEASURED]]
    more = len(own) - len(told)
    return (*told, *([f"and {more} more structures that were measured"] if more else []))


def structures(family: Family, space: Space) -> float:
    """How many kinds of cohort a space can ask for: combinations of what members must share; a range has no number."""
    return math.prod(
        len(domain.options) if isinstance(domain, Choice) else 1 if isinstance(domain, Fixed) else math.inf
        for _, domain in _shared(family, space)
    )


def _shared(family: Family, space: Space) -> list[tuple[str, Domain]]:
    network = family.engine == "network"
    return [
        (name, domain)
        for name, domain in space.items()
        if name.startswith(PREPROCESSING) or (network and name in family.structural)
    ]


def _how(family: Family, plan: FamilyPlan, space: Space) -> str:
    parts = [_together(family, plan, space) if family.engine == "network" else "one after another in a process"]
    rungs = plan.rungs(typical(space))
    if len(rungs) > 1:
        parts.append(f"rungs at {', '.join(map(str, rungs))} {family.resource}")
    elif family.resource:
        parts.append(f"{full_size(family, space)} {family.resource}")
    if not plan.refills:
        parts.append(f"up to {min(plan.cohort_size, plan.quota or plan.cohort_size)} compared at a time")
    return ", ".join(parts)


def _together(family: Family, plan: FamilyPlan, space: Space) -> str:
    """How many trials can share a cohort. How many train best together is found out by the sweep's first one."""
    kinds = structures(family, space)
    if plan.quota is not None and kinds >= plan.quota > 1:
        names = ", ".join(name for name, domain in _shared(family, space) if not isinstance(domain, Fixed))
        return f"cohorts of one: each trial may have a structure of its own; make {names} lists of few values"
    if plan.population is not None:
        return "each cohort a population"
    number = "1 structure" if kinds == 1 else f"{kinds:.0f} structures" if kinds < math.inf else "many structures"
    return f"{number} -> cohorts of {plan.cohort_size} and more, as the first one finds best"


def _basis(speed: Speed | None, families: Sequence[str], guessed: Sequence[str]) -> str:
    """What an estimate rests on.

    >>> speed = Speed({}, 1, 1, "this machine's throughput record of 2026-11-23, runs/throughput.json")
    >>> _basis(speed, ["scoring-network", "bagging"], ["bagging"]).split("; ")[1]
    'bagging: a guess from one small trial on 2,000 rows'
    """
    if speed is None or len(guessed) == len(families):
        return f"a guess from one small trial of each family on {_PILOT_ROWS:,} rows"
    basis = f"from {speed.source}, scaled by rows, epochs or trees, and the size of the model"
    return basis + (f"; {', '.join(guessed)}: a guess from one small trial on {_PILOT_ROWS:,} rows" if guessed else "")


def _recorded_seconds(checked: Checked, family: Family, space: Space, plan: FamilyPlan, speed: Speed) -> float | None:
    """Seconds that one trial takes of the whole machine, by its throughput record; None where that says nothing."""
    rate = speed.rows_per_second.get(family.name)
    if rate is None:
        return None
    params, choices = split_params(typical(space))
    arrays = prepare_folds(checked.dataset, variant_from(choices), checked.spec.seed)
    features = arrays[0].x_train.shape[1]
    rows, larger = sum(len(fold.x_train) for fold in arrays), features / speed.features
    if family.engine == "network":
        hidden = params.get("hidden")
        assert isinstance(hidden, tuple)
        widths = [features, *(int(width) for width in hidden), 1]  # type: ignore[arg-type]  # preflight has seen to it
        larger = sum(a * b for a, b in pairwise(widths)) / speed.multiplications
    elif family.growth is not None and family.growth.out_of_bag:
        rows = len(arrays[0].x_train) + len(arrays[0].x_valid)  # one ensemble stands for all folds
    return rows * plan.rungs(params)[-1] * larger / rate


def _pilot_seconds(checked: Checked, family: Family, space: Space, plan: FamilyPlan) -> float:
    """Seconds of one trial on all rows, from its first rung on a few of them; early stopping is left out of account."""
    params, choices = split_params(typical(space))
    arrays = prepare_folds(checked.dataset, variant_from(choices), checked.spec.seed)
    few = _few_rows(arrays[0])
    first = plan.rungs(params)[0]
    cohort, _ = start_cohort(Assignment(family, outline(checked.dataset, few), (few,), checked.evaluator), params)
    members = 8 if family.engine == "network" else 1
    cohort.admit([Member(f"t{i:04d}", params, i, (first,)) for i in range(members)])
    started = time.perf_counter()
    cohort.advance()
    seconds = (time.perf_counter() - started) / members
    rows = sum(len(fold.x_train) for fold in arrays) / len(few.x_train)
    return seconds * rows * plan.rungs(params)[-1] / first


def _few_rows(arrays: FoldArrays) -> FoldArrays:
    some = np.sort(np.random.default_rng(0).permutation(len(arrays.x_train))[:_PILOT_ROWS])
    further = arrays.further_train
    return replace(
        arrays, x_train=arrays.x_train[some], y_train=arrays.y_train[some], train_rows=arrays.train_rows[some],
        further_train=None if further is None else further[some],
    )  # fmt: skip
