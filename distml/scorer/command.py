"""What `distml predict` does with its options."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from distml.errors import DistmlError
from distml.scorer.errors import ScorerError
from distml.scorer.files import Manifest, Points, Threshold
from distml.scorer.opening import changed_versions, open_scorer
from distml.scorer.predicting import Asked, predict
from distml.scorer.thresholds import cost_threshold


@dataclass(frozen=True)
class Choices:
    """The options as they were given; None: the scorer's own."""

    reasons: int = 0
    threshold: float | None = None
    cost_ratio: float | None = None
    base_score: float | None = None
    base_odds: float | None = None
    double_odds: float | None = None
    keep: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()


def score_table(folder: Path, table: Path, output: Path | None, choices: Choices) -> list[str]:
    """Score a table into a file, or to standard output; what there is to say about it.

    Raises:
        DistmlError: the scorer cannot be opened, the table not be read, the options do not suit, ...
    """
    start = time.perf_counter()
    scorer = open_scorer(folder, choices.trust)
    explain = None
    if choices.reasons:
        from distml.scorer.reasons import explainer

        explain = explainer(scorer, choices.reasons)
    manifest = scorer.manifest
    asked = Asked(_threshold(manifest, choices), _points(manifest, choices), choices.keep, explain)
    with _written(output) as out:
        done = predict(scorer, table, out, asked)
    seconds = time.perf_counter() - start
    said = changed_versions(manifest)
    if done.ignored:
        said.append(f"columns that the scorer does not know are ignored: {', '.join(map(repr, done.ignored))}")
    said += done.notes.lines(manifest.columns)
    rate = f", {done.notes.rows / seconds:,.0f} a second" if seconds >= 1 else ""
    return [*said, f"{done.notes.rows:,} rows in {seconds:.1f} s{rate}"]


def _threshold(manifest: Manifest, choices: Choices) -> Threshold | None:
    if choices.threshold is not None and choices.cost_ratio is not None:
        raise DistmlError("give --threshold or --cost-ratio, not both")
    given = choices.threshold if choices.threshold is not None else choices.cost_ratio
    if given is not None and not manifest.is_binary:
        raise ScorerError(f"a threshold is for two classes; this scorer has {len(manifest.classes) or 'none'}")
    if choices.cost_ratio is not None:
        return cost_threshold(choices.cost_ratio)
    return None if choices.threshold is None else Threshold(value=choices.threshold, reason="--threshold")


def _points(manifest: Manifest, choices: Choices) -> Points | None:
    names = ("base_score", "base_odds", "double_odds")
    given = {name: value for name in names if (value := getattr(choices, name)) is not None}
    if not given:
        return None
    if manifest.points is None:
        raise ScorerError(f"points are for two classes; this scorer has {len(manifest.classes) or 'none'}")
    if given.get("base_odds", 1) <= 0:
        raise DistmlError(f"--base-odds {given['base_odds']:g} is not above 0")
    return manifest.points.model_copy(update=given)


@contextlib.contextmanager
def _written(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that takes its name when it is whole."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(output)
    except OSError as error:
        raise DistmlError(f"cannot write {output}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
