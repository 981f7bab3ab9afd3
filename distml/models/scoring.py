"""The scoring network as a family: its search space and valid values, without importing torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from distml.data.task import Outline, Task
from distml.models.family import Family, Params
from distml.models.space import Choice, Fixed, Float, Value

if TYPE_CHECKING:
    from distml.models.layers import ScoringLayers
    from distml.models.network import ScoringNetwork

_Layers = TypeVar("_Layers", bound="ScoringLayers")

_DOMAINS = {
    "hidden": "a list of layer widths, each at least 1: [64, 64]",
    "activation": "relu, silu, gelu or tanh",
    "normalisation": "none, layer or batch (batch trains solo)",
    "dropout": "from 0 up to, not including, 1",
    "optimiser": "adamw, adam or sgd",
    "lr": "above 0",
    "weight_decay": "at least 0",
    "momentum": "from 0 up to, not including, 1",
    "betas": "two numbers from 0 up to, not including, 1",
    "schedule": "constant, cosine or linear",
    "warmup": "the share of steps spent warming up, from 0 to 1",
    "class_weight": "none, balanced, or the positive class's weight, above 0",
    "label_smoothing": "from 0 up to, not including, 1",
    "loss": "cross-entropy, focal or complement; of a ranking lambdarank, ranknet, listnet or squared",
    "gamma": "a number: of the focal loss at least 0, of complement cross-entropy -1 in its paper",
    "gradient_clip_val": "at least 0; 0 clips nothing",
    "epochs": "a whole number, at least 1",
    "batch_size": "a whole number, at least 1",
}
_WORDS = {
    "activation": ("relu", "silu", "gelu", "tanh"),
    "normalisation": ("none", "layer", "batch"),
    "optimiser": ("adamw", "adam", "sgd"),
    "schedule": ("constant", "cosine", "linear"),
}
_LOSSES: Mapping[Task, tuple[str, ...]] = {
    "classification": ("cross-entropy", "focal", "complement"),
    "regression": ("squared",),
    "ranking": ("lambdarank", "ranknet", "listnet", "squared"),
}
_BELOW_ONE = ("dropout", "momentum", "label_smoothing")


def build_network(params: Params, outline: Outline, seed: int) -> "ScoringNetwork":
    """A new scoring network; its weights follow from the seed."""
    from distml.models.network import ScoringNetwork  # here, so that reading a sweep file imports no torch

    return _build(ScoringNetwork, params, outline, seed)


def build_layers(params: Params, outline: Outline, seed: int) -> "ScoringLayers":
    """The same network, weight for weight, as a plain torch module."""
    from distml.models.layers import ScoringLayers

    return _build(ScoringLayers, params, outline, seed)


def _build(kind: "type[_Layers]", params: Params, outline: Outline, seed: int) -> "_Layers":
    import torch

    torch.default_generator.manual_seed(seed)
    shape = {"task": outline.task, "classes": outline.classes, "cardinalities": outline.cardinalities}
    return kind(outline.features, **shape, **dict(params))  # type: ignore[arg-type]


def check_network(params: Params, task: Task = "classification") -> None:
    """Raises ValueError for the first value the network could not be built or trained with."""
    for name, value in params.items():
        if name not in _DOMAINS:
            raise ValueError(f"the scoring network has no parameter {name!r}; it has {', '.join(_DOMAINS)}")
        if name == "loss":
            if value not in _LOSSES[task]:
                raise ValueError(f"loss {value!r} is none of a {task}: {', '.join(_LOSSES[task])}")
        elif not _is_valid(name, value):
            raise ValueError(f"{name} {value!r} is not {_DOMAINS[name]}")


def _is_valid(name: str, value: Value) -> bool:
    if name in _WORDS:
        return value in _WORDS[name]
    if name == "hidden":
        return isinstance(value, tuple) and all(_is_count(width) for width in value)
    if name == "betas":
        return isinstance(value, tuple) and len(value) == 2 and all(_is_number(b) and 0 <= b < 1 for b in value)  # type: ignore[operator]
    if name in ("epochs", "batch_size"):
        return _is_count(value)
    if name == "class_weight" and value in ("none", "balanced"):
        return True
    if name == "gamma" and value is None:
        return True
    if not _is_number(value):
        return False
    assert isinstance(value, (int, float))
    if name == "gamma":
        return True
    if name in _BELOW_ONE:
        return 0 <= value < 1
    return value > 0 if name in ("lr", "class_weight") else 0 <= value <= (1 if name == "warmup" else float("inf"))


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_SPACE: Mapping[str, Choice | Fixed | Float] = {
    "hidden": Choice(((64, 64), (128, 64))),
    "lr": Float(1e-4, 1e-2, log=True),
    "weight_decay": Float(1e-6, 1e-2, log=True),
    "dropout": Float(0.0, 0.5),
    "epochs": Fixed(10),
    "batch_size": Fixed(256),
}

SCORING_NETWORK = Family(
    name="scoring-network",
    engine="network",
    build=build_network,
    build_plain=build_layers,
    space=_SPACE,
    resource="epochs",
    parameters=frozenset(_DOMAINS),
    structural=frozenset({"hidden", "activation", "normalisation", "optimiser", "loss", "batch_size"}),
    domains=_DOMAINS,
    check=check_network,
)
