"""Records beside each other: ratios with intervals, by arm, by price, by joule, by GiB. Arithmetic, and no more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from distml.bench import statistics
from distml.bench.record import ArmRecord, Figure, Measured, Model, Published, Workload
from distml.errors import DistmlError, Mistake, MistakesError, did_you_mean

MODELS: tuple[tuple[Model, str], ...] = (("scoring-network", "scoring network"), ("random-forest", "random forest"))
_WORDS = {
    "rows": "training rows", "validation_rows": "validation rows", "features": "columns", "seed": "the table's seed",
    "hidden": "layer widths", "epochs": "epochs", "batch_size": "batch size", "trees": "trees",
    "precision": "precision", "tf32": "TF32",
}  # fmt: skip
_GENERIC = {
    ("cohorts", "fixed"): "the best cohort on all slots",
    ("mig", "fixed"): "MIG slices, all at once",
    ("alone", "best-fit"): "one process, best-fit batch",
    ("cohort", "best-fit"): "the best cohort, best-fit batch",
}


@dataclass(frozen=True)
class Cell:
    """What one record has to say in a row."""

    figure: Figure | None
    said: str = ""  # where there is no figure, why; where there is one, what it is of if that differs


@dataclass(frozen=True)
class Row:
    """One quantity of all records."""

    name: str
    unit: str
    cells: tuple[Cell, ...]  # one a record
    ratios: tuple[Figure | None, ...]  # over the baseline's, one a record; the baseline's own is None
    more_is_better: bool = True


@dataclass(frozen=True)
class Block:
    """The rows of one model."""

    model: Model
    title: str
    arms: tuple[Row, ...]  # trials an hour
    best: tuple[Row, ...]  # the best arm of each record: by price, by joule, by GiB


@dataclass(frozen=True)
class Comparison:
    """Measured records of one workload, and published ones apart from them."""

    records: tuple[Measured, ...]
    labels: tuple[str, ...]
    baseline: int
    blocks: tuple[Block, ...]
    published: tuple[Published, ...]

    @property
    def workload(self) -> Workload:
        return self.records[0].workload


def compare(read: Sequence[tuple[Path, Measured | Published]], baseline: str | None = None) -> Comparison:
    """Compare records. baseline: a record's file, or the name it has here; by default the first measured one.

    Raises:
        DistmlError: there is just one record, none that was measured, or no such baseline.
        MistakesError: the records' workloads differ; in what, one mistake each.
    """
    if len(read) < 2:
        raise DistmlError("compare wants two records or more; what one says by itself: distml recommend RECORD")
    measured = [(path, record) for path, record in read if isinstance(record, Measured)]
    published = tuple(record for _, record in read if isinstance(record, Published))
    if not measured:
        raise DistmlError(
            "none of these records was measured; published figures stand beside measured ones: "
            "distml bench --output mine.json, then compare that with them"
        )
    records = tuple(record for _, record in measured)
    check_same_workload(measured)
    labels = labels_of([path for path, _ in measured])
    place = _baseline(baseline, [path for path, _ in measured], labels)
    blocks = tuple(_block(model, title, records, place) for model, title in MODELS)
    kept = tuple(block for block in blocks if block.arms)
    return Comparison(records, labels, place, kept, published)


def check_same_workload(measured: Sequence[tuple[Path, Measured]]) -> None:
    """Raise MistakesError where records were not measured on the same work."""
    (first_path, first), *others = measured
    found = []
    for path, record in others:
        for name, words in _WORDS.items():
            ours, theirs = getattr(first.workload, name), getattr(record.workload, name)
            if ours != theirs:
                found.append(Mistake(str(path), f"{words}: {_shown(theirs)} against {_shown(ours)} in {first_path}"))
    if found:
        hint = Mistake("", "figures of different work say nothing of each other: measure both with the same command")
        raise MistakesError("the comparison", [*found, hint])


def labels_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """What records are called in a comparison: their files' names, as far as it takes to tell them apart.

    >>> labels_of([Path("3090.json"), Path("a100.json")]), labels_of([Path("may/3090.json"), Path("june/3090.json")])
    (('3090', 'a100'), ('may/3090', 'june/3090'))
    >>> labels_of([Path("3090.json"), Path("3090.json")])
    ('3090', '3090 (2)')
    """
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        labels = ["/".join(path.with_suffix("").parts[-parts:]) for path in paths]
        if len(set(labels)) == len(labels):
            return tuple(labels)
    before = [labels[:place].count(label) for place, label in enumerate(labels)]
    return tuple(f"{label} ({count + 1})" if count else label for label, count in zip(labels, before, strict=True))


def _baseline(asked: str | None, paths: Sequence[Path], labels: Sequence[str]) -> int:
    if asked is None:
        return 0
    names = {name: place for place, pair in enumerate(zip(labels, map(str, paths), strict=True)) for name in pair}
    found = names.get(asked)
    if found is None:
        there = ", ".join(map(str, paths))
        raise DistmlError(
            f"--baseline {asked!r} is none of the measured records.{did_you_mean(asked, names)} They are: {there}"
        )
    return found


def _block(model: Model, title: str, records: Sequence[Measured], baseline: int) -> Block:
    keys = dict.fromkeys(arm.key for record in records for arm in record.arms if arm.model == model)
    arms = [_arm_row(key, records, baseline) for key in keys]
    return Block(model, title, tuple(arms), tuple(_best_rows(model, records, baseline)) if arms else ())


def _arm_row(key: tuple[str, ...], records: Sequence[Measured], baseline: int) -> Row:
    found = [next((arm for arm in record.arms if arm.key == key), None) for record in records]
    names = list(dict.fromkeys(arm.name for arm in found if arm is not None))
    known = next(arm for arm in found if arm is not None)
    name = names[0] if len(names) == 1 else _GENERIC.get((known.way, known.batch), names[0])
    cells = tuple(
        Cell(None, _why_not(known, record)) if arm is None
        else Cell(arm.trials_per_hour, arm.name if len(names) > 1 else "") if arm.state == "measured"
        else Cell(None, arm.state)
        for arm, record in zip(found, records, strict=True)
    )  # fmt: skip
    values = [arm.rates if arm is not None and arm.state == "measured" else [] for arm in found]
    return Row(name, "trials/h", cells, _ratios(values, baseline))


def _why_not(arm: ArmRecord, record: Measured) -> str:
    """Why a record lacks an arm that another one has."""
    device = record.machine.device
    if arm.way == "mig":
        cut = device is not None and bool(device.mig_layout)
        can = device is not None and device.mig_mode is not None
        return "one slice" if cut else "MIG is off" if can else "no MIG on this card" if device else "no card"
    if arm.way == "mps":
        return "no MPS daemon ran" if device else "no card"
    return "not measured"


def _best_rows(model: Model, records: Sequence[Measured], baseline: int) -> list[Row]:
    bests = [record.best(model) for record in records]
    pairs = list(zip(records, bests, strict=True))

    def row(name: str, unit: str, values: Callable[[Measured, ArmRecord], list[float] | str], more: bool = True) -> Row:
        found = [values(record, best) if best is not None else "not measured" for record, best in pairs]
        cells = tuple(
            Cell(None, one) if isinstance(one, str) else Cell(statistics.figure(one), "" if best is None else best.name)
            for one, (_, best) in zip(found, pairs, strict=True)
        )
        numbers = [[] if isinstance(one, str) else one for one in found]
        return Row(name, unit, cells, _ratios(numbers, baseline), more)

    currencies = {record.machine.price.currency for record in records if record.machine.price}
    unit = f"trials/{next(iter(currencies))}" if len(currencies) == 1 else "trials per price"

    def per_price(record: Measured, best: ArmRecord) -> list[float] | str:
        price = record.machine.price
        if price is None:
            return record.machine.missing.get("price", "no price")
        if len(currencies) > 1:
            return f"prices in {' and '.join(sorted(currencies))} cannot be compared"
        return [rate / price.per_hour for rate in best.rates]

    def joules(record: Measured, best: ArmRecord) -> list[float] | str:
        known = [one.power_w * 3600 / one.trials_per_hour for one in best.repeats if one.power_w is not None]
        return known if len(known) == len(best.repeats) else best.missing.get("joules_per_trial", "not known")

    def per_gib(record: Measured, best: ArmRecord) -> list[float] | str:
        device = record.machine.device
        on_card = device is not None and model == "scoring-network"
        mib = device.memory_mib if on_card and device is not None else record.machine.memory_mib
        return [rate / (mib / 1024) for rate in best.rates] if mib else "its memory is not known"

    rows = [
        row("trials an hour", "trials/h", lambda record, best: best.rates),
        row("per price", unit, per_price),
        row("joules a trial", "J", joules, more=False),
        row("per GiB of its memory", "trials/h/GiB", per_gib),
    ]
    return [row for row in rows if any(cell.figure is not None for cell in row.cells)]


def _ratios(values: Sequence[Sequence[float]], baseline: int) -> tuple[Figure | None, ...]:
    base = values[baseline]
    return tuple(
        statistics.ratio(one, base) if place != baseline and one and base else None for place, one in enumerate(values)
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
