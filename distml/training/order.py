"""Which rows a member sees when: a function of (seed, epoch) alone, the same however the member is trained."""

import numpy as np
import torch
from torch import Tensor

_BITS = 2**64 - 1


def fold_seed(seed: int, fold: int) -> int:
    """The seed of a member's network on one fold."""
    return (seed + fold) % 2**63


def row_order(seed: int, epoch: int, rows: int, queries: Tensor | None = None) -> Tensor:
    """The order of the training rows in one epoch: int64 (rows,), on the CPU. Batches are its consecutive pieces.

    queries: (rows,) codes from 0 on, of a ranking: the rows of a query stand side by side, queries in random order and
    the rows of each, so that a batch is made of whole queries but for its first and last, of which it may have a piece.
    """
    generator = _generator(seed, epoch)
    order = torch.randperm(rows, generator=generator)
    if queries is None:
        return order
    places = torch.randperm(int(queries.max()) + 1, generator=generator)
    return order[torch.argsort(places[queries[order]], stable=True)]


def noise_seed(epoch: int, batch: int) -> int:
    """The seed of the noise that all members of one age share, each applying its own rate: below 2**63.

    Mixed by the finaliser of SplitMix64 (Steele et al., 2014), since it is asked for at every step.
    """
    mixed = (epoch << 32 | batch) + 0x9E3779B97F4A7C15
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _BITS
    return (mixed ^ mixed >> 31) >> 1


def step_seed(seed: int, epoch: int) -> int:
    """The seed of everything else a solo member draws in one epoch."""
    return _mix(seed, epoch, 1)


def _generator(*key: int) -> torch.Generator:
    return torch.Generator().manual_seed(_mix(*key))


def _mix(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
