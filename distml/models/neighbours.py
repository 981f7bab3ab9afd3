"""The nearest neighbours' vote or mean."""

from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Int


def _k_nearest_neighbours(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    kind = KNeighborsClassifier if outline.task == "classification" else KNeighborsRegressor
    return assemble(kind(), params, seed)


K_NEAREST_NEIGHBOURS = Family(
    name="k-nearest-neighbours",
    engine="estimator",
    build=_k_nearest_neighbours,
    space={"n_neighbors": Int(3, 300, log=True), "weights": Choice(("uniform", "distance"))},
)
