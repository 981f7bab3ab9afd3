import pytest

from distml.data.variant import Variant, variant_from


def test_defaults():
    assert variant_from({}) == Variant("standard", "one-hot", "none", None, None)


def test_choices():
    choices = {"numeric": "quantile", "categorical": "ordinal", "missing": "indicator", "pca": 8, "landmarks": 16}
    assert variant_from(choices) == Variant("quantile", "ordinal", "indicator", 8, 16)
    assert variant_from({"pca": None}) == Variant()


def test_equal_choices_are_one_variant():
    assert len({variant_from({"numeric": "standard"}), Variant()}) == 1


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"numeric": "quantiles"},
            "numeric 'quantiles' is none of standard, quantile, none. Did you mean 'quantile'?",
        ),
        ({"categorical": None}, "categorical None is none of one-hot, ordinal."),
        ({"missing": ("none",)}, "missing ('none',) is none of indicator, none."),
        ({"pca": 0}, "pca 0 is not a whole number above 0 (null: leave it out)"),
        ({"pca": True}, "pca True is not a whole number above 0"),
        ({"landmarks": 2.5}, "landmarks 2.5 is not a whole number above 0"),
        (
            {"numerics": "none"},
            "unknown preprocessing 'numerics'. Did you mean 'numeric'? "
            "All: numeric, categorical, missing, pca, landmarks, text, text_dimensions",
        ),
    ],
)
def test_bad_choices_are_refused_with_the_valid_ones(choices, message):
    with pytest.raises(ValueError) as caught:
        variant_from(choices)
    assert message in str(caught.value)
