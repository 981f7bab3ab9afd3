"""Any suitable LightningModule as a batched training step: torch.func over its own training_step."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from distml.training.modules import TrainingFacts
from distml.training.optimisers import Course, read_course
from distml.training.order import noise_seed

State = Mapping[str, Tensor]


class SharedDropout(nn.Module):
    """Dropout whose rate may be a tensor, so that members of a batched network can each have their own.

    All members share one uniform draw, and each compares it with its own rate.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p: float | Tensor = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        rate = torch.as_tensor(self.p, dtype=x.dtype, device=x.device)
        # 0 or 1, as numbers, in the layout of x: on a CPU masks of bool, or with the members innermost, are slow.
        kept = torch.zeros_like(x).add_(1 - torch.rand_like(x)).sub_(rate).ceil_()
        return x * kept.div_(torch.where(rate < 1, 1 - rate, 1))


class Stacking:
    """The state of one structure of module as flat tensors, and its training step over many of them.

    A member's state: 'weights' (size,), each buffer as 'buffer.<name>', each plain float as 'attribute.<place>' ().
    """

    def __init__(self, module: Any, facts: TrainingFacts) -> None:
        self.facts = facts
        self.template: Any = with_shared_dropout(quiet(copy.deepcopy(module)))
        self.template.trainer = facts
        trained = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.shapes = {name: weight.shape for name, weight in trained.items()}

    def state_of(self, module: Any) -> dict[str, Tensor]:
        """What sets one module apart from others of its structure."""
        weights = dict(module.named_parameters())
        state = {"weights": torch.cat([weights[name].detach().flatten() for name in self.shapes])}
        fixed = {name: weight.detach() for name, weight in weights.items() if name not in self.shapes}
        state |= {f"buffer.{name}": value for name, value in {**fixed, **dict(module.named_buffers())}.items()}
        floats = float_attributes(module).items()
        return state | {f"attribute.{place}": torch.tensor(value, dtype=torch.float64) for place, value in floats}

    @staticmethod
    def course(module: Any, steps_per_epoch: int) -> Course:
        return read_course(module, steps_per_epoch)

    def load(self, module: Any, state: State) -> None:
        """Put one member's state into a module of the same structure."""
        held = {name: view[0] for name, view in self.views(state["weights"][None]).items()}
        held |= {name.removeprefix("buffer."): value for name, value in state.items() if name.startswith("buffer.")}
        module.load_state_dict(held, strict=False)  # tied weights appear once
        for name, value in state.items():
            if name.startswith("attribute."):
                _set(module, name.removeprefix("attribute."), float(value))

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """flat: (members, size) -> each parameter as a view (members, *its shape)."""
        views, at = {}, 0
        for name, shape in self.shapes.items():
            views[name] = flat[:, at : at + shape.numel()].view(len(flat), *shape)
            at += shape.numel()
        return views

    @staticmethod
    def table(x: Tensor) -> Tensor:
        """Rows as the module's own training_step takes them."""
        return x

    def bind(self, state: State, gradient: Tensor, x: Tensor, y: Tensor, rows: int) -> "StackingStep":
        """A training step on batches of `rows` rows of the table x, y, for members whose state is (members, ...)."""
        return StackingStep(self, state, gradient, x, y, rows)


class StackingStep:
    """One batched training step: fills the gradient of all members' weights."""

    def __init__(self, stacking: Stacking, state: State, gradient: Tensor, x: Tensor, y: Tensor, rows: int) -> None:
        self.x, self.y, self.rows = x, y, rows
        self.template = stacking.template.to(x.device, x.dtype)
        self.members = len(gradient)
        self.weights, self.gradients = stacking.views(state["weights"]), stacking.views(gradient)
        self.facts = stacking.facts
        self.buffers = {f"inner.{name[7:]}": value for name, value in state.items() if name.startswith("buffer.")}
        self.attributes: dict[str, Tensor] = {}
        for name, value in state.items():
            if not name.startswith("attribute."):
                continue
            place = name.removeprefix("attribute.")
            if bool((value == value[0]).all()):  # a plain float suits more functions than a tensor does
                _set(self.template, place, float(value[0]))
            else:
                self.attributes[place] = value.to(x.dtype)
        self.step = vmap(grad_and_value(self._loss), in_dims=(0, 0, 0, 0, 0, None), randomness="same")

    def __call__(self, index: Tensor, epoch: int, batch: int) -> None:
        """Fill the gradient. index: (members x rows,) places in the table."""
        x = self.x.index_select(0, index).view(self.members, self.rows, *self.x.shape[1:])
        y = self.y.index_select(0, index).view(self.members, self.rows, *self.y.shape[1:])
        self._tell(epoch, batch)
        found, _ = self.step(self.weights, self.buffers, self.attributes, x, y, batch)
        for name, gradient in self.gradients.items():
            gradient.copy_(found[name])

    def _tell(self, epoch: int, batch: int) -> None:
        seed = noise_seed(epoch, batch)
        if self.x.is_cuda:
            torch.cuda.manual_seed(seed)
        torch.default_generator.manual_seed(seed)
        self.facts.current_epoch = epoch
        self.facts.global_step = epoch * self.facts.num_training_batches + batch

    def _loss(self, weights: State, buffers: State, attributes: State, x: Tensor, y: Tensor, batch: int) -> Tensor:
        held = {f"inner.{name}": value for name, value in weights.items()} | dict(buffers)
        return functional_call(_Loss(self.template, attributes), held, (x, y, batch))


class _Loss(nn.Module):
    """A module whose forward is the training step's loss."""

    def __init__(self, inner: Any, attributes: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.attributes = attributes

    def forward(self, x: Tensor, y: Tensor, batch: int) -> Tensor:
        before = {place: _set(self.inner, place, value) for place, value in self.attributes.items()}
        try:
            return loss_of(self.inner.training_step((x, y), batch))
        finally:
            for place, value in before.items():
                _set(self.inner, place, value)


def loss_of(answer: Any) -> Tensor:
    """The loss in what a training_step returned."""
    loss = answer["loss"] if isinstance(answer, Mapping) else answer
    if not isinstance(loss, Tensor):
        raise TypeError(f"training_step returned {type(loss).__name__}, not a loss")
    return loss


def quiet(module: Any) -> Any:
    """The module with log() and log_dict() harmless: a cohort's scores come from its rungs."""
    module.log = module.log_dict = _ignore
    return module


def float_attributes(module: Any) -> dict[str, float]:
    """Every plain float that a module, its submodules or its hyperparameters hold: 'layers.2/p', '/alpha', '#/lr'."""
    found = {
        f"{path}/{name}": value
        for path, part in module.named_modules()
        for name, value in vars(part).items()
        if isinstance(value, float) and not name.startswith("_")
    }
    return found | {f"#/{name}": value for name, value in _hyperparameters(module).items() if isinstance(value, float)}


def _hyperparameters(module: Any) -> Mapping[str, Any]:
    return getattr(module, "hparams", {})


def _set(module: Any, place: str, value: Any) -> Any:
    """Set one attribute, and give back what it was."""
    path, name = place.rsplit("/", 1)
    if path == "#":
        before, module.hparams[name] = module.hparams[name], value
        return before
    part = module.get_submodule(path)
    before = getattr(part, name)
    setattr(part, name, value)
    return before


def with_shared_dropout(module: Any) -> Any:
    """The module with every nn.Dropout, of any depth, replaced."""
    for part in list(module.modules()):
        for name, child in part.named_children():
            if type(child) is nn.Dropout:
                setattr(part, name, SharedDropout(child.p).train(child.training))
    return module


def _ignore(*_: Any, **__: Any) -> None:
    """Stands in for LightningModule.log."""
