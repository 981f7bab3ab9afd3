"""From a table whose kinds are applied to the matrix that models train on."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, QuantileTransformer, StandardScaler

from distml.data.encoders import CategoryCodes, DateFeatures
from distml.data.landmarks import LandmarkDistances
from distml.data.layout import Layout
from distml.data.text import TextFeatures
from distml.data.variant import Variant, variant_from

__all__ = ["Variant", "cardinalities", "make_preprocessor", "variant_from"]

Steps = list[tuple[str, Any]]


def make_preprocessor(layout: Layout, variant: Variant, seed: int) -> Pipeline:
    """An unfitted pipeline: frame with the layout's columns -> float32 (rows, features), C-contiguous.

    How many features there are and what each means follows from layout and variant alone, their scale from the
    rows it is fitted on. Missing cells become the median, of booleans the commoner value. A category that is
    missing has a feature of its own where the layout's rows have missing ones; one that is rare or was never seen
    has zeros. Ordinal codes stand in the last features: 0 for a missing, rare or unseen category, else 1 and up.

    Raises:
        ValueError: no column is left, pca above the number of columns, or pca or landmarks where all are codes.
    """
    codes = layout.of("categorical") if variant.categorical == "ordinal" else []
    others = [name for name in layout.kinds if name not in codes and _is_used(layout, variant, name)]
    if not codes and not others:
        raise ValueError(f"all columns are text, and text: {variant.text} leaves them out")
    _check(layout, variant, others)
    steps: Steps = [("columns", ColumnTransformer(_columns(layout, variant, seed)))]
    if variant.pca is not None:
        steps.append(("pca", PCA(variant.pca, random_state=seed)))
    if variant.landmarks is not None:
        steps.append(("landmarks", LandmarkDistances(variant.landmarks, random_state=seed)))
    if codes:
        parts = [("features", Pipeline(steps), others)] if others else []
        encoder = CategoryCodes([layout.categories[name] for name in codes])
        steps = [("columns", ColumnTransformer([*parts, ("codes", encoder, codes)]))]
    cast = FunctionTransformer(np.ascontiguousarray, kw_args={"dtype": "float32"})
    return Pipeline([*steps, ("cast", cast)])


def cardinalities(preprocessor: Pipeline) -> tuple[int, ...]:
    """The numbers of codes in the last features of a fitted preprocessor's matrix, feature by feature."""
    fitted = preprocessor.named_steps["columns"].named_transformers_
    return fitted["codes"].cardinalities if "codes" in fitted else ()


def _check(layout: Layout, variant: Variant, others: list[str]) -> None:
    width = len(others) + 2 * len(layout.of("date"))
    if variant.text != "none":
        width += len(layout.of("text")) * (variant.text_dimensions - 1)
    if variant.missing == "indicator":
        width += len(_incomplete(layout, variant))
    for name in layout.of("categorical"):
        if name in others:
            width += len(layout.categories[name]) - 1 + (name in layout.incomplete)
    for choice in ("pca", "landmarks"):
        if getattr(variant, choice) is not None and width == 0:
            raise ValueError(f"{choice} needs columns that are not codes; use categorical: one-hot")
    if variant.pca is not None and variant.pca > width:
        raise ValueError(f"pca {variant.pca} is above {width}, the number of prepared columns it starts from")


def _columns(layout: Layout, variant: Variant, seed: int) -> list[tuple[str, Any, list[str]]]:
    parts = [
        ("numeric", _numbers(variant, seed), layout.of("numeric")),
        ("date", _numbers(variant, seed, ("features", DateFeatures())), layout.of("date")),
        ("boolean", SimpleImputer(strategy="most_frequent", keep_empty_features=True), layout.of("boolean")),
    ]
    if variant.text != "none":
        parts.append(("text", TextFeatures(variant.text, variant.text_dimensions, seed), layout.of("text")))
    if variant.missing == "indicator":
        parts.append(("missing", FunctionTransformer(pd.isna), _incomplete(layout, variant)))
    if variant.categorical == "one-hot":
        parts.append(("categorical", _one_hot(layout), layout.of("categorical")))
    return [part for part in parts if part[2]]


def _is_used(layout: Layout, variant: Variant, name: str) -> bool:
    return layout.kinds[name] != "text" or variant.text != "none"


def _incomplete(layout: Layout, variant: Variant) -> list[str]:
    """Columns that a missing indicator is for; categories say so themselves."""
    told = layout.of("numeric", "date", "boolean", "text")
    return [name for name in told if name in layout.incomplete and _is_used(layout, variant, name)]


def _numbers(variant: Variant, seed: int, *before: tuple[str, Any]) -> Pipeline:
    steps: Steps = [*before, ("impute", SimpleImputer(strategy="median", keep_empty_features=True))]
    if variant.numeric == "standard":
        steps.append(("scale", StandardScaler()))
    elif variant.numeric == "quantile":
        steps.append(("scale", QuantileTransformer(output_distribution="normal", random_state=seed)))
    return Pipeline(steps)


def _one_hot(layout: Layout) -> OneHotEncoder:
    categories = [
        np.array([*layout.categories[name], *([np.nan] if name in layout.incomplete else [])], dtype=object)
        for name in layout.of("categorical")
    ]
    return OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False, dtype=np.float32)
