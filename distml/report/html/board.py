"""The leaderboard's section: the best trials, and how many more there are."""

from distml.report import text
from distml.report.leaderboard import varied_parameters
from distml.report.loaded import LoadedSweep
from distml.report.page import Block, Paragraph, Section, Table
from distml.sweep.records import TrialRecord

SHOWN = 50


def board(sweep: LoadedSweep) -> Section:
    """The best trials with what they took and what sets them apart."""
    trials = sweep.leaderboard
    if not trials:
        return Section("leaderboard", "Leaderboard", "No trial was started yet.")
    varied = varied_parameters(trials)
    further = [name for name in (trials[0].rungs[-1].scores if trials[0].rungs else {}) if name != sweep.metric]
    with_energy = any(trial.energy_j is not None for trial in trials)
    costs = ["seconds", *(["joules"] if with_energy else [])]
    headings = ["", "trial", "family", "state", sweep.metric, *further, *costs, "parameters"]
    rows = [
        [
            f"{rank:,}",
            trial.trial,
            trial.family,
            trial.state,
            text.score(trial.score(sweep.metric), trial.score_sd),
            *(text.score(trial.rungs[-1].scores.get(name) if trial.rungs else None) for name in further),
            text.amount(trial.seconds),
            *([joules(trial)] if with_energy else []),
            text.parameters(trial.params, varied[trial.family]),
        ]
        for rank, trial in enumerate(trials[:SHOWN], start=1)
    ]
    right = {"", sweep.metric, *further, *costs}
    shown = f"The best {SHOWN} of {text.count(len(trials), 'trial')}" if len(trials) > SHOWN else "All trials"
    blocks: list[Block] = [Table(f"{shown}, best first", headings, rows, right, head=1)]
    if len(trials) > SHOWN:
        more = text.count(len(trials) - SHOWN, "further trial")
        blocks.append(Paragraph(f"{more}: distml leaderboard {sweep.name} --format csv"))
    return Section("leaderboard", "Leaderboard", _lead(sweep), blocks)


def joules(trial: TrialRecord) -> str:
    """'~42.0' where estimated; 'not measured' where no counter told."""
    if trial.energy_j is None:
        return "not measured"
    return "~" * bool(trial.energy_estimated) + text.amount(trial.energy_j)


def _lead(sweep: LoadedSweep) -> str:
    best = sweep.best
    if best is None:
        return "No trial has ended with a score yet."
    second = next((one for one in sweep.leaderboard if one.trial != best.trial and one.state == best.state), None)
    ahead, behind = best.score(sweep.metric), second.score(sweep.metric) if second else None
    said = f"{best.trial} ({best.family}) leads with {text.score(ahead, best.score_sd)}"
    if ahead is None or behind is None or not best.score_sd:
        return f"{said}."
    which = "less" if abs(ahead - behind) < best.score_sd else "more"
    return f"{said}; the next is {text.score(abs(ahead - behind))} behind, {which} than the spread over folds."
