"""Population-based training: who takes over whose weights, and with which hyperparameters. Pure functions."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from distml.models.space import Choice, Domain, Fixed, Float, Int, Space, Value

QUANTILE = 0.25  # of a population that gives way at each comparison, and that it takes over from
RESAMPLED = 0.25  # of the hyperparameters of one that takes over are drawn anew
FACTORS = (0.8, 1.2)  # the others change by one of these
# Ray Tune's PopulationBasedTraining has the same three. It starts processes anew from checkpoints; here a population is
# one network, and to take weights over is to copy a slice of a tensor.


@dataclass(frozen=True)
class Population:
    """Truncation selection and perturbation after Jaderberg et al., Population Based Training of Neural Networks
    (arXiv:1711.09846, 2017), sections 3.1 and 4.1.

    space: of the hyperparameters; those with one value never change
    """

    space: Space
    greater_is_better: bool

    def losers(self, scores: Mapping[str, float]) -> frozenset[str]:
        """Who gives way. scores: trial -> score, all at one resource."""
        ranked = self._ranked(scores)
        return frozenset(ranked[len(ranked) - _quarter(len(ranked)) :])

    def parent(self, scores: Mapping[str, float], random: Random) -> str | None:
        """One of the best; None where there are too few to tell. Trials whose score is no number are nobody's."""
        ranked = self._ranked(scores)
        return random.choice(ranked[: _quarter(len(ranked))]) if _quarter(len(ranked)) else None

    def perturbed(self, params: Mapping[str, Value], random: Random) -> dict[str, Value]:
        """A parent's hyperparameters, changed a little, within their domains."""
        return {
            name: value if isinstance(domain := self.space[name], Fixed) else _changed(value, domain, random)
            for name, value in params.items()
        }

    def _ranked(self, scores: Mapping[str, float]) -> list[str]:
        """The best first; of equal scores the trial with the lower number."""
        sign = -1.0 if self.greater_is_better else 1.0
        known = {trial: sign * score for trial, score in scores.items() if math.isfinite(score)}
        return sorted(known, key=lambda trial: (known[trial], trial))


def searched(space: Space, names: Iterable[str]) -> list[str]:
    """Those of the names whose domain has more than one value."""
    return [name for name in names if name in space and not _has_one_value(space[name])]


def _has_one_value(domain: Domain) -> bool:
    return isinstance(domain, Fixed) or (isinstance(domain, Choice) and len(domain.options) == 1)


def _quarter(members: int) -> int:
    """
    >>> [_quarter(members) for members in (1, 2, 3, 4, 9, 16)]
    [0, 1, 1, 1, 3, 4]
    """
    return min(math.ceil(members * QUANTILE), members // 2)


def _changed(value: Value, domain: Domain, random: Random) -> Value:
    if random.random() < RESAMPLED:
        return _drawn(domain, random)
    if isinstance(domain, Choice):  # unordered: there is nothing near
        return value
    assert isinstance(domain, (Float, Int)) and isinstance(value, (int, float))
    return _within(value * random.choice(FACTORS), domain)


def _drawn(domain: Domain, random: Random) -> Value:
    if isinstance(domain, Choice):
        return random.choice(domain.options)
    assert isinstance(domain, (Float, Int))
    if domain.log:
        return _within(math.exp(random.uniform(math.log(domain.low), math.log(domain.high))), domain)
    return _within(random.uniform(domain.low, domain.high), domain)


def _within(value: float, domain: Float | Int) -> float | int:
    """The nearest value of a domain."""
    if domain.step is not None and not domain.log:
        value = domain.low + round((value - domain.low) / domain.step) * domain.step
    value = min(max(value, domain.low), domain.high)
    return round(value) if isinstance(domain, Int) else value
