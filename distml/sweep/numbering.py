"""Which trial number belongs to which family, whatever runs first."""

from collections.abc import Iterator, Mapping


def interleave(quotas: Mapping[str, int | None], start: int = 1) -> Iterator[tuple[int, str]]:
    """Numbers in turn to each family that has some left; None is a family without end.

    A trial's number decides its seed, so it must not depend on which slot was free first.

    >>> list(interleave({"network": 3, "forest": 1}))
    [(1, 'network'), (2, 'forest'), (3, 'network'), (4, 'network')]
    """
    open_families = [family for family, quota in quotas.items() if quota is None or quota > 0]
    number = start
    given = 0  # to each that is open
    while open_families:
        for family in open_families:
            yield number, family
            number += 1
        given += 1
        open_families = [family for family in open_families if (quota := quotas[family]) is None or given < quota]


def share_out(total: int, families: Mapping[str, int | None]) -> dict[str, int]:
    """Split a budget of trials: families that ask for a number get it, the others share what is left.

    >>> share_out(200, {"network": 160, "forest": None, "boosting": None})
    {'network': 160, 'forest': 20, 'boosting': 20}
    """
    left = max(0, total - sum(asked for asked in families.values() if asked is not None))
    sharing = [family for family, asked in families.items() if asked is None]
    quotas = {}
    for family, asked in families.items():
        if asked is not None:
            quotas[family] = asked
            continue
        position = sharing.index(family)
        quotas[family] = left // len(sharing) + (position < left % len(sharing))
    return quotas
