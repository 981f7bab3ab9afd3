"""A preprocessing variant: one way of turning a table into a matrix, open to search."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from distml.errors import did_you_mean

Numeric = Literal["standard", "quantile", "none"]
Categorical = Literal["one-hot", "ordinal"]
Missing = Literal["indicator", "none"]
Text = Literal["words", "bigrams", "characters", "none"]

_WORDS: Mapping[str, tuple[str, ...]] = {
    "numeric": get_args(Numeric),
    "categorical": get_args(Categorical),
    "missing": get_args(Missing),
    "text": get_args(Text),
}


@dataclass(frozen=True)
class Variant:
    """The choices of one variant.

    numeric: mean 0 and variance 1; by quantiles to a normal distribution; or as they are
    categorical: a column of 0 and 1 for each category; or one column of integer codes, the matrix's last columns
    missing: a column of 0 and 1 for each column with missing cells that is not categorical; or none
    pca: that many principal components in the place of the columns
    landmarks: that many more columns, the distances to landmark rows (after pca, where both are given)
    text: TF-IDF of words, of words and pairs of neighbours, or of runs of characters; or without text columns
    text_dimensions: that many columns for each text column

    With ordinal codes, pca and landmarks see all columns but the codes, which have no distances.
    """

    numeric: Numeric = "standard"
    categorical: Categorical = "one-hot"
    missing: Missing = "none"
    pca: int | None = None
    landmarks: int | None = None
    text: Text = "none"
    text_dimensions: int = 64


def variant_from(choices: Mapping[str, Any]) -> Variant:
    """The variant that a trial's choices describe: {'numeric': 'quantile', 'pca': 8}; what is left out is the default.

    Raises:
        ValueError: an unknown key or value, with the valid ones.
    """
    known = [field.name for field in fields(Variant)]
    for key, value in choices.items():
        if key not in known:
            raise ValueError(f"unknown preprocessing {key!r}.{did_you_mean(key, known)} All: {', '.join(known)}")
        if key in _WORDS:
            if value not in _WORDS[key]:
                hint = did_you_mean(str(value), _WORDS[key])
                raise ValueError(f"{key} {value!r} is none of {', '.join(_WORDS[key])}.{hint}")
        elif isinstance(value, bool) or not isinstance(value, int | None) or (value is not None and value < 1):
            raise ValueError(f"{key} {value!r} is not a whole number above 0 (null: leave it out)")
        elif value is None and key == "text_dimensions":
            raise ValueError("text_dimensions has to be a whole number; to leave texts out, text: none")
    return Variant(**choices)
