"""How figures read."""

import doctest

import pytest

from distml.report import layout, screen, text


@pytest.mark.parametrize("module", [text, screen, layout])
def test_the_examples_in_the_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("value", "spread", "written"),
    [
        (0.5, None, "0.5000"),
        (0.0, 0.0, "0.0000 ± 0.0000"),
        (12.3456, 0.5, "12.35 ± 0.50"),
        (4.2e-6, 1e-7, "4.2e-06 ± 1e-07"),
        (-3.5e12, None, "-3.5e+12"),
        (float("nan"), None, "nan"),
    ],
)
def test_scores_of_any_size_stay_short(value, spread, written):
    assert text.score(value, spread) == written


def test_preprocessing_comes_after_the_models_own_parameters():
    params = {"preprocessing.numeric": "quantile", "lr": 0.00213, "hidden": (256, 128), "epochs": 5}
    assert text.parameters(params) == "lr 0.00213, hidden 256-128, epochs 5, numeric quantile"
    assert text.parameters(params, {"lr"}) == "lr 0.00213"


def test_hours_show_only_when_there_are_some():
    assert text.duration(3599.6) == "1:00:00"
    assert text.duration(59.4) == "0:59"
