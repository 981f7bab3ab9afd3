"""The throughput record: one machine's measured figures as portable JSON, and records of what others published.

A record says how it was made; reading checks it against its schema and its checksum.
"""

import hashlib
import json
import os
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from distml.errors import DistmlError, Mistake, MistakesError

FORMAT = "distml throughput record"
VERSION = 1
EDITED = "edited by hand since it was written: its checksum does not fit"
_SHOWN = 8  # mistakes of one record; a file that is something else has hundreds

Model = Literal["scoring-network", "random-forest"]
Way = Literal["alone", "processes", "mps", "mig", "cohort", "cohorts"]
Batch = Literal["fixed", "best-fit"]
ArmState = Literal["measured", "out of memory", "failed", "not run"]


class Part(BaseModel):
    """A piece of a record: nothing unknown, no infinities, not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Figure(Part):
    """A median and its 95 % bootstrap interval; no interval where there were too few repeats."""

    median: float
    low: float | None
    high: float | None

    def __repr__(self) -> str:
        return f"Figure(median={self.median!r}, low={self.low!r}, high={self.high!r})"


class Workload(Part):
    """What every arm trains: settings, so that it needs no data. Only records of one workload can be compared."""

    rows: int = Field(ge=10)  # that a trial trains on
    validation_rows: int = Field(ge=10)  # that it is scored on
    features: int = Field(ge=1)
    seed: int = 0  # of the table, and with repeat and process of each trial
    hidden: tuple[int, ...]
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    trees: int = Field(ge=1)
    precision: Literal["fp32"] = "fp32"
    tf32: bool = False  # whether products of a GPU may round their factors to TF32

    @property
    def multiplications(self) -> int:
        """Of one row through the network once: the sum of its matrices' sizes."""
        return sum(a * b for a, b in pairwise([self.features, *self.hidden, 1]))


class DeviceFacts(Part):
    """A card or slice as it was found. What is not known is null, and `missing` says why."""

    name: str
    uuid: str
    memory_mib: int | None = None
    multiprocessors: int | None = None
    capability: str | None = None
    profile: str | None = None  # of a slice: '1g.10gb'
    mig_mode: str | None = None
    mig_layout: tuple[str, ...] = ()  # profiles of a cut card's slices
    sm_clock_mhz: int | None = None  # the most it may have
    memory_clock_mhz: int | None = None
    power_cap_w: float | None = None
    missing: dict[str, str] = {}


class Price(Part):
    """What the machine costs by the site file."""

    per_hour: float = Field(gt=0)
    currency: str
    device: str  # the site file's own name for it


class Machine(Part):
    """What the figures were measured on. Names no host: `identity` only tells one machine from another."""

    identity: str
    label: str  # 'RTX 3090', 'AMD EPYC, 2 cores'
    system: str
    processor: str
    cores: int
    memory_mib: int
    processor_clock_mhz: float | None = None
    device: DeviceFacts | None = None  # that the network trained on; None: the processor
    others: tuple[DeviceFacts, ...] = ()  # further devices of the machine, idle meanwhile
    driver: str | None = None
    cuda: str | None = None
    mps: bool = False
    on_battery: bool | None = None  # None: it has none, or does not tell
    price: Price | None = None
    versions: dict[str, str]
    missing: dict[str, str] = {}


class Ceiling(Part):
    """A limit of the machine, measured in the same run."""

    what: Literal["matrix product", "device copy"]
    unit: Literal["GFLOP/s", "GB/s"]
    rate: Figure
    values: tuple[float, ...]
    how: str


class Repeat(Part):
    """One measured stretch of an arm, all its slots busy."""

    seed: int
    trials: int  # that were counted, of all processes
    seconds: float = Field(gt=0)  # until the last process had done its own
    trials_per_hour: float = Field(gt=0)
    power_w: float | None = None  # of the whole card meanwhile
    utilisation: float | None = None  # 0 to 1
    peak_memory_mib: float | None = None


class ArmRecord(Part):
    """One way of sharing the machine, and what it gave."""

    model: Model
    way: Way
    processes: int = Field(ge=1)
    members: int = Field(ge=1)  # trials that each process trains as one
    batch: Batch
    batch_size: int | None  # None: the model has none
    name: str
    state: ArmState
    reason: str = ""  # for this state
    notes: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    trials_per_hour: Figure | None = None
    samples_per_second: Figure | None = None  # training rows times epochs or trees
    joules_per_trial: Figure | None = None
    utilisation: Figure | None = None
    peak_memory_mib: float | None = None
    of_matrix_rate: float | None = None  # the network's floating-point rate over the machine's matrix product
    missing: dict[str, str] = {}

    @model_validator(mode="after")
    def _measured_has_figures(self) -> Self:
        if self.state == "measured" and not (self.repeats and self.trials_per_hour):
            lacks = "trials_per_hour" if self.repeats else "repeats"
            said = "{arm}: state is 'measured', and there are no {lacks}; measure again: distml bench"
            raise PydanticCustomError("no_figures", said, {"arm": self.name, "lacks": lacks})
        return self

    @property
    def key(self) -> tuple[str, ...]:
        """What the same arm has in common on two machines: a best fit may differ in batch and in members."""
        parts: list[str] = [self.model, self.way, self.batch]
        if self.way in ("processes", "mps"):
            parts.append(str(self.processes))
        if self.way == "cohort" and self.batch == "fixed":
            parts.append(str(self.members))
        return tuple(parts)

    @property
    def rates(self) -> list[float]:
        """Trials an hour, repeat by repeat."""
        return [repeat.trials_per_hour for repeat in self.repeats]


class Made(Part):
    """How a record came about."""

    date: str  # '2026-11-23T20:15:00+00:00'
    command: str
    distml: str
    git: str | None
    seconds: float
    repeats: int  # that were asked for
    quick: bool
    complete: bool  # False: it was interrupted


class Measured(Part):
    """A machine's own record."""

    format: Literal["distml throughput record"] = "distml throughput record"
    version: Literal[1] = 1
    kind: Literal["measured"] = "measured"
    made: Made
    workload: Workload
    machine: Machine
    marks: tuple[str, ...] = ()  # what a reader must know before believing the figures
    ceilings: tuple[Ceiling, ...] = ()
    start_seconds: Figure | None = None  # a process from its start until it could train; no part of any arm
    arms: tuple[ArmRecord, ...]

    @property
    def label(self) -> str:
        return self.machine.label

    def measured(self, model: Model | None = None) -> list[ArmRecord]:
        """The arms that have figures."""
        return [arm for arm in self.arms if arm.state == "measured" and model in (None, arm.model)]

    def best(self, model: Model) -> ArmRecord | None:
        """The arm with most trials an hour, at the batch size that all machines share."""
        found = [arm for arm in self.measured(model) if arm.batch == "fixed"]
        return max(found, key=lambda arm: arm.trials_per_hour.median if arm.trials_per_hour else 0.0, default=None)


class PublishedFigure(Part):
    """A number that others measured."""

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str
    hardware: str
    note: str = ""


class Published(Part):
    """What others published; never in one column with measured figures."""

    format: Literal["distml throughput record"] = "distml throughput record"
    version: Literal[1] = 1
    kind: Literal["published"] = "published"
    label: str
    source: str  # title, authors, year
    url: str
    read: str  # the day on which it was read there, and which version
    figures: tuple[PublishedFigure, ...] = Field(min_length=1)


Record = Annotated[Measured | Published, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Measured | Published] = TypeAdapter(Record)


def schema() -> dict[str, Any]:
    """The JSON schema of a record as it stands in its file."""
    found = _ADAPTER.json_schema(mode="validation")
    for name in ("Measured", "Published"):
        part = found["$defs"][name]
        part["properties"]["checksum"] = {"type": "string", "description": "SHA-256 of all else as canonical JSON"}
        part["required"] = [*part["required"], "checksum"]
    return found


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 of a record without its checksum, as JSON with sorted keys and no blanks."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write(record: Measured | Published, path: Path) -> None:
    """Write a record with its checksum, by temporary file and rename.

    Raises:
        DistmlError: it cannot be written there.
    """
    content = json.loads(record.model_dump_json())
    content["checksum"] = checksum(content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".json")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise DistmlError(f"cannot write {path}: {error.strerror}. Choose another place with --output FILE") from None


def read(path: Path) -> Measured | Published:
    """Read a record; one that was edited by hand comes with EDITED among its marks, or in its label.

    Raises:
        DistmlError: there is no such file, it is cut short, or of a version that this distml does not know.
        MistakesError: all that does not fit the schema.
    """
    content = _content(path)
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DistmlError(
            f"{path} is a record of version {version}; this distml reads version {VERSION} and older. "
            "Read it with the distml that wrote it, or a newer one"
        )
    told = content.pop("checksum", None)
    try:
        record = _ADAPTER.validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise MistakesError(str(path), _mistakes(error, content)) from None
    if told == checksum(content):
        return record
    if isinstance(record, Measured):
        return record.model_copy(update={"marks": (*record.marks, EDITED)})
    return record.model_copy(update={"label": f"{record.label} ({EDITED})"})


def read_measured(path: Path) -> Measured:
    """Read a record that was measured; raises what `read` does, and DistmlError for published figures."""
    found = read(path)
    if isinstance(found, Published):
        raise DistmlError(f"{path} holds published figures, which say nothing of this workload; give a measured record")
    return found


def _content(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DistmlError(f"there is no record {path}; make one with: distml bench --output {path}") from None
    except IsADirectoryError:
        raise DistmlError(f"{path} is a folder; give the record in it") from None
    except UnicodeDecodeError:
        raise DistmlError(f"{path} is no record: it is not text") from None
    except OSError as error:
        raise DistmlError(f"cannot read {path}: {error.strerror}") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        cut = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated")
        what = "ends in the middle: was its copying interrupted?" if cut else "is not JSON"
        raise DistmlError(f"{path} {what} ({where}: {error.msg})") from None
    except RecursionError:
        raise DistmlError(f"{path} is no throughput record: it is nested too deeply") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DistmlError(f'{path} is no throughput record: it does not hold "format": "{FORMAT}"')
    return content


def _mistakes(error: ValidationError, content: dict[str, Any]) -> list[Mistake]:
    found = []
    for details in error.errors(include_url=False, include_input=True):
        parts = [part for part in details["loc"] if part != content.get("kind")]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
        shown = repr(details["input"])
        value = f"{shown}: " if details["type"] != "missing" and len(shown) <= 40 else ""
        found.append(Mistake(where, f"{value}{details['msg'][0].lower()}{details['msg'][1:]}"))
    if len(found) > _SHOWN:
        found = [*found[:_SHOWN], Mistake("...", f"and {len(found) - _SHOWN} more")]
    return found
