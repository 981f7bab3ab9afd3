"""Naive Bayes with normal densities."""

from sklearn.base import BaseEstimator
from sklearn.naive_bayes import GaussianNB

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Float


def _naive_bayes(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    return assemble(GaussianNB(), params, seed)


NAIVE_BAYES = Family(
    name="naive-bayes",
    engine="estimator",
    build=_naive_bayes,
    space={"var_smoothing": Float(1e-10, 1.0, log=True)},
    tasks=frozenset({"classification"}),
)
