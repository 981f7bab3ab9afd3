"""Where trials are compared."""


def rungs(full: int, first: int, factor: int) -> tuple[int, ...]:
    """Resources (epochs, trees) at which a trial is compared, growing by `factor`; the last is its full size.

    >>> rungs(400, first=50, factor=2)
    (50, 100, 200, 400)
    >>> rungs(5, first=1, factor=3)
    (1, 3, 5)
    >>> rungs(30, first=50, factor=2)
    (30,)
    """
    steps = []
    step = first
    while step < full:
        steps.append(step)
        step *= factor
    return (*steps, full)
