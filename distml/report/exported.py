"""What `distml export` shows of a scorer."""

from collections.abc import Mapping

from rich.console import RenderableType

from distml.report import text
from distml.report.layout import Facts, Phrases
from distml.sweep.export import Exported


def lines(made: Exported) -> list[RenderableType]:
    """Its members, what the folds say, the holdout, the next step."""
    members = [f"{trial} {made.families[trial]} {share:.0%}" for trial, share in made.weights.items()]
    alone = f"; the best trial alone {text.score(made.alone)}" if made.alone is not None and len(members) > 1 else ""
    facts = [
        ("scorer", ", ".join(members)),
        ("out of fold", f"{scores(made.scores)}{alone}" if made.scores else ""),
        ("calibration", f"{made.calibration.method}: {made.calibration.reason}"),
        ("threshold", f"{made.threshold.value:g}: {made.threshold.reason}" if made.threshold else ""),
        (f"holdout, {made.holdout_rows:,} rows", scores(made.holdout)),
        ("time", ", ".join(f"{step} {text.amount(seconds)} s" for step, seconds in made.seconds.items())),
        *(("note", note) for note in made.notes),
    ]
    return [Facts(facts), Phrases([str(made.folder), f"next: distml predict {made.folder} TABLE.csv > scored.csv"])]


def scores(found: Mapping[str, float]) -> str:
    """'roc_auc 0.7851, ks 0.4312'."""
    return ", ".join(f"{name} {text.score(score)}" for name, score in found.items())
