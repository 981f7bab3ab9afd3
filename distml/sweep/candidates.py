"""Which node to try next, without walking them all."""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

Rank = tuple[int, ...]


class Candidates:
    """Nodes by number, the one of the least rank first. A node that does not fit is left out until it changes, so that
    a search costs log n for each change there was.

    Args:
        nodes: those that may ever fit.
        rank: of a node as it is now.
        fits: whether a node has room now. Both may change with the node alone, and then `changed` must be told.
    """

    def __init__(self, nodes: Iterable[int], rank: Callable[[int], Rank], fits: Callable[[int], bool]) -> None:
        self._rank, self._fits = rank, fits
        self._noted: dict[int, Rank | None] = {node: rank(node) for node in nodes}  # None: did not fit
        self._heap = [(noted, node) for node, noted in self._noted.items() if noted is not None]
        heapify(self._heap)

    def first(self) -> int | None:
        """The node of the least rank that fits; None where none does."""
        while self._heap:
            rank, node = self._heap[0]
            if self._noted[node] == rank:
                if self._fits(node):
                    return node
                self._noted[node] = None
            heappop(self._heap)
        return None

    def changed(self, node: int) -> None:
        """Something was taken of it or given back."""
        if node not in self._noted:
            return
        rank = self._rank(node)
        if self._noted[node] != rank:
            self._noted[node] = rank
            heappush(self._heap, (rank, node))
