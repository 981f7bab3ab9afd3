"""Ray Tune's searchers behind the sweep's protocol."""

from typing import Any

import pytest
from ray.tune.search import Searcher

from distml.models.space import Choice, Domain, Fixed, Float, Int
from distml.sweep.tune.searchers import Algorithm, TuneSearcher, grid_points, grid_size, make_searcher

SPACE: dict[str, Domain] = {
    "hidden": Choice(((64, 64), (128,), (256, 128))),
    "lr": Float(1e-4, 1e-2, log=True),
    "depth": Int(2, 6, step=2),
    "weights": Choice((None, "balanced")),
    "epochs": Fixed(5),
}


def score(params: Any) -> float:
    return -abs(params["depth"] - 4) - abs(params["lr"] - 0.003) * 100


def run(searcher: TuneSearcher, first: int, last: int) -> list[Any]:
    """Ask for trials and tell their results, each third one stopped early."""
    asked = []
    for number in range(first, last):
        trial = f"t{number:04d}"
        params = searcher.suggest(trial)
        assert params is not None
        asked.append(params)
        searcher.result(trial, 1, score(params))
        searcher.complete(trial, None if number % 3 == 0 else score(params), failed=False)
    return asked


@pytest.mark.parametrize("algorithm", ["random", "tpe", "evolution"])
def test_proposals_lie_in_the_space(algorithm: Algorithm) -> None:
    for params in run(make_searcher(algorithm, SPACE, mode="max", seed=1), 0, 40):
        assert set(params) == set(SPACE)
        assert params["hidden"] in ((64, 64), (128,), (256, 128))
        assert 1e-4 <= params["lr"] <= 1e-2
        assert params["depth"] in (2, 4, 6)
        assert params["weights"] in (None, "balanced")
        assert params["epochs"] == 5


@pytest.mark.parametrize("algorithm", ["random", "tpe", "evolution"])
def test_one_seed_one_sequence(algorithm: Algorithm) -> None:
    def asked(seed: int) -> list[Any]:
        return run(make_searcher(algorithm, SPACE, mode="max", seed=seed), 0, 30)

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


@pytest.mark.parametrize("algorithm", ["random", "evolution"])
def test_going_on_is_as_if_it_had_never_stopped(algorithm: Algorithm) -> None:
    undisturbed = run(make_searcher(algorithm, SPACE, mode="max", seed=3), 0, 60)
    resumed = make_searcher(algorithm, SPACE, mode="max", seed=3)
    for number, params in enumerate(undisturbed[:30]):
        trial = f"t{number:04d}"
        resumed.recall(trial, params)
        resumed.result(trial, 1, score(params))
        resumed.complete(trial, None if number % 3 == 0 else score(params), failed=False)
    assert run(resumed, 30, 60) == undisturbed[30:]


def test_tpe_goes_on_without_asking_for_earlier_trials_again() -> None:
    earlier = run(make_searcher("tpe", SPACE, mode="max", seed=3), 0, 6)
    for resumes in (1, 2):
        resumed = make_searcher("tpe", SPACE, mode="max", seed=3)
        for number, params in enumerate(earlier):
            resumed.recall(f"t{number:04d}", params)
            resumed.complete(f"t{number:04d}", score(params), failed=number == 2)
        earlier += run(resumed, len(earlier), len(earlier) + 6)
        assert len({params["lr"] for params in earlier}) == 6 * (1 + resumes)


def test_tpe_learns_from_trials_of_an_earlier_run() -> None:
    """After 60 recalled trials its proposals lie nearer to the best than chance would have them."""
    before = run(make_searcher("random", SPACE, mode="max", seed=5), 0, 60)
    taught = make_searcher("tpe", SPACE, mode="max", seed=6)
    for number, params in enumerate(before):
        trial = f"t{number:04d}"
        taught.recall(trial, params)
        taught.result(trial, 1, score(params))
        taught.complete(trial, score(params), failed=False)
    proposals = run(taught, 60, 80)
    assert sum(params["depth"] == 4 for params in proposals) >= 14


def test_a_failed_trial_and_a_diverged_one_do_not_end_the_search() -> None:
    searcher = make_searcher("tpe", SPACE, mode="max", seed=1)
    searcher.suggest("t0001")
    searcher.complete("t0001", None, failed=True)
    searcher.suggest("t0002")
    searcher.complete("t0002", None, failed=False)
    assert searcher.suggest("t0003") is not None


def test_a_grid_has_each_combination_once_and_then_ends() -> None:
    space: dict[str, Domain] = {"hidden": Choice(((64, 64), (128,))), "depth": Int(1, 3), "epochs": Fixed(5)}
    searcher = make_searcher("grid", space, mode="max", seed=0)
    asked = [searcher.suggest(f"t{number:04d}") for number in range(7)]
    assert asked[6] is None
    assert len({str(params) for params in asked[:6]}) == 6
    assert grid_size(space) == 6


def test_a_drawn_grid_has_each_combination_once_in_an_order_of_its_seed() -> None:
    space: dict[str, Domain] = {"depth": Int(1, 9), "rate": Choice((0.1, 0.2, 0.3)), "epochs": Fixed(5)}

    def drawn(seed: int) -> list[str]:
        searcher = make_searcher("grid", space, mode="max", seed=seed, drawn=True)
        asked = [searcher.suggest(f"t{number:04d}") for number in range(28)]
        assert asked.pop() is None
        return list(map(str, asked))

    in_order = [str(make_searcher("grid", space, mode="max", seed=0).suggest("t0001"))]
    assert len(set(drawn(1))) == 27
    assert drawn(1) == drawn(1) != drawn(2)
    assert {drawn(seed)[0] for seed in range(5)} != set(in_order)


def test_a_grid_goes_on_with_what_is_left_though_an_earlier_one_came_in_another_order() -> None:
    space: dict[str, Domain] = {"hidden": Choice(((64, 64), (128,))), "depth": Int(1, 5), "epochs": Fixed(5)}
    earlier = make_searcher("grid", space, mode="max", seed=1)
    had = {f"t{number:04d}": earlier.suggest(f"t{number:04d}") for number in range(4)}
    later = make_searcher("grid", space, mode="max", seed=1, drawn=True)
    for trial, params in had.items():
        assert params is not None
        later.recall(trial, params)
    asked = [later.suggest(f"t{number:04d}") for number in range(4, 11)]
    assert asked.pop() is None
    assert len({str(params) for params in [*had.values(), *asked]}) == 10


def test_a_grid_too_large_to_be_written_down_is_drawn_from() -> None:
    space: dict[str, Domain] = {f"x{number}": Int(1, 1000) for number in range(12)}
    searcher = make_searcher("grid", space, mode="max", seed=1, drawn=True)
    assert searcher.suggest("t0001") != searcher.suggest("t0002")


def test_a_space_with_nothing_to_search_is_one_trial() -> None:
    searcher = make_searcher("tpe", {"depth": Fixed(3)}, mode="max", seed=0)
    assert searcher.suggest("t0001") == {"depth": 3}
    assert searcher.suggest("t0002") is None


FINITE: dict[str, Domain] = {
    "hidden": Choice(((64, 64), (128,))),
    "rate": Float(0.1, 0.5, step=0.1),
    "depth": Int(1, 3),
    "epochs": Fixed(5),
}


@pytest.mark.parametrize("algorithm", ["random", "tpe", "evolution"])
def test_a_finite_space_is_tried_once_and_then_ends(algorithm: Algorithm) -> None:
    searcher = make_searcher(algorithm, FINITE, mode="max", seed=0)
    asked = []
    while (params := searcher.suggest(f"t{len(asked):04d}")) is not None:
        searcher.recall(f"t{len(asked):04d}", params)  # as the sweep does with all that it journals
        searcher.complete(f"t{len(asked):04d}", score(params | {"lr": params["rate"]}), failed=False)
        asked.append(params)
    assert len(asked) == 30
    assert len({str(sorted(params.items())) for params in asked}) == 30


@pytest.mark.parametrize("algorithm", ["random", "tpe", "evolution"])
def test_a_finite_space_goes_on_with_what_is_left(algorithm: Algorithm) -> None:
    first = make_searcher(algorithm, FINITE, mode="max", seed=0)
    asked = [first.suggest(f"t{number:04d}") for number in range(20)]
    again = make_searcher(algorithm, FINITE, mode="max", seed=0)
    for number, params in enumerate(asked):
        assert params is not None
        again.recall(f"t{number:04d}", params)
        again.complete(f"t{number:04d}", float(number), failed=False)
    asked += [again.suggest(f"t{number:04d}") for number in range(20, 31)]
    assert asked.pop() is None
    assert len({str(params) for params in asked}) == 30


def test_a_grid_needs_steps() -> None:
    assert grid_points("rate", Float(0.1, 0.5, step=0.2)) == pytest.approx((0.1, 0.3, 0.5))
    with pytest.raises(ValueError, match="lr: a grid needs a list or a range with a step"):
        grid_points("lr", Float(1e-4, 1e-2))


def test_any_searcher_of_ray_tune_serves() -> None:
    class Stubborn(Searcher):
        def __init__(self) -> None:
            super().__init__(metric="score", mode="max")
            self.told: list[Any] = []

        def suggest(self, trial_id: str) -> dict[str, Any]:
            return {"depth": len(self.told)}

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            self.told.append((trial_id, result, error))

    stubborn = Stubborn()
    searcher = TuneSearcher(stubborn, {"depth": Int(0, 10), "epochs": Fixed(2)})
    assert searcher.suggest("t0001") == {"depth": 0, "epochs": 2}
    searcher.complete("t0001", 0.5, failed=False)
    assert stubborn.told == [("t0001", {"score": 0.5}, False)]
    assert searcher.suggest("t0002") == {"depth": 1, "epochs": 2}
