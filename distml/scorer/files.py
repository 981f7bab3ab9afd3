"""What stands in a scorer's folder: `scorer.json`, and a file for each preprocessor and each model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from distml.data.layout import Layout
from distml.data.options import Kind
from distml.data.task import Outline, Task

FORMAT = 1  # of the folder; a change that an older distml would misread makes it 2
MANIFEST = "scorer.json"

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # in the folder, and not outside
Label = bool | int | float | str


class _Part(BaseModel):
    """What all parts share: nothing unknown is read over, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Column(_Part):
    """A column that a table to be scored has to have."""

    name: str
    kind: Kind
    categories: tuple[str, ...] | None = None  # of a categorical column, without rare ones
    incomplete: bool = False  # it had missing cells among the training rows


class Member(_Part):
    """One trial of the ensemble, trained on all training rows."""

    trial: str
    weight: float = Field(gt=0, le=1)  # its share of the ensemble's score; all together are 1
    family: str
    own_class: str | None = None  # 'my_package.module:MyModule', a user's own
    params: dict[str, Any]
    seed: int
    variant: dict[str, Any]  # how its table was prepared
    features: int
    cardinalities: tuple[int, ...]
    further: int = 0  # targets beside the one that is scored, which it was built to learn, too
    preprocessing: FileName
    model: FileName
    onnx: FileName | None = None  # the model once more, for other programs: it takes the prepared matrix


class Calibration(_Part):
    """From the ensemble's raw score to a probability.

    none: as it is; platt: sigmoid(slope * logit(raw) + shift); isotonic: straight lines between knots;
    temperature: softmax(slope * log(raw)) over the classes
    """

    method: Literal["none", "platt", "isotonic", "temperature"]
    reason: str  # why this one
    slope: float = 1.0
    shift: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()  # (raw, probability), ascending


class Threshold(_Part):
    """From which probability of the positive class on the decision is for it."""

    value: float = Field(ge=0, le=1)
    reason: str


class Points(_Part):
    """How a probability becomes points: `base_score` where the odds against the positive class are `base_odds` to 1;
    `double_odds` more for each doubling of the odds."""

    base_score: float = 600.0
    base_odds: float = Field(default=50.0, gt=0)
    double_odds: float = Field(default=20.0, gt=0)


class Data(_Part):
    """The table that the scorer has learnt from."""

    source: str  # its file's name
    sha256: str
    train_rows: int
    holdout_rows: int
    left_out: tuple[str, ...]  # columns it has that are not learnt from: the target, dropped ones, texts


class Manifest(_Part):
    """`scorer.json`: all of a scorer but the weights."""

    format: int = FORMAT
    distml: str
    made: str  # UTC, '2026-11-23T19:40:00Z'
    task: Task
    target: str
    classes: tuple[Label, ...]  # of two, classes[1] is the positive one; () for regression
    columns: tuple[Column, ...]
    data: Data
    members: tuple[Member, ...] = Field(min_length=1)
    calibration: Calibration
    threshold: Threshold | None  # two classes only
    points: Points | None  # two classes only
    background: FileName | None  # made-up rows that reasons are told against
    metrics: dict[str, dict[str, float | None]]  # 'out-of-fold' and 'holdout' -> metric -> value
    sweep: dict[str, Any]  # where it comes from: name, sweep file, seed, git, times
    versions: dict[str, str]  # package -> version that it was made with
    notes: tuple[str, ...] = ()  # sentences for whoever deploys it
    sha256: dict[FileName, str]  # of each file beside this one

    @property
    def layout(self) -> Layout:
        """The columns as data.preprocessing knows them."""
        return Layout(
            kinds={column.name: column.kind for column in self.columns},
            categories={column.name: column.categories for column in self.columns if column.categories is not None},
            incomplete=tuple(column.name for column in self.columns if column.incomplete),
        )

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    def outline_of(self, member: Member) -> Outline:
        """What the member's model was built for."""
        return Outline(self.task, member.features, member.cardinalities, len(self.classes), member.further)


def columns_of(layout: Layout) -> tuple[Column, ...]:
    """The layout as it is stored."""
    return tuple(
        Column(name=name, kind=kind, categories=layout.categories.get(name), incomplete=name in layout.incomplete)
        for name, kind in layout.kinds.items()
    )


def to_text(manifest: Manifest) -> str:
    """The manifest as JSON, with a checksum of its own."""
    plain = manifest.model_dump(mode="json")
    return json.dumps({**plain, "seal": seal(plain)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def seal(plain: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's content, whatever the order and spacing it is written in."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def is_scorer(folder: Path) -> bool:
    """Whether a folder looks like a scorer, and may be replaced by a newer one."""
    return (folder / MANIFEST).is_file()
