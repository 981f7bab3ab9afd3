"""Which hyperparameters mattered, by optuna's functional ANOVA."""

import random
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import Bar, Figure

from distml.models.space import Choice, Domain, Float, Int, Value
from distml.report import text
from distml.report.html.drawing import drawn, named_axis, percent
from distml.report.html.spaces import domain_of, is_searched
from distml.report.loaded import LoadedSweep
from distml.report.page import Block, Chart, Section, Table
from distml.report.theme import BLUE, shown
from distml.sweep.records import TrialRecord

FEWEST = 20  # trials at one rung that an importance takes
MOST = 400  # trials looked at: more change the second digit
_TREES = 16


def hyperparameters(sweep: LoadedSweep) -> Section:
    """A chart a family."""
    spec = sweep.record.spec or {}
    charts: list[Block] = []
    too_few = []
    for family in dict.fromkeys(trial.family for trial in sweep.leaderboard):
        members = [trial for trial in sweep.leaderboard if trial.family == family]
        domains = {
            name: domain
            for name in members[0].params
            if is_searched(domain := domain_of(spec, family, name)) and domain is not None
        }
        rung, compared = at_one_rung(members, sweep.metric)
        if len(compared) < FEWEST or not domains:
            too_few.append(family)
            continue
        found = importances(compared, domains, sweep.greater_is_better)
        if found is None:
            too_few.append(family)
            continue
        charts.append(_chart(family, found, rung, len(compared)))
    heading = "What the hyperparameters mattered"
    left_out = f" Too few trials at one rung (fewer than {FEWEST}): {', '.join(too_few)}." if too_few else ""
    if not charts:
        return Section("hyperparameters", heading, left_out.strip() or "No trial was started yet.")
    lead = (
        "What each explains of the score's variance, the parts together 100 %: functional ANOVA on a random forest "
        f"(Hutter, Hoos and Leyton-Brown, 2014; optuna.importance), over trials compared at the same rung.{left_out}"
    )
    return Section("hyperparameters", heading, lead, charts)


def at_one_rung(trials: Sequence[TrialRecord], metric: str) -> tuple[int, list[tuple[Mapping[str, Value], float]]]:
    """(resource, parameters and score of each trial that reached it): scores of different rungs do not compare.

    The largest resource that a quarter of the trials and at least FEWEST reached; else the one that most reached.
    """
    reached = Counter(rung.resource for trial in trials for rung in trial.rungs)
    if not reached:
        return 0, []
    enough = [resource for resource, count in reached.items() if count >= max(FEWEST, len(trials) / 4)]
    resource = max(enough) if enough else max(reached, key=lambda one: (reached[one], one))
    scores = (
        (trial.params, rung.scores[metric])
        for trial in trials
        for rung in trial.rungs
        if rung.resource == resource and metric in rung.scores
    )
    return resource, [(params, score) for params, score in scores if score - score == 0]


def importances(
    compared: Sequence[tuple[Mapping[str, Value], float]], domains: Mapping[str, Domain], greater_is_better: bool
) -> dict[str, float] | None:
    """Parameter -> its share of the variance, the largest first; None where all scores are the same."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len({score for _, score in compared}) < 2:
        return None
    chosen = list(compared)
    if len(chosen) > MOST:
        chosen = random.Random(0).sample(chosen, MOST)
    chosen = [(params, score) for params, score in chosen if all(name in params for name in domains)]
    distributions = {
        name: _distribution(domain, [params[name] for params, _ in chosen]) for name, domain in domains.items()
    }
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="optuna")  # on tuples as choices
            study = optuna.create_study(direction="maximize" if greater_is_better else "minimize")
            study.add_trials(
                [
                    optuna.trial.create_trial(
                        params={name: _told(params[name], domains[name]) for name in domains},
                        distributions=distributions,
                        value=score,
                    )
                    for params, score in chosen
                ]
            )
            found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=_TREES, seed=0))
    finally:
        optuna.logging.set_verbosity(before)
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _distribution(domain: Domain, seen: Sequence[Value]) -> Any:
    """The domain as optuna has it, wide enough for all that was seen: a sweep may have begun with another space."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choice):
        return CategoricalDistribution(sorted({text.parameter(option) for option in (*domain.options, *seen)}))
    assert isinstance(domain, (Float, Int))
    numbers = [value for value in seen if isinstance(value, (int, float))]
    low, high = min([domain.low, *numbers]), max([domain.high, *numbers])
    if isinstance(domain, Int):
        return IntDistribution(int(low), int(high), log=domain.log)
    return FloatDistribution(low, high, log=domain.log)


def _told(value: Value, domain: Domain) -> Any:
    return text.parameter(value) if isinstance(domain, Choice) else value


def importance_bars(found: Mapping[str, float]) -> Figure:
    """A bar a parameter, the most important on top."""
    names = list(found)[::-1]
    bars = Bar(
        x=[found[name] for name in names],
        y=list(range(len(names))),
        customdata=[shown(name.removeprefix("preprocessing.")) for name in names],
        orientation="h",
        marker={"color": BLUE},
        text=[percent(found[name], 0) for name in names],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{customdata}   %{x:.1%}<extra></extra>",
    )
    axis = {"tickformat": ".0%", "rangemode": "tozero", "range": [0, max(found.values()) * 1.3]}
    places = named_axis([name.removeprefix("preprocessing.") for name in names])
    return drawn([bars], "share of variance", "", height=90 + 28 * len(names), xaxis=axis, yaxis=places)


def _chart(family: str, found: Mapping[str, float], rung: int, trials: int) -> Chart:
    first = next(iter(found))
    sampled = f"a sample of {MOST} of " if trials > MOST else ""
    return Chart(
        f"importance-{family}",
        family,
        f"{first.removeprefix('preprocessing.')} explains {percent(found[first], 0)}. "
        f"Over {sampled}{text.count(trials, 'trial')} at rung {rung:,}.",
        importance_bars(found),
        Table(f"{family}: share of the variance", ["parameter", "share"], [(n, percent(v)) for n, v in found.items()],
              right={"share"}),
    )  # fmt: skip
