"""What the experiments' own scripts work out, on made-up trials and tables."""

import importlib.util
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from tests.running.command import ROOT


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), ROOT / "experiments" / f"{path}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_verdict_finds_a_difference_that_is_there_and_none_where_there_is_none() -> None:
    random = np.random.default_rng(0)
    shift = {("cross-entropy", "none"): 0.30, ("focal", "none"): 0.30, ("complement", "balanced"): 0.36}
    trials = pd.DataFrame(
        [
            {"params.loss": loss, "params.class_weight": weight, "metrics.f1_macro": mean + random.normal(scale=0.01)}
            for (loss, weight), mean in shift.items()
            for _ in range(25)
        ]
    )
    found = {
        arm: (seeds, own, apart)
        for arm, seeds, own, apart in script("imbalanced_text/verdict").verdicts(trials, "f1_macro")
    }
    assert next(iter(found)) == "complement, balanced"
    seeds, own, apart = found["complement, balanced"]
    assert seeds == 25
    assert own[1] < own[0] < own[2]
    assert apart[0] == pytest.approx(0.06, abs=0.01) and apart[1] > 0.04
    _, _, level = found["focal, none"]
    assert level[1] < 0 < level[2]
    np.testing.assert_array_equal(found["cross-entropy, none"][2], 0)


def test_reviews_lose_small_classes_and_requests_keep_the_shares() -> None:
    clothing = script("clothing")
    table = pd.DataFrame(
        {
            "Review Text": [f"review {i}" for i in range(1000)] + [None],
            "Class Name": ["Dresses"] * 700 + ["Knits"] * 280 + ["Trend"] * 18 + ["Chemises"] * 2 + ["Knits"],
        }
    )
    reviews = clothing.reviews(table)
    assert reviews["class"].value_counts().to_dict() == {"Dresses": 700, "Knits": 280, "Trend": 18}
    requests = clothing.requests(reviews, 100)
    assert requests["class"].value_counts().to_dict() == {"Dresses": 70, "Knits": 28, "Trend": 5}
    pd.testing.assert_frame_equal(requests, clothing.requests(reviews, 100))


def test_an_interval_of_a_search_is_around_its_mean() -> None:
    compare = script("evolution/compare")
    assert compare.interval(np.array([0.1, 0.3])) == "+0.2000"
    assert compare.interval(np.zeros(5)) == "+0.0000"
    mean, low, high = map(
        float,
        compare.interval(np.array([0.1, 0.2, 0.3, 0.25])).replace("[", "").replace("]", "").replace(",", "").split(),
    )
    assert low < mean < high
