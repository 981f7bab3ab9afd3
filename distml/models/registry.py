"""Families by name, found when asked for: a sweep imports the libraries of its own families only."""

from importlib import import_module

from distml.data.task import Outline, Task
from distml.errors import did_you_mean
from distml.models.family import Family
from distml.models.space import Space

_PLACES = {
    "scoring-network": "distml.models.scoring:SCORING_NETWORK",
    "logistic-regression": "distml.models.linear:LOGISTIC_REGRESSION",
    "k-nearest-neighbours": "distml.models.neighbours:K_NEAREST_NEIGHBOURS",
    "support-vector-machine": "distml.models.kernel:SUPPORT_VECTOR_MACHINE",
    "naive-bayes": "distml.models.bayes:NAIVE_BAYES",
    "bayes-net": "distml.models.bayes_net:BAYES_NET",
    "perceptron": "distml.models.linear:PERCEPTRON",
    "decision-tree": "distml.models.trees:DECISION_TREE",
    "bagging": "distml.models.forests:BAGGING",
    "random-forest": "distml.models.forests:RANDOM_FOREST",
    "extra-trees": "distml.models.forests:EXTRA_TREES",
    "adaboost": "distml.models.boosting:ADABOOST",
    "gradient-boosting": "distml.models.boosting:GRADIENT_BOOSTING",
    "hist-gradient-boosting": "distml.models.boosting:HIST_GRADIENT_BOOSTING",
    "xgboost": "distml.models.xgb:XGBOOST",
    "self-training": "distml.models.few_labels:SELF_TRAINING",
    "label-spreading": "distml.models.few_labels:LABEL_SPREADING",
    "k-means": "distml.models.clusters:K_MEANS",
    "gaussian-mixture": "distml.models.clusters:GAUSSIAN_MIXTURE",
    "hierarchical": "distml.models.clusters:HIERARCHICAL",
    "pca": "distml.models.projections:PCA",
    "t-sne": "distml.models.projections:T_SNE",
    "umap": "distml.models.umap_projection:UMAP",
}
# Families that a plain installation lacks, each an optional extra of its name.
_EXTRAS = frozenset({"bayes-net", "xgboost", "umap"})


def family_names() -> list[str]:
    """All families, in the order in which a newcomer would try them."""
    return list(_PLACES)


def find_family(name: str) -> Family:
    """Look a family up by name.

    Raises:
        ValueError: there is no such family, or it needs an optional extra that is not installed.
    """
    if name not in _PLACES:
        raise ValueError(f"no family {name!r}.{did_you_mean(name, _PLACES)} There are: {', '.join(_PLACES)}")
    module, _, attribute = _PLACES[name].partition(":")
    try:
        family: Family = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if name in _EXTRAS:
            raise ValueError(f"{name} is not installed: pip install 'distml[{name}]'") from error
        raise
    return family


def parameter_names(family: Family, task: Task) -> frozenset[str]:
    """The names that a family's space may use for this task."""
    if family.engine == "network" or family.parameters:
        return frozenset(family.space) | family.parameters
    from distml.models.parameters import parameter_paths

    return frozenset(parameter_paths(family.build({}, _outline(task), 0)))


def default_space(family: Family, task: Task) -> Space:
    """The family's own space, less what makes no sense for the task: a regressor has no class_weight."""
    known = parameter_names(family, task)
    return {name: domain for name, domain in family.space.items() if name in known}


def _outline(task: Task) -> Outline:
    """The smallest problem, to build models that are only looked at."""
    return Outline(task=task, features=2, classes=2 if task == "classification" else 0)
