"""What the scorer is made of."""

from typing import TYPE_CHECKING

from distml.report import text
from distml.report.html.drawing import percent
from distml.report.page import Block, Section, Table

if TYPE_CHECKING:
    from distml.scorer.files import Manifest


def ensemble(manifest: "Manifest", is_current: bool) -> Section:
    """Its members and their shares, its calibration and threshold, and its scores."""
    trials = text.count(len(manifest.members), "trial")
    lead = f"The mean of {trials}, made {manifest.made.replace('T', ' ').removesuffix('Z')} UTC."
    if len(manifest.members) == 1:
        lead = f"One trial, made {manifest.made.replace('T', ' ').removesuffix('Z')} UTC."
    if not is_current:
        lead += " The sweep has gone on since: distml export makes a newer one."
    members = Table(
        "Members, trained on all training rows",
        ["trial", "share", "family", "parameters"],
        [
            [one.trial, percent(one.weight, 0), one.family, text.parameters(one.params)]
            for one in sorted(manifest.members, key=lambda one: -one.weight)
        ],
        {"share"},
    )
    facts = [("calibration", f"{manifest.calibration.method}: {manifest.calibration.reason}")]
    if manifest.threshold is not None:
        facts.append(("threshold", f"{manifest.threshold.value:g}: {manifest.threshold.reason}"))
    facts += [("note", note) for note in manifest.notes]
    blocks: list[Block] = [members]
    if manifest.metrics:
        names = list(dict.fromkeys(name for scores in manifest.metrics.values() for name in scores))
        rows = [[name, *(text.score(scores.get(name)) for scores in manifest.metrics.values())] for name in names]
        blocks.append(Table("Scores", ["metric", *manifest.metrics], rows, set(manifest.metrics)))
    blocks.append(Table("Decisions", ["", "what and why"], facts))
    return Section("scorer", "The scorer", lead, blocks)
