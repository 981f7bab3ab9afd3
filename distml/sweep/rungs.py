"""Where trials are compared."""


def rungs(full: int, first: int, factor: int) -> tuple[int, ...]:
    """Resources (epochs, trees) at which a trial is compared: its full size, and parts of it down to `first`.

    >>> rungs(400, first=50, factor=2)
    (50, 100, 200, 400)
    >>> rungs(10, first=1, factor=3)
    (1, 3, 10)
    >>> rungs(30, first=50, factor=2)
    (30,)
    """
    steps = [full]
    while (part := full / factor ** len(steps)) >= first:
        steps.append(round(part))
    return tuple(reversed(steps))


def even_rungs(full: int, interval: int) -> tuple[int, ...]:
    """Every `interval` epochs, and the full size.

    >>> even_rungs(10, interval=4)
    (4, 8, 10)
    """
    return (*range(interval, full, interval), full)
