"""A preprocessing variant: one way of turning a table into a matrix, open to search."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from distml.errors import did_you_mean

Numeric = Literal["standard", "quantile", "none"]
Categorical = Literal["one-hot", "ordinal"]
Missing = Literal["indicator", "none"]

_WORDS: Mapping[str, tuple[str, ...]] = {
    "numeric": get_args(Numeric),
    "categorical": get_args(Categorical),
    "missing": get_args(Missing),
}


@dataclass(frozen=True)
class Variant:
    """The choices of one variant.

    numeric: mean 0 and variance 1; by quantiles to a normal distribution; or as they are
    categorical: a column of 0 and 1 for each category; or one column of integer codes, the matrix's last columns
    missing: a column of 0 and 1 for each numeric, boolean or date column with missing cells; or none
    pca: that many principal components in the place of the columns
    landmarks: that many more columns, the distances to landmark rows (after pca, where both are given)

    With ordinal codes, pca and landmarks see all columns but the codes, which have no distances.
    """

    numeric: Numeric = "standard"
    categorical: Categorical = "one-hot"
    missing: Missing = "none"
    pca: int | None = None
    landmarks: int | None = None


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
        elif value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{key} {value!r} is not a whole number above 0 (null: leave it out)")
    return Variant(**choices)
