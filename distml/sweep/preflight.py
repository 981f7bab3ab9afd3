"""All that can be known to be wrong with a sweep before anything trains, in one list."""

import importlib.util
import itertools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

from distml.data.dataset import Dataset, load_dataset
from distml.data.task import WITHOUT_TARGET, Outline, Task
from distml.data.variant import variant_from
from distml.errors import Mistake, MistakesError, did_you_mean
from distml.models.custom import family_from_class
from distml.models.family import Family
from distml.models.metrics import Evaluator, Metric, find_metric
from distml.models.registry import default_space, family_names, find_family
from distml.models.space import Choice, Domain, Fixed, Space
from distml.models.space_check import check_space
from distml.sweep.differences import resolved
from distml.sweep.numbering import share_out
from distml.sweep.runs import RunFolder, check_writable, nearest_existing
from distml.sweep.spec import SweepSpec
from distml.training.structure import with_structure

DEFAULT_METRICS: Mapping[Task, str] = {
    "classification": "roc_auc",
    "regression": "rmse",
    "ranking": "ndcg@10",
    "clustering": "silhouette",
    "projection": "trustworthiness",
}
LEAST_FREE_MIB = 100

_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}  # that loggers write with
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Checked:
    """A sweep that may start.

    spec: what the user wrote, with task, metric and every family's whole space filled in
    families: name -> (family, its space with the preprocessing choices as 'preprocessing.numeric' and so on)
    warnings: sentences for the user
    """

    spec: SweepSpec
    dataset: Dataset
    families: Mapping[str, tuple[Family, Space]]
    metric: Metric
    evaluator: Evaluator
    warnings: tuple[str, ...]

    @property
    def resolved(self) -> dict[str, Any]:
        """The whole sweep as plain data, for the journal and for the eye."""
        return resolved(self.spec)


def preflight(spec: SweepSpec, runs: Path | None = None) -> Checked:
    """Check a sweep against its table, its models and the disk.

    Raises:
        MistakesError: all that is wrong, at once.
    """
    mistakes: list[Mistake] = []
    dataset = _collect(mistakes, lambda: load_dataset(spec.data_options))
    task = dataset.task if dataset else spec.task
    tasks: tuple[Task, ...] = (task,) if task else get_args(Task)
    families = {name: _check_family(spec, name, tasks, mistakes) for name in spec.family_specs}
    if dataset is not None and dataset.unlabelled is None:
        mistakes += [
            Mistake(
                spec.where_family(name), f"{name} also learns from rows without a target; say data.unlabelled: true"
            )
            for name, family in families.items()
            if family is not None and family.unlabelled
        ]
    _check_shares(spec, mistakes)
    _check_further(spec, families, mistakes)
    _check_metrics(spec, tasks, mistakes)
    _check_loggers(spec, mistakes)
    if task in WITHOUT_TARGET:
        _check_one_space(spec, task, mistakes)
    if runs is not None:
        _check_folder(RunFolder(runs, spec.name).path, mistakes)
    if dataset is not None:
        _check_batches(spec, dataset, mistakes)
        _check_preprocessing(spec, dataset, mistakes)
    if mistakes or dataset is None:
        raise MistakesError(spec.subject, mistakes)

    metric = find_metric(spec.metric or DEFAULT_METRICS[dataset.task], dataset.task)
    evaluator = _collect(
        mistakes, lambda: Evaluator(metric.name, spec.report, dataset.task, len(dataset.classes)), "metric"
    )
    known = {
        name: _with_structure(spec, name, family, dataset, mistakes)
        for name, family in families.items()
        if family is not None
    }
    if mistakes or evaluator is None:
        raise MistakesError(spec.subject, mistakes)
    choices = spec.preprocessing.space(dataset.kinds.values())
    spaces = {name: _whole_space(spec, name, family, dataset.task) for name, family in known.items()}
    whole = {name: (family, {**spaces[name], **choices}) for name, family in known.items()}
    if spec.search.scheduler == "pbt":
        from distml.sweep.population_check import check_populations  # imports what trains

        mistakes += check_populations(spec, dataset, whole, evaluator)
        if mistakes:
            raise MistakesError(spec.subject, mistakes)
    return Checked(
        spec=_completed(spec, dataset.task, metric.name, spaces),
        dataset=dataset,
        families=whole,
        metric=metric,
        evaluator=evaluator,
        warnings=(*dataset.warnings, *_idle_families(spec)),
    )


def _with_structure(spec: SweepSpec, name: str, family: Family, dataset: Dataset, mistakes: list[Mistake]) -> Family:
    """The family with the parameters that decide which cohort a trial joins."""
    own = spec.family_specs[name]
    if own.structural is not None:
        return replace(family, structural=frozenset(own.structural))
    further = dataset.further.shape[1]
    outline = Outline(dataset.task, features=dataset.frame.shape[1], classes=len(dataset.classes), further=further)
    return _collect(mistakes, lambda: with_structure(family, outline), f"families.{name}.class") or family


def _check_family(spec: SweepSpec, name: str, tasks: tuple[Task, ...], mistakes: list[Mistake]) -> Family | None:
    own = spec.family_specs[name]
    where = spec.where_family(name)
    if own.class_ is not None and name in family_names():
        mistakes.append(Mistake(where, f"{name} is a family of distml's own; give yours another name"))
        return None
    if own.class_ is not None:
        import_path = own.class_
        family = _collect(mistakes, lambda: family_from_class(import_path, own.space), f"{where}.class")
    else:
        family = _collect(mistakes, lambda: find_family(name), where)
    if family is None:
        return None
    unknown = [parameter for parameter in own.structural or () if parameter not in {*family.space, *own.space}]
    for parameter in unknown:
        what = f"{parameter!r} is not in its space.{did_you_mean(parameter, [*family.space, *own.space])}"
        mistakes.append(Mistake(f"families.{name}.structural", what))
    suited = [task for task in tasks if task in family.tasks]
    if not suited:
        mistakes.append(Mistake(where, f"{name} does {', '.join(sorted(family.tasks))}, not {tasks[0]}"))
        return None
    # Before the task is known, only what is wrong for each of them is a mistake.
    found = min((check_space(family, own.space, task) for task in suited), key=len)
    mistakes += [Mistake(f"families.{name}.space.{mistake.where}", mistake.what) for mistake in found]
    if spec.search.algorithm == "grid" and not found:
        _check_grid(name, _whole_space(spec, name, family, suited[0]), mistakes)
    return family


def _check_grid(name: str, space: Space, mistakes: list[Mistake]) -> None:
    from distml.sweep.tune.searchers import grid_points  # imports Ray and Optuna, for which other searches can wait

    endless: list[Mistake] = []
    for parameter, domain in space.items():
        _collect(endless, partial(grid_points, parameter, domain), parameter)
    if endless:
        names = ", ".join(mistake.where for mistake in endless)
        what = f"search.algorithm: grid needs a value, a list or a range with a step; not so: {names}"
        mistakes.append(Mistake(f"families.{name}.space", what))


def _check_shares(spec: SweepSpec, mistakes: list[Mistake]) -> None:
    total = spec.budget.trials
    asked = {name: family.trials for name, family in spec.family_specs.items()}
    together = sum(trials or 0 for trials in asked.values())
    if total is not None and together > total:
        mistakes.append(Mistake("families", f"ask for {together} trials together; budget.trials is {total}"))


def _check_loggers(spec: SweepSpec, mistakes: list[Mistake]) -> None:
    for place, name in enumerate(spec.loggers):
        if importlib.util.find_spec(_PACKAGES[name]) is None:
            mistakes.append(Mistake(f"loggers[{place}]", f"{name} is not installed: pip install 'distml[{name}]'"))


def _check_further(spec: SweepSpec, families: Mapping[str, Family | None], mistakes: list[Mistake]) -> None:
    if spec.data.further_targets and not any(family is None or family.takes_further for family in families.values()):
        what = (
            "no family learns them: a LightningModule of your own does, whose __init__ names `further`; "
            "data.drop keeps columns apart"
        )
        mistakes.append(Mistake("data.further_targets", what))


def _idle_families(spec: SweepSpec) -> list[str]:
    if spec.budget.trials is None:
        return []
    shares = share_out(spec.budget.trials, {name: family.trials for name, family in spec.family_specs.items()})
    idle = [name for name, share in shares.items() if share == 0]
    return [f"the budget of {spec.budget.trials} trials leaves none for {', '.join(idle)}"] if idle else []


def _check_metrics(spec: SweepSpec, tasks: tuple[Task, ...], mistakes: list[Mistake]) -> None:
    names = {f"report[{place}]": name for place, name in enumerate(spec.report)}
    if spec.metric is not None:
        names = {"metric": spec.metric, **names}
    for where, name in names.items():
        refusals: list[Mistake] = []
        for task in tasks:
            _collect(refusals, partial(find_metric, name, task), where)
        if len(refusals) == len(tasks):
            mistakes.append(refusals[0])


def _check_folder(folder: Path, mistakes: list[Mistake]) -> None:
    there = nearest_existing(folder)
    try:
        check_writable(there)
        free_mib = shutil.disk_usage(there).free // 2**20
    except OSError as error:
        mistakes.append(Mistake("--runs", f"cannot write to {there}: {error.strerror}; choose another folder"))
        return
    if free_mib < LEAST_FREE_MIB:
        what = f"{free_mib} MiB free in {there}; a sweep needs {LEAST_FREE_MIB} MiB"
        mistakes.append(Mistake("--runs", what))


def _check_batches(spec: SweepSpec, dataset: Dataset, mistakes: list[Mistake]) -> None:
    """Only what the user wrote: the default spaces suit larger tables."""
    rows = min(len(train) for train, _ in dataset.folds)
    for name, family in spec.family_specs.items():
        largest = _largest(family.space.get("batch_size", Fixed(1)))
        if largest > rows:
            what = f"a batch of {largest:,} rows, but a fold trains on {rows:,}"
            mistakes.append(Mistake(f"families.{name}.space.batch_size", what))


def _check_preprocessing(spec: SweepSpec, dataset: Dataset, mistakes: list[Mistake]) -> None:
    """What is left, pca and landmarks depend on what the other choices make of the columns: each set is tried."""
    asked = spec.preprocessing
    sizes = [("pca", size) for size in asked.pca if size] + [("landmarks", size) for size in asked.landmarks if size]
    if set(dataset.kinds.values()) == {"text"} and "none" in asked.text:
        mistakes.append(Mistake("preprocessing.text", "none leaves no column to learn from: all are text"))
        return
    if not sizes:
        return
    from distml.data.preprocessing import make_preprocessor  # imports much of scikit-learn, mostly needed later

    rows = min(len(train) for train, _ in dataset.folds)
    found: list[Mistake] = []
    for name, size in sizes:
        where = f"preprocessing.{name}"
        for given in itertools.product(asked.categorical, asked.missing, asked.text, asked.text_dimensions):
            others = dict(zip(("categorical", "missing", "text", "text_dimensions"), given, strict=True))
            variant = variant_from({**others, name: size})
            _collect(found, partial(make_preprocessor, dataset.layout, variant, spec.seed), where)
        if name == "pca" and size > rows:
            found.append(Mistake(where, f"pca {size} is above {rows:,}, the number of rows a fold trains on"))
    mistakes += dict.fromkeys(found)


def _check_one_space(spec: SweepSpec, task: Task, mistakes: list[Mistake]) -> None:
    """Without a target scores are distances between prepared rows: those of other rows, or of codes, do not compare."""
    for name in type(spec.preprocessing).model_fields:
        if len(getattr(spec.preprocessing, name)) > 1:
            what = f"scores of a {task} compare within one preparation of the rows; give one value, not a list"
            mistakes.append(Mistake(f"preprocessing.{name}", what))
    if "ordinal" in spec.preprocessing.categorical:
        what = f"ordinal codes have no distances, which {task} needs; use one-hot"
        mistakes.append(Mistake("preprocessing.categorical", what))


def _largest(domain: Domain) -> float:
    values = (
        (domain.value,)
        if isinstance(domain, Fixed)
        else domain.options
        if isinstance(domain, Choice)
        else (domain.high,)
    )
    return max((value for value in values if isinstance(value, (int, float))), default=0)


def _whole_space(spec: SweepSpec, name: str, family: Family, task: Task) -> dict[str, Domain]:
    return {**default_space(family, task), **spec.family_specs[name].space}


def _completed(spec: SweepSpec, task: Task, metric: str, spaces: Mapping[str, Mapping[str, Domain]]) -> SweepSpec:
    families = {
        name: family.model_copy(update={"space": dict(spaces[name])}) for name, family in spec.family_specs.items()
    }
    return spec.model_copy(update={"task": task, "metric": metric, "families": families})


def _collect(mistakes: list[Mistake], attempt: Callable[[], _Result], where: str = "") -> _Result | None:
    """The attempt's result; None where it finds mistakes, which join the list."""
    try:
        return attempt()
    except MistakesError as error:
        mistakes += error.mistakes
    except ValueError as error:
        mistakes.append(Mistake(where, str(error)))
    return None
