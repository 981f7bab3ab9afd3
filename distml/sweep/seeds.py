"""Names and seeds of trials."""

import numpy as np


def trial_name(number: int) -> str:
    """
    >>> trial_name(7)
    't0007'
    """
    return f"t{number:04d}"


def trial_seed(sweep_seed: int, number: int) -> int:
    """A trial's own seed, a function of (sweep seed, trial number) and nothing else; below 2**31."""
    return int(np.random.SeedSequence((sweep_seed, number)).generate_state(1)[0] >> 1)


def heir_seed(seed: int, resource: int) -> int:
    """The seed of the trial that takes the place of the one with this seed, at this resource; below 2**31."""
    return int(np.random.SeedSequence((seed, resource)).generate_state(1)[0] >> 1)
