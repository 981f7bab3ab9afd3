"""Embeddings of category codes for many members at once, with their backward pass written out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from distml.training.products import product


class Embeddings:
    """Fills the embedded columns of a batch, and brings their gradient back to the members' vectors.

    tables, gradients: (members, cardinality, width) of each category. codes: (members, rows, categories), whole numbers
    kept as floats. room: (members, rows, sum of widths), the columns of the batch to be filled.
    """

    def __init__(self, tables: Sequence[Tensor], gradients: Sequence[Tensor], codes: Tensor, room: Tensor) -> None:
        self.tables, self.gradients, self.codes, self.room = tables, gradients, codes, room
        self.widths = [table.shape[2] for table in tables]
        counts = torch.tensor([table.shape[1] for table in tables], device=codes.device)
        members = torch.arange(len(codes), device=codes.device)[:, None, None]
        self.starts = members * counts  # (members, 1, categories): each member's part of a table seen as one

    def forward(self) -> None:
        self.places = (self.codes.long() + self.starts).unbind(-1)
        parts = zip(self.tables, self.places, self.room.split(self.widths, -1), strict=True)  # type: ignore[no-untyped-call]
        for table, places, room in parts:
            room.copy_(table.flatten(0, 1)[places])

    def follow(self, linear_gradient: Tensor, matrix: Tensor, by_numpy: bool) -> None:
        """Take the gradient from the first layer: linear_gradient (members, rows, out), matrix (members, out, room)."""
        self.gradient = torch.empty_like(self.room, memory_format=torch.contiguous_format)
        self.multiply = product(linear_gradient, matrix, self.gradient, by_numpy)

    def backward(self) -> None:
        self.multiply()
        parts = zip(self.gradients, self.places, self.gradient.split(self.widths, -1), strict=True)  # type: ignore[no-untyped-call]
        for gradient, places, part in parts:
            summed = torch.zeros(gradient.shape, dtype=gradient.dtype, device=gradient.device)
            summed.flatten(0, 1).index_add_(0, places.flatten(), part.flatten(0, 1))
            gradient.copy_(summed)
