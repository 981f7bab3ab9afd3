"""Python's search for garbage, kept from what imports bring in: it stays, and looking through it takes long."""

import gc
from functools import cache

_MANY = 100_000  # new objects before it looks; Python's own 700 make a quarter of the time that torch's import takes


def expect_imports() -> None:
    """Look for garbage less often from now on."""
    gc.set_threshold(_MANY, *gc.get_threshold()[1:])


@cache
def keep_imports() -> None:
    """Never look again through what is there now, even when the process ends.

    Once a process, since all that lives at that moment is kept for good: what comes later is not.
    """
    gc.freeze()
