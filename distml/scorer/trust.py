"""What a scorer's files may hold: named types, and nothing that runs."""

from collections.abc import Collection, Iterable

# What the index of a k-nearest-neighbours model measures by. Not PyFunc, which calls a function that it is given.
_METRICS = (
    "BrayCurtis", "Canberra", "Chebyshev", "Dice", "Euclidean", "Hamming", "Haversine", "Jaccard", "Mahalanobis",
    "Manhattan", "Minkowski", "RogersTanimoto", "RussellRao", "SEuclidean", "SokalMichener", "SokalSneath",
)  # fmt: skip

# Beyond those that skops itself takes for safe. Whole packages are not listed: among their functions are some that read
# files or run code, and a file that names one of those is no model.
ALLOWED = frozenset(
    {
        *(f"sklearn.metrics._dist_metrics.{metric}Distance64" for metric in _METRICS),
        "distml.data.encoders.CategoryCodes",
        "distml.data.encoders.DateFeatures",
        "distml.data.landmarks.LandmarkDistances",
        "distml.data.text.TextFeatures",
        "distml.models.few_labels.SpreadLabels",
        "distml.models.tree_augmented.TreeAugmentedNaiveBayes",
        "functools.partial",  # of a function that has to stand in this list itself
        "numpy.ascontiguousarray",
        "numpy.dtype",
        "pandas.core.dtypes.missing.isna",  # where pandas before 3 says that it stands
        "pandas.isna",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
    }
)


def is_trusted(name: str, modules: Collection[str]) -> bool:
    """Whether 'package.module.Name' lies in one of the modules that the user trusts, or below it."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def refused(types: Iterable[str], modules: Collection[str]) -> list[str]:
    """Those of the types that are neither allowed nor in a trusted module.

    >>> refused(["numpy.dtype", "posix.system", "mine.models.Tree"], ["mine.models"])
    ['posix.system']
    """
    return [name for name in types if name not in ALLOWED and not is_trusted(name, modules)]
