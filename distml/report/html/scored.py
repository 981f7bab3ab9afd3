"""The sections that tell of the scorer, or the line that says why there are none."""

from typing import TYPE_CHECKING

from distml.data.task import WITHOUT_TARGET
from distml.errors import DistmlError
from distml.report.html.calibration import calibration
from distml.report.html.classes import several_classes
from distml.report.html.discrimination import discrimination, separation
from distml.report.html.distribution import distribution
from distml.report.html.ensemble import ensemble
from distml.report.html.evaluation import Evaluation, read_evaluation
from distml.report.html.fairness import check_sensitive, fairness
from distml.report.html.importance import importance
from distml.report.html.order import order
from distml.report.html.rows import SweepRows, read_rows
from distml.report.html.stability import stability
from distml.report.html.values import values
from distml.report.page import Section

if TYPE_CHECKING:
    from distml.report.loaded import LoadedSweep
    from distml.scorer.score import Scorer


def scored_sections(sweep: "LoadedSweep", sensitive: str | None) -> list[Section]:
    """How the scorer does on rows it was not trained on.

    Raises:
        DistmlError: `sensitive` is no column of the table, or fairlearn is not installed.
    """
    if (task := (sweep.record.spec or {}).get("task")) in WITHOUT_TARGET:
        if sensitive is not None:
            raise DistmlError(f"--sensitive is for sweeps that predict a target; {sweep.name} is one of {task}")
        return [Section("scorer", "The scorer", f"None: a sweep of {task} predicts no target.")]
    rows, why_no_rows = _rows(sweep)
    if sensitive is not None:
        if rows is None:
            raise DistmlError(f"--sensitive needs the sweep's table: {why_no_rows}")
        check_sensitive(sensitive, list(rows.frame.columns))
    if not sweep.folder.evaluation.is_file():
        return [
            Section(
                "scorer",
                "The scorer",
                f"No scorer yet: distml export {sweep.name}. With one, this page tells how well it separates the "
                "classes, its calibration, what the columns mattered, stability and fairness.",
            )
        ]
    try:
        evaluation = read_evaluation(sweep.folder.evaluation, str(task))
    except DistmlError as error:
        return [Section("scorer", "The scorer", str(error))]
    scorer, why_no_scorer = _opened(sweep)
    if task == "ranking":
        told = [ensemble(scorer.manifest, sweep.record.scorer_is_current)] if scorer is not None else []
        fair = [_fairness(sweep.name, evaluation, rows, sensitive, scorer)] if sensitive is not None else []
        return [*told, order(evaluation, rows, why_no_rows), *fair]
    return [
        *([ensemble(scorer.manifest, sweep.record.scorer_is_current)] if scorer is not None else []),
        *_quality(evaluation, rows),
        _columns(evaluation, rows, scorer, why_no_rows or why_no_scorer),
        stability(evaluation, rows),
        _fairness(sweep.name, evaluation, rows, sensitive, scorer),
    ]


def _quality(evaluation: Evaluation, rows: SweepRows | None) -> list[Section]:
    if evaluation.classes == 0:
        return [values(evaluation)]
    if evaluation.classes == 2:
        return [discrimination(evaluation), calibration(evaluation), distribution(evaluation)]
    labels = rows.classes if rows is not None else range(evaluation.classes)
    return [several_classes(evaluation, [str(label) for label in labels])]


def _columns(evaluation: Evaluation, rows: SweepRows | None, scorer: "Scorer | None", why_not: str) -> Section:
    if rows is None or scorer is None:
        return Section("columns", "What the columns mattered", why_not)
    frame, _ = scorer.read(rows.frame.iloc[evaluation.holdout.rows].reset_index(drop=True))
    return importance(scorer.raw, frame, evaluation.holdout.y, evaluation.classes)


def _fairness(
    name: str, evaluation: Evaluation, rows: SweepRows | None, sensitive: str | None, scorer: "Scorer | None"
) -> Section:
    heading = "Fairness by group"
    if sensitive is None or rows is None:
        return Section("fairness", heading, f"Name a column: distml report {name} --sensitive COLUMN")
    if evaluation.classes != 2:
        return Section("fairness", heading, "For two classes only: it compares who is flagged.")
    held = evaluation.holdout
    cells = rows.frame[sensitive].iloc[held.rows].reset_index(drop=True)
    threshold = scorer.manifest.threshold if scorer is not None else None
    if threshold is not None:
        return fairness(held, cells, threshold.value, threshold.reason)
    folds = evaluation.out_of_fold if len(evaluation.out_of_fold) else held
    at = separation(folds.y, folds.calibrated).at
    return fairness(held, cells, at, "where the classes' out-of-fold scores are furthest apart")


def _rows(sweep: "LoadedSweep") -> tuple[SweepRows | None, str]:
    """(the sweep's table, ''), or (None, why it cannot be read)."""
    try:
        return read_rows(sweep.record.spec or {}, sweep.opening.get("data_sha256")), ""
    except DistmlError as error:
        return None, f"The sweep's table cannot be read: {error}"


def _opened(sweep: "LoadedSweep") -> "tuple[Scorer | None, str]":
    """(the exported scorer, ''), or (None, why it does not open). A class of the user's own is not imported here."""
    if not sweep.folder.scorer.is_dir():  # it was exported to another place
        return None, f"There is no scorer in {sweep.folder.scorer}: distml export {sweep.name} makes one there."
    from distml.scorer.opening import open_scorer

    try:
        return open_scorer(sweep.folder.scorer), ""
    except DistmlError as error:
        return None, f"The scorer does not open: {error}"
