"""The scoring network's training step for many members at once, with its backward pass written out.

The same numbers as autograd would give (tests/training/test_chain.py), at about twice the speed: every buffer is
allocated once, and the bias is one more column of each weight matrix, met by a column of ones in each layer's input.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from distml.models import losses, ranking_losses
from distml.models.layers import ScoringLayers
from distml.training.embeddings import Embeddings
from distml.training.optimisers import Course, scoring_course
from distml.training.order import noise_seed
from distml.training.products import product

_EPS = 1e-5  # of layer normalisation
_BACKWARD: dict[type[nn.Module], Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    nn.SiLU: lambda g, z, h: torch.ops.aten.silu_backward(g, z),
    nn.GELU: lambda g, z, h: torch.ops.aten.gelu_backward(g, z),
    nn.Tanh: lambda g, z, h: torch.ops.aten.tanh_backward(g, h),
}
State = Mapping[str, Tensor]


class Chain:
    """The layout of one structure of scoring network as a flat vector of weights, and its training step.

    A member's state: 'weights' (size,), 'rate', 'smoothing', 'gamma', 'mean', 'scale' (), 'class_weights' (classes,).
    """

    def __init__(self, network: ScoringLayers, by_numpy: bool) -> None:
        self.by_numpy = by_numpy
        self.task, self.loss = network.task, network.loss
        layers = list(network.layers)
        linear = {i: layer for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)}
        places = list(linear)
        self.widths: list[int] = [linear[places[0]].in_features, *(layer.out_features for layer in linear.values())]
        self.normalised = any(isinstance(layer, nn.LayerNorm) for layer in layers)
        activations = [type(layer) for layer in layers if type(layer) in _BACKWARD]
        self.activation = activations[0] if activations else nn.ReLU
        tables = [embedding for embedding in network.embeddings if isinstance(embedding, nn.Embedding)]
        self.tables = [(embedding.num_embeddings, embedding.embedding_dim) for embedding in tables]
        self.numeric = self.widths[0] - sum(width for _, width in self.tables)
        self.embedding = [f"embeddings.{i}" for i in range(len(tables))]
        self.linear = [f"layers.{i}" for i in places]
        self.norm = [f"layers.{i + 1}" for i in places[:-1]] if self.normalised else []

    @staticmethod
    def suits(network: Any) -> bool:
        """Whether this is the scoring network itself, of a structure that the written-out step covers."""
        return "trains_by_chain" in vars(type(network)) and not any(
            isinstance(layer, nn.BatchNorm1d) for layer in network.layers
        )

    def state_of(self, network: ScoringLayers) -> dict[str, Tensor]:
        """What sets one network apart from others of its structure."""
        held = network.state_dict()
        pairs = [(held[f"{name}.weight"], held[f"{name}.bias"]) for name in self.linear]
        parts = [torch.cat([weight, bias[:, None]], 1).flatten() for weight, bias in pairs]
        parts += [held[f"{name}.{what}"] for name in self.norm for what in ("weight", "bias")]
        parts += [held[f"{name}.weight"].flatten() for name in self.embedding]
        rates = [layer.p for layer in network.layers if isinstance(layer, nn.Dropout)]
        return {
            "weights": torch.cat(parts),
            "rate": torch.tensor(rates[0] if rates else 0.0, dtype=torch.float64),
            "smoothing": torch.tensor(network.label_smoothing, dtype=torch.float64),
            "gamma": torch.tensor(network.gamma, dtype=torch.float64),
            "class_weights": held["class_weights"],
            "mean": held["target_mean"],
            "scale": held["target_scale"],
        }

    @staticmethod
    def course(network: ScoringLayers, steps_per_epoch: int) -> Course:
        return scoring_course(network, steps_per_epoch)

    def load(self, network: ScoringLayers, state: State) -> None:
        """Put one member's state into a network of the same structure."""
        held = {"class_weights": state["class_weights"], "target_mean": state["mean"], "target_scale": state["scale"]}
        matrices, norms, tables = self.views(state["weights"][None])
        for name, matrix in zip(self.linear, matrices, strict=True):
            held[f"{name}.weight"], held[f"{name}.bias"] = matrix[0, :, :-1], matrix[0, :, -1]
        for name, (gain, shift) in zip(self.norm, norms, strict=True):
            held[f"{name}.weight"], held[f"{name}.bias"] = gain[0, 0], shift[0, 0]
        held |= {f"{name}.weight": table[0] for name, table in zip(self.embedding, tables, strict=True)}
        network.load_state_dict(held)

    def views(self, flat: Tensor) -> tuple[list[Tensor], list[tuple[Tensor, Tensor]], list[Tensor]]:
        """flat: (members, size) -> weight matrices (members, out, in + 1), gains and shifts (members, 1, out), and
        tables of embeddings (members, cardinality, width)."""
        members, at = len(flat), 0
        matrices, norms, tables = [], [], []
        for fan_in, fan_out in pairwise(self.widths):
            size = fan_out * (fan_in + 1)
            matrices.append(flat[:, at : at + size].view(members, fan_out, fan_in + 1))
            at += size
        for width in self.widths[1:-1] if self.normalised else ():
            norms.append((flat[:, None, at : at + width], flat[:, None, at + width : at + 2 * width]))
            at += 2 * width
        for count, width in self.tables:
            tables.append(flat[:, at : at + count * width].view(members, count, width))
            at += count * width
        return matrices, norms, tables

    def table(self, x: Tensor) -> Tensor:
        """x: (rows, features) -> (rows, numeric columns + room for embeddings + a column of ones + codes)."""
        room = x.new_zeros(len(x), self.widths[0] - self.numeric)
        return torch.cat([x[:, : self.numeric], room, x.new_ones(len(x), 1), x[:, self.numeric :]], 1)

    def bind(self, state: State, gradient: Tensor, x: Tensor, y: Tensor, rows: int) -> "ChainStep":
        """A training step on batches of `rows` rows of the table x, y, for members whose state is (members, ...)."""
        return ChainStep(self, state, gradient, x, y, rows)


class ChainStep:
    """One batched training step: fills the gradient of all members' weights."""

    def __init__(self, chain: Chain, state: State, gradient: Tensor, x: Tensor, y: Tensor, rows: int) -> None:
        weights, members = state["weights"], len(state["weights"])
        self.task, self.state, self.rows = chain.task, state, rows
        matrices, norms, tables = chain.views(weights)
        self.smoothing, self.class_weights = state["smoothing"].to(x.dtype), state["class_weights"]
        # Most members weigh classes alike and smooth nothing: their gradient takes three operations, not a dozen.
        alike = not self.smoothing.any() and bool((self.class_weights == 1).all())
        one = matrices[-1].shape[1] == 1
        self.loss = "cross-entropy" if one and chain.loss == "complement" else chain.loss
        self.gamma = state["gamma"].to(x.dtype)
        self.plain = chain.task == "classification" and one and alike and self.loss == "cross-entropy"
        self.x, self.y = x, y.to(x.dtype) if self.plain else y
        matrix_gradients, norm_gradients, table_gradients = chain.views(gradient)
        self.batch_x = x.new_empty(members * rows, x.shape[1])
        self.batch_y = self.y.new_empty(members * rows, *y.shape[1:])
        self.target = self.batch_y.view(members, rows, *y.shape[1:])
        rate = state["rate"][:, None, None]
        self.dropout = dropout = bool((rate > 0).any())
        self.generator = torch.Generator(x.device)
        batch = self.batch_x.view(members, rows, -1)
        inputs, codes = batch[..., : chain.widths[0] + 1], batch[..., chain.widths[0] + 1 :]
        previous: Tensor | None = None
        self.layers: list[_Layer] = []
        for depth, (matrix, matrix_gradient) in enumerate(zip(matrices, matrix_gradients, strict=True)):
            hidden = depth < len(matrices) - 1
            layer = _Layer(chain, inputs, matrix, matrix_gradient, previous, rate if dropout else None, hidden)
            if hidden and chain.normalised:
                layer.normalise_by(*norms[depth], *norm_gradients[depth])
            self.layers.append(layer)
            inputs, previous = layer.output, layer.output_gradient
        self.embeddings: Embeddings | None = None
        if tables:
            embedded = slice(chain.numeric, chain.widths[0])
            self.embeddings = Embeddings(tables, table_gradients, codes, batch[..., embedded])
            self.embeddings.follow(self.layers[0].linear_gradient, matrices[0][..., embedded], chain.by_numpy)

    def __call__(self, index: Tensor, epoch: int, batch: int) -> None:
        """Fill the gradient. index: (members x rows,) places in the table."""
        if self.dropout:
            self.generator.manual_seed(noise_seed(epoch, batch))
        torch.index_select(self.x, 0, index, out=self.batch_x)
        torch.index_select(self.y, 0, index, out=self.batch_y)
        if self.embeddings is not None:
            self.embeddings.forward()
        for layer in self.layers:
            layer.forward(self.generator)
        final = self.layers[-1]
        final.output_gradient.copy_(self._loss_gradient(final.output))
        for layer in reversed(self.layers):
            layer.backward()
        if self.embeddings is not None:
            self.embeddings.backward()

    def _loss_gradient(self, output: Tensor) -> Tensor:
        if self.plain:
            return torch.sigmoid(output).sub_(self.target.unsqueeze(-1)).mul_(1 / self.rows)
        if self.task == "regression":
            mean, scale = self.state["mean"], self.state["scale"]
            return losses.squared_gradient(output.squeeze(-1), self.target, mean, scale).unsqueeze(-1)
        if self.task == "ranking":
            return self._ranking_gradient(output.squeeze(-1)).unsqueeze(-1)
        given = self.target, self.class_weights, self.smoothing
        if output.shape[-1] > 1:
            if self.loss == "cross-entropy":
                return losses.multiclass_gradient(output, *given)
            gradient_of = losses.focal_gradient if self.loss == "focal" else losses.complement_gradient
            return gradient_of(output, *given, self.gamma)
        if self.loss == "focal":
            return losses.focal_binary_gradient(output.squeeze(-1), *given, self.gamma).unsqueeze(-1)
        return losses.binary_gradient(output.squeeze(-1), *given).unsqueeze(-1)

    def _ranking_gradient(self, scores: Tensor) -> Tensor:
        grades, queries = self.target[..., 0], self.target[..., 1]
        if self.loss == "squared":
            return losses.squared_gradient(scores, grades, self.state["mean"], self.state["scale"])
        return ranking_losses.GRADIENTS[self.loss](scores, grades, queries)


class _Layer:
    """Linear, and for hidden layers layer normalisation, activation and dropout.

    Shapes: inputs (members, rows, in + 1), output (members, rows, out + 1) for hidden layers, (members, rows, out) for
    the last. Dropout's factor 1 / (1 - rate) is drawn into the next layer's small matrix instead of the activations.
    """

    def __init__(
        self, chain: Chain, inputs: Tensor, matrix: Tensor, matrix_gradient: Tensor,
        input_gradient: Tensor | None, rate: Tensor | None, hidden: bool,
    ) -> None:  # fmt: skip
        members, rows, width = *inputs.shape[:2], matrix.shape[1]
        self.hidden = hidden
        self.matrix, self.matrix_gradient, self.input_gradient = matrix, matrix_gradient, input_gradient
        self.rate = rate.to(inputs.dtype) if rate is not None and hidden else None
        self.relu = hidden and chain.activation is nn.ReLU
        self.activation, self.activation_backward = chain.activation(), _BACKWARD.get(chain.activation)
        self.norm: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self.output = inputs.new_ones(members, rows, width + hidden)
        self.output_gradient = torch.zeros_like(self.output)
        self.inside = self.output[..., :width]
        self.inside_gradient = self.output_gradient[..., :width]
        in_place = not hidden or self.relu
        self.linear = self.inside if in_place else inputs.new_empty(members, rows, width)
        self.linear_gradient = self.inside_gradient if in_place else torch.empty_like(self.linear)
        # The first layer's inputs are the table's: nothing was dropped from them.
        self.scale: Tensor | None = None
        self.scaled = matrix
        if rate is not None and input_gradient is not None:
            self.scale = (1 / (1 - rate)).to(matrix.dtype).repeat(1, 1, matrix.shape[2])
            self.scale[..., -1] = 1
            self.scaled = torch.empty_like(matrix)
        if self.rate is not None:
            self.noise = inputs.new_empty(rows, width + 1)
            self.mask = torch.empty_like(self.output)
        by = chain.by_numpy
        self.multiply = product(inputs, self.scaled.transpose(1, 2), self.linear, by)
        self.multiply_matrix = product(self.linear_gradient.transpose(1, 2), inputs, matrix_gradient, by)
        self.multiply_inputs: Callable[[], object] | None = None
        if input_gradient is not None and width > 1:
            self.multiply_inputs = product(self.linear_gradient, self.scaled, input_gradient, by)

    def normalise_by(self, gain: Tensor, shift: Tensor, gain_gradient: Tensor, shift_gradient: Tensor) -> None:
        self.norm = gain, shift, gain_gradient, shift_gradient

    def forward(self, generator: torch.Generator) -> None:
        if self.scale is not None:
            torch.mul(self.matrix, self.scale, out=self.scaled)
        self.multiply()
        if self.norm is not None:
            gain, shift = self.norm[:2]
            variance, mean = torch.var_mean(self.linear, dim=-1, correction=0, keepdim=True)
            self.spread = variance.add_(_EPS).rsqrt_()
            self.standard = (self.linear - mean).mul_(self.spread)
            self.linear.copy_(self.standard).mul_(gain).add_(shift)
        if not self.hidden:
            return
        if self.rate is not None:
            torch.rand(self.noise.shape, generator=generator, out=self.noise)
            self.noise[:, -1] = 1  # the column of ones is never dropped
            torch.ge(self.noise, self.rate, out=self.mask)
        if self.relu:
            self.output.clamp_min_(0)
        else:
            self.inside.copy_(self.activation(self.linear))
            self.active = self.inside.clone() if self.rate is not None else self.inside
        if self.rate is not None:
            self.output.mul_(self.mask)

    def backward(self) -> None:
        """From the gradient of the output to those of the matrix and of the inputs."""
        if self.relu:  # zero where nothing flowed or all was dropped
            gradient = self.output_gradient
            torch.ops.aten.threshold_backward.grad_input(gradient, self.output, 0, grad_input=gradient)
        elif self.hidden:
            if self.rate is not None:
                self.output_gradient.mul_(self.mask)
            assert self.activation_backward is not None
            self.linear_gradient.copy_(self.activation_backward(self.inside_gradient, self.linear, self.active))
        if self.norm is not None:
            self._backward_norm()
        self.multiply_matrix()
        if self.scale is not None:
            self.matrix_gradient.mul_(self.scale)
        if self.input_gradient is None:
            return
        if self.multiply_inputs is None:  # one output: an outer product, which needs no matrix library
            torch.mul(self.linear_gradient, self.scaled, out=self.input_gradient)
        else:
            self.multiply_inputs()

    def _backward_norm(self) -> None:
        """Layer normalisation, Ba et al. (2016), by the chain rule."""
        assert self.norm is not None
        gain, _, gain_gradient, shift_gradient = self.norm
        gradient = self.linear_gradient
        torch.sum(gradient * self.standard, 1, keepdim=True, out=gain_gradient)
        torch.sum(gradient, 1, keepdim=True, out=shift_gradient)
        inner = gradient * gain
        across = (inner * self.standard).mean(-1, keepdim=True)
        inner.sub_(inner.mean(-1, keepdim=True)).sub_(self.standard * across).mul_(self.spread)
        gradient.copy_(inner)
