"""Ray Tune's searchers, asked one trial at a time by the sweep's own bookkeeping."""

import itertools
import json
import logging
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from distml.models.space import Choice, Domain, Fixed, Float, Int, Space, Value

Algorithm = Literal["grid", "random", "tpe", "evolution"]

_SCORE = "score"
_FINITE = 10_000  # combinations up to which none is tried twice


class GridSearch(Searcher):
    """Every combination once. Optuna's own needs a study that it may stop.

    Args:
        seed: of the order in which they come; None: the order of the space.
    """

    def __init__(self, points: Mapping[str, tuple[Any, ...]], mode: str, seed: int | None = None) -> None:
        super().__init__(metric=_SCORE, mode=mode)
        self._names = list(points)
        values = list(points.values())
        self._had: set[tuple[Any, ...]] = set()
        self._combinations = itertools.product(*values) if seed is None else _drawn_product(values, Random(seed))

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        combination = next((one for one in self._combinations if one not in self._had), None)
        return Searcher.FINISHED if combination is None else dict(zip(self._names, combination, strict=True))

    def leave_out(self, params: Mapping[str, Any]) -> None:
        """An earlier driver's trial had this combination, in whatever order that one's grid came."""
        self._had.add(tuple(params[name] for name in self._names))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A grid learns nothing from results."""

    def save(self, checkpoint_path: str) -> None:
        """The journal is what a sweep goes on from."""

    def restore(self, checkpoint_path: str) -> None:
        """The journal is what a sweep goes on from."""


def _drawn_product(values: Sequence[tuple[Any, ...]], random: Random) -> Iterator[tuple[Any, ...]]:
    """Each combination once, drawn as one goes: a product may be too large to be written down."""
    size = math.prod(map(len, values))
    seen: set[int] = set()
    while len(seen) < size:
        place = random.randrange(size)
        if place in seen:
            continue
        seen.add(place)
        combination = []
        for options in values:
            place, option = divmod(place, len(options))
            combination.append(options[option])
        yield tuple(combination)


class TuneSearcher:
    """Any `ray.tune.search.Searcher` behind the protocol of `distml.sweep.orders`.

    Args:
        searcher: proposes the searched parameters; its metric must be 'score'.
        space: all parameters; fixed ones are added to each proposal.
        takes_evaluated_points: it learns earlier trials by `add_evaluated_point`; any other one is asked and
            told again in the journal's order, which brings a seeded searcher to the same state.
        prepare: called with a trial's name before that trial is asked for.
    """

    def __init__(
        self, searcher: Searcher, space: Space, takes_evaluated_points: bool = False,
        prepare: Callable[[str], None] = lambda trial: None,
    ) -> None:  # fmt: skip
        self._searcher, self._prepare = searcher, prepare
        self._fixed = {name: domain.value for name, domain in space.items() if isinstance(domain, Fixed)}
        self._options = {name: domain.options for name, domain in space.items() if isinstance(domain, Choice)}
        self._takes_evaluated_points = takes_evaluated_points
        self._unseen = Unseen.of(space)
        self._asked: set[str] = set()
        self._recalled: dict[str, Mapping[str, Value]] = {}  # trials that the searcher did not propose itself
        self._last: dict[str, tuple[int, float]] = {}

    def suggest(self, trial: str) -> Mapping[str, Value] | None:
        self._prepare(trial)
        proposal = self._searcher.suggest(trial)
        if proposal is None or proposal == Searcher.FINISHED:
            return None
        if self._unseen is not None and not self._unseen.take(proposal):
            self._searcher.on_trial_complete(trial, error=True)  # it had this one before
            proposal = self._unseen.draw(trial)
            if proposal is None:
                return None
            self._recalled[trial] = self._decoded(proposal)
        else:
            self._asked.add(trial)
        return self._decoded(proposal)

    def _decoded(self, proposal: Mapping[str, Any]) -> dict[str, Value]:
        searched = {
            name: decode(value, self._options[name]) if name in self._options else value
            for name, value in proposal.items()
        }
        return {**self._fixed, **searched}

    def recall(self, trial: str, params: Mapping[str, Value]) -> None:
        if trial in self._asked or trial in self._recalled:
            return
        if self._takes_evaluated_points:
            self._recalled[trial] = params
            if self._unseen is not None:
                self._unseen.take(self._encoded(params))
        elif isinstance(self._searcher, GridSearch):
            self._searcher.leave_out(self._encoded(params))
        else:
            self.suggest(trial)

    def result(self, trial: str, resource: int, score: float) -> None:
        if self._last.get(trial, (0, 0.0))[0] >= resource:
            return  # trained again after its process was lost
        self._last[trial] = (resource, score)
        if trial in self._asked:
            self._searcher.on_trial_result(trial, {_SCORE: score, "training_iteration": resource})

    def complete(self, trial: str, score: float | None, failed: bool) -> None:
        last = self._last.pop(trial, None)
        if trial in self._asked:
            self._searcher.on_trial_complete(trial, None if score is None else {_SCORE: score}, error=failed)
        elif (params := self._recalled.pop(trial, None)) is not None and not failed and self._takes_evaluated_points:
            searched = self._encoded(params)
            # Optuna's TPE ranks a pruned trial by its last step, then by the value there.
            steps = [] if last is None else [last[1]] * (last[0] + 1)
            value = score if score is not None else (last[1] if last else None)
            self._searcher.add_evaluated_point(searched, value, pruned=score is None, intermediate_values=steps)

    def _encoded(self, params: Mapping[str, Value]) -> dict[str, Any]:
        return {
            name: encode(value) if name in self._options else value
            for name, value in params.items()
            if name not in self._fixed
        }


class Unseen:
    """The combinations of a small finite space that no trial has had: samplers draw with replacement."""

    def __init__(self, points: Mapping[str, tuple[Any, ...]]) -> None:
        """points: parameter -> its values, encoded."""
        self._names = list(points)
        self._left = {self._key(values): values for values in itertools.product(*points.values())}

    @classmethod
    def of(cls, space: Space) -> "Unseen | None":
        """None where the space is a continuum, or so large that repetitions are rare."""
        searched = {name: domain for name, domain in space.items() if not isinstance(domain, Fixed)}
        try:
            if grid_size(searched) > _FINITE:
                return None
        except ValueError:
            return None
        return cls({name: tuple(map(encode, grid_points(name, domain))) for name, domain in searched.items()})

    def take(self, proposal: Mapping[str, Any]) -> bool:
        """Mark a combination as had; whether it is new."""
        return self._left.pop(self._key([proposal[name] for name in self._names]), None) is not None

    def draw(self, trial: str) -> dict[str, Any] | None:
        """Take one of those left, by a draw that follows from the trial's name; None where there is none."""
        if not self._left:
            return None
        keys = list(self._left)
        values = self._left.pop(keys[zlib.crc32(trial.encode()) % len(keys)])
        return dict(zip(self._names, values, strict=True))

    @staticmethod
    def _key(values: Iterable[Any]) -> tuple[str, ...]:
        return tuple(f"{value:.9g}" if isinstance(value, float) else repr(value) for value in values)


def make_searcher(
    algorithm: Algorithm, space: Space, *, mode: Literal["min", "max"], seed: int, drawn: bool = False
) -> TuneSearcher:
    """The searcher of one family, seeded.

    Args:
        drawn: a grid comes in an order drawn from the seed. Its own often goes from poor to good, and early stopping
            then meets each trial as the best so far.

    Raises:
        ValueError: a grid over a range without a step.
    """
    searched = {name: domain for name, domain in space.items() if not isinstance(domain, Fixed)}
    if algorithm == "grid" or not searched:  # with nothing to search, a grid of one point
        points = {name: tuple(map(encode, grid_points(name, domain))) for name, domain in searched.items()}
        return TuneSearcher(GridSearch(points, mode, seed if drawn else None), space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
    distributions = {name: distribution(domain) for name, domain in searched.items()}
    if algorithm == "tpe":
        # The liar keeps the members of one cohort, all asked for before any has a score, apart.
        tpe = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        searcher = OptunaSearch(distributions, metric=_SCORE, mode=mode, sampler=tpe)
        return TuneSearcher(searcher, space, takes_evaluated_points=True, prepare=partial(_seed_for, tpe, seed))
    samplers = {
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "evolution": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    }
    return TuneSearcher(OptunaSearch(distributions, metric=_SCORE, mode=mode, sampler=samplers[algorithm]()), space)


def _seed_for(sampler: optuna.samplers.TPESampler, seed: int, trial: str) -> None:
    """Give each trial draws of its own: a sampler that is told earlier trials, not asked for them again, would begin
    its one sequence anew when a sweep goes on, and repeat the first of them."""
    drawn = np.random.SeedSequence([seed, zlib.crc32(trial.encode())]).generate_state(2)
    for generator, state in zip((sampler._rng, sampler._random_sampler._rng), drawn, strict=True):
        generator.rng.seed(int(state))


def grid_points(name: str, domain: Domain) -> tuple[Value, ...]:
    """A domain's values, ascending.

    >>> grid_points("depth", Int(2, 6, step=2))
    (2, 4, 6)
    """
    if isinstance(domain, Fixed):
        return (domain.value,)
    if isinstance(domain, Choice):
        return domain.options
    if isinstance(domain, Int) and not domain.log:
        return tuple(range(domain.low, domain.high + 1, domain.step))
    if isinstance(domain, Float) and domain.step is not None:
        count = int((domain.high - domain.low) / domain.step + 1e-9) + 1
        return tuple(domain.low + i * domain.step for i in range(count))
    raise ValueError(f"{name}: a grid needs a list or a range with a step")


def grid_size(space: Space) -> int:
    """How many combinations a grid over this space has."""
    return math.prod(len(grid_points(name, domain)) for name, domain in space.items())


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's twin of a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution([encode(option) for option in domain.options])
    if isinstance(domain, Int):
        return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
    raise TypeError(f"{domain} is not searched")


def encode(value: Value) -> Any:
    """A tuple as JSON text, since Optuna's categories are scalars.

    >>> encode((64, 64)), encode("relu")
    ('[64, 64]', 'relu')
    """
    return json.dumps(value) if isinstance(value, tuple) else value


def decode(encoded: Any, options: tuple[Value, ...]) -> Value:
    """The option that `encode` wrote."""
    return next(option for option in options if encode(option) == encoded and type(encode(option)) is type(encoded))
