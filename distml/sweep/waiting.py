"""Trials that wait for a cohort of their structure."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass
class _Queue:
    """The trials of one structure."""

    order: int  # of its first mention
    trials: deque[str] = field(default_factory=deque)
    noted: int = 0  # lengths 1 to this stand in the heap


class Waiting:
    """Trials by structure, each structure's in the order they came. n trials take n log n steps, whatever the number
    of structures: where a width is searched as a range, there may be one a trial."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._count = 0
        # (-length, order of the structure, structure). Each length up to a queue's own is there, so that nothing need
        # be found when trials are taken; lengths that it no longer has are thrown away where they come to the top.
        self._lengths: list[tuple[int, int, str]] = []

    def __len__(self) -> int:
        return self._count

    def add(self, structure: str, trial: str) -> None:
        queue = self._queue(structure)
        queue.trials.append(trial)
        self._count += 1
        if len(queue.trials) > queue.noted:
            queue.noted += 1
            heappush(self._lengths, (-queue.noted, queue.order, structure))

    def take(self, structure: str, most: int) -> Sequence[str]:
        """Let the first of this structure go, as many as there are up to `most`."""
        trials = self._queue(structure).trials
        taken = [trials.popleft() for _ in range(min(most, len(trials)))]
        self._count -= len(taken)
        return taken

    def count(self, structure: str) -> int:
        """How many wait for a cohort of this structure."""
        return len(self._queue(structure).trials)

    @property
    def fullest(self) -> str | None:
        """The structure with the most trials, of several the one first mentioned; None where nobody waits."""
        while self._lengths:
            length, _, structure = self._lengths[0]
            queue = self._queues[structure]
            if len(queue.trials) == -length:
                return structure
            heappop(self._lengths)
            queue.noted -= 1
        return None

    def by_length(self) -> Iterator[str]:
        """The structures that somebody waits for, that with the most trials first."""
        first = self.fullest
        if first is None:
            return
        yield first
        others = [name for name, queue in self._queues.items() if queue.trials and name != first]
        yield from sorted(others, key=lambda name: -len(self._queues[name].trials))

    @property
    def most(self) -> int:
        """How many wait for the fullest structure."""
        return -self._lengths[0][0] if self.fullest is not None else 0

    def _queue(self, structure: str) -> _Queue:
        queue = self._queues.get(structure)
        if queue is None:
            queue = self._queues[structure] = _Queue(len(self._queues))
        return queue
