"""The support vector machine with a Gaussian kernel, at a cost that is linear in the rows."""

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC, LinearSVR

from distml.data.task import Outline
from distml.models.family import Family, Params
from distml.models.parameters import assemble
from distml.models.space import Choice, Float, Int


def _support_vector_machine(params: Params, outline: Outline, seed: int) -> BaseEstimator:
    """A linear machine on the kernel's values at `n_components` landmark rows (Williams and Seeger, 2001).

    The exact machine takes time and memory with the square of the rows, which 24,000 rows make minutes a trial.
    """
    kernel = Nystroem()
    if outline.task == "classification":
        machine = make_pipeline(kernel, LinearSVC())
        # Margins become probabilities by Platt's sigmoid, fitted to cross-validated margins.
        return assemble(CalibratedClassifierCV(machine, cv=3, ensemble=False), params, seed)
    return assemble(make_pipeline(kernel, LinearSVR(loss="squared_epsilon_insensitive")), params, seed)


SUPPORT_VECTOR_MACHINE = Family(
    name="support-vector-machine",
    engine="estimator",
    build=_support_vector_machine,
    space={
        "C": Float(1e-3, 10.0, log=True),
        "gamma": Float(1e-4, 1.0, log=True),
        "n_components": Int(50, 200, log=True),
        "class_weight": Choice((None, "balanced")),
    },
)
