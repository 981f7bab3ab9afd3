"""The sweep file as typed objects: what a sweep is, checked as far as the file alone allows."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    model_validator,
)

from distml.data.options import DataOptions, Kind
from distml.data.task import Task
from distml.data.variant import Categorical, Missing, Numeric, Text
from distml.errors import MistakesError
from distml.models.registry import family_names
from distml.models.space import Choice, Domain, Fixed
from distml.sweep.loading import read_mapping
from distml.sweep.mistakes import mistakes_of
from distml.sweep.overrides import apply_overrides
from distml.sweep.values import Count, Gpu, Hyperparameter, ImportPath, Name, Names, Scalar, Searched, Size

DEFAULT_FAMILIES = ("scoring-network", "random-forest", "hist-gradient-boosting")
Logger = Literal["tensorboard", "mlflow", "wandb"]
_FAMILIES_WITHOUT_TARGET = {
    "clustering": ("k-means", "gaussian-mixture", "hierarchical"),
    "projection": ("pca", "t-sne"),
}


class _Part(BaseModel):
    """What all parts share: nothing is converted, nothing is ignored, nothing changes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True)


class Data(_Part):
    """Which table, and what to learn from it."""

    source: Annotated[Path, Field(strict=False)] = Field(
        description="the table: CSV, TSV, JSON lines or Parquet, gzip or not; relative to the sweep file"
    )
    target: str | None = Field(default=None, description="the column to predict; none for clustering and projection")
    further_targets: Names = Field(
        default=(), description="columns learnt beside the target by your own networks that take several; never inputs"
    )
    positive: Scalar | None = Field(default=None, description="the class whose probability is the score")
    drop: Names = Field(default=(), description="columns to leave out")
    kinds: dict[str, Kind] = Field(default={}, description="column -> kind, where the inferred one is wrong")
    unlabelled: bool = Field(
        default=False,
        description="rows without a target take part in preprocessing, and train families that learn from them",
    )
    group: str | None = Field(
        default=None,
        description="a column: none of its groups stands on both sides of a split; of a ranking, its query",
    )
    time: str | None = Field(default=None, description="a column: splits follow its order")


class Split(_Part):
    """What trains, what compares, what is kept back."""

    test: float = Field(
        default=0.2, gt=0, lt=1,
        description="share of the rows held out, touched once by the winner; without a target none are",
    )  # fmt: skip
    folds: int = Field(
        default=5, ge=1,
        description="cross-validation folds; 1: one validation part instead; without a target, resamples of the table",
    )  # fmt: skip
    validation: float = Field(
        default=0.2, gt=0, lt=1,
        description="with folds: 1, the share of the training rows that scores; without a target, "
        "the share of the rows that each resample leaves out",
    )  # fmt: skip


class Preprocessing(_Part):
    """How columns become numbers; a list is searched."""

    numeric: Searched[Numeric] = Field(default=("standard",), description="scaling of numeric columns")
    categorical: Searched[Categorical] = Field(default=("one-hot",), description="coding of categorical columns")
    missing: Searched[Missing] = Field(
        default=("indicator",), description="whether a missing value is also told by a column of its own"
    )
    pca: Searched[Size] = Field(default=(None,), description="dimensions to keep; null: all")
    landmarks: Searched[Size] = Field(
        default=(None,), description="training rows to which distances are added as columns; null: none"
    )
    text: Searched[Text] = Field(
        default=("words",), description="TF-IDF of words, bigrams (words and pairs) or characters; none: left out"
    )
    text_dimensions: Searched[Count] = Field(default=(64,), description="numbers that a text column becomes, by SVD")

    def space(self, kinds: Collection[Kind]) -> dict[str, Domain]:
        """The choices as parameters of a trial, 'preprocessing.numeric' and so on.

        kinds: of the columns; without a text column there is nothing to choose for texts.
        """
        return {
            f"preprocessing.{name}": Choice(options) if len(options) > 1 else Fixed(options[0])
            for name in type(self).model_fields
            if "text" in kinds or not name.startswith("text")
            for options in [getattr(self, name)]
        }


class Resources(_Part):
    """What a cohort runs on."""

    cpu: int = Field(default=1, ge=1, description="CPU cores")
    gpu: Gpu = Field(
        default="auto",
        description="auto, none, a fraction of one GPU, a number of them, '6GiB', 'mig:1g.10gb' or 'mig:any'",
    )


class FamilySpec(_Part):
    """What a sweep says of one family, over the family's own defaults."""

    class_: ImportPath | None = Field(
        default=None, alias="class", description="your own LightningModule or estimator: my_package.module:MyModule"
    )
    space: dict[str, Hyperparameter] = Field(
        default={}, description="hyperparameter -> what it may be, over the defaults"
    )
    structural: Names | None = Field(
        default=None, description="hyperparameters whose trials cannot train together; by default found out"
    )
    resources: Resources | None = Field(default=None, description="over the sweep's resources, key by key")
    trials: int | None = Field(
        default=None, ge=1, description="how many of the budget's trials; by default an equal share"
    )


class Search(_Part):
    """Who proposes trials and who stops them."""

    algorithm: Literal["grid", "random", "tpe", "evolution"] = Field(
        default="tpe", description="proposes configurations"
    )
    scheduler: Literal["asha", "hyperband", "median", "pbt", "none"] = Field(
        default="asha",
        description="stops poor trials early; pbt, population-based training, lets them go on from the best ones' "
        "weights with other hyperparameters",
    )
    perturbation_interval: int | None = Field(
        default=None, ge=1, description="of pbt: epochs between comparisons; by default a tenth of them all"
    )
    reduction_factor: int = Field(
        default=3, ge=2, description="one in so many goes on at each rung; rungs grow by as much"
    )

    @model_validator(mode="after")
    def _has_a_population(self) -> Self:
        if self.perturbation_interval is not None and self.scheduler != "pbt":
            raise ValueError(f"perturbation_interval is of scheduler: pbt; it is {self.scheduler}")
        return self


class Budget(_Part):
    """When a sweep ends: at whichever comes first."""

    trials: int | None = Field(default=None, ge=1, description="configurations to try")
    minutes: float | None = Field(default=None, gt=0, description="of training, over all runs of this sweep")

    @model_validator(mode="after")
    def _is_a_budget(self) -> Self:
        if self.trials is None and self.minutes is None:
            raise ValueError("give trials, minutes or both, like {trials: 200, minutes: 10}")
        return self


def _families_kind(raw: Any) -> str | None:
    if isinstance(raw, Mapping):
        return "settings"
    return "names" if isinstance(raw, (list, tuple)) else None


def _check_not_twice(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands twice")
    return names


def _none_as_empty(raw: Any) -> Any:
    return {} if raw is None else raw  # 'random-forest:' and nothing behind it


_ListedFamilies = Annotated[Names, Field(min_length=1), AfterValidator(_check_not_twice), Tag("names")]
_GivenFamilies = Annotated[
    dict[Name, Annotated[FamilySpec, BeforeValidator(_none_as_empty, FamilySpec | None)]],
    Field(min_length=1),
    Tag("settings"),
]


class SweepSpec(_Part):
    """One sweep, as its file or a notebook says it.

    >>> SweepSpec(name="credit", data={"source": "credit.csv", "target": "default"}).budget.minutes
    10.0

    Raises:
        MistakesError: all that is wrong, at once.
    """

    name: Name = Field(description="letters, digits, - and _; the run's folder")
    seed: int = Field(default=0, ge=0, lt=2**63, description="decides every trial's own seed")
    task: Task | None = Field(
        default=None,
        description="inferred from the target where it is plain; ranking, clustering, projection never are",
    )
    data: Data = Field(description="which table, and what to learn from it: source and, to predict, target")
    split: Split = Field(default=Split(), description="what trains, what compares, what is kept back")
    preprocessing: Preprocessing = Field(
        default=Preprocessing(), description="how columns become numbers; lists are searched"
    )
    families: Annotated[_ListedFamilies | _GivenFamilies, Discriminator(_families_kind)] = Field(
        default=DEFAULT_FAMILIES, description="kinds of model: a list of names, or a mapping from names to settings"
    )
    metric: str | None = Field(
        default=None,
        description="what 'best' means; by default, as the task has it, roc_auc, rmse, ndcg@10, silhouette or "
        "trustworthiness",
    )
    report: Names = Field(default=(), description="further metrics to record")
    search: Search = Field(default=Search(), description="who proposes trials and who stops them")
    budget: Budget = Field(default=Budget(minutes=10.0), description="trials, minutes or both, whichever ends first")
    resources: Resources = Field(default=Resources(), description="what a cohort runs on")
    export: bool = Field(default=True, description="make a scorer of the best trials when the sweep is over")
    loggers: Annotated[tuple[Logger, ...], Field(strict=False)] = Field(
        default=(), description="who else is told of each trial that has ended"
    )

    @model_validator(mode="before")
    @classmethod
    def _with_default_families(cls, raw: dict[str, Any]) -> dict[str, Any]:
        families = _FAMILIES_WITHOUT_TARGET.get(str(raw.get("task")))
        return {"families": families, **raw} if families else raw

    _subject: str = PrivateAttr(default="the sweep")

    def __init__(self, /, **raw: Any) -> None:
        try:
            super().__init__(**raw)
        except ValidationError as error:
            raise MistakesError("the sweep", mistakes_of(error, type(self), raw)) from None

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], subject: str = "the sweep", folder: Path = Path()) -> "SweepSpec":
        """Check a sweep file's content; `data.source` is relative to `folder`."""
        try:
            spec = cls(**{str(key): value for key, value in raw.items()})
        except MistakesError as error:
            raise MistakesError(subject, error.mistakes) from None
        data = spec.data.model_copy(update={"source": folder.absolute() / spec.data.source.expanduser()})
        spec = spec.model_copy(update={"data": data})
        spec._subject = subject
        return spec

    @classmethod
    def from_file(cls, path: str | Path, overrides: Sequence[str] = ()) -> "SweepSpec":
        """Read a sweep file; each override is 'dotted.key=value' and goes over what the file says.

        Raises:
            DistmlError: the file cannot be read.
            MistakesError: all that is wrong in it, at once.
        """
        path = Path(path)
        raw = apply_overrides(read_mapping(path), overrides)
        return cls.from_mapping(raw, path.name, path.parent)

    @property
    def subject(self) -> str:
        """What to call the sweep in a list of mistakes: its file's name, where it has one."""
        return self._subject

    @property
    def family_specs(self) -> dict[str, FamilySpec]:
        """The families by name, however they were written."""
        if isinstance(self.families, dict):
            return self.families
        return {name: FamilySpec() for name in self.families}

    def where_family(self, name: str) -> str:
        """How the sweep file points at a family: 'families[1]' or 'families.random-forest'."""
        return f"families.{name}" if isinstance(self.families, dict) else f"families[{self.families.index(name)}]"

    @property
    def data_options(self) -> DataOptions:
        """What reading and splitting the table takes."""
        return DataOptions(**dict(self.data), **dict(self.split), task=self.task, seed=self.seed)

    def resources_of(self, family: str) -> Resources:
        """A family's resources: its own where it says something, else the sweep's."""
        own = self.family_specs[family].resources
        if own is None:
            return self.resources
        return self.resources.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


def schema() -> dict[str, Any]:
    """The sweep file's JSON schema, for editors and other tools; what a model takes is for preflight to say."""
    plain = SweepSpec.model_json_schema()
    preprocessing = plain["$defs"]["Preprocessing"]["properties"]
    for key, several in preprocessing.items():
        words = {word: several.pop(word) for word in ("description", "title", "default")}
        preprocessing[key] = {**words, "anyOf": [several["items"], several]}  # one value, or a list to search
    names, settings = plain["properties"]["families"]["oneOf"]
    names["items"]["enum"] = family_names()
    settings["properties"] = dict.fromkeys(family_names(), settings["additionalProperties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **plain}
