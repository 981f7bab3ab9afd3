"""Which trial number belongs to which family, whatever runs first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence


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


def heirs_of(family: str) -> str:
    """Who numbers the trials that go on from others: they come when they come, and must not shift the others'."""
    return f"{family}+"


def with_heirs(
    stages: Sequence[Mapping[str, int | None]], families: Iterable[str]
) -> Sequence[Mapping[str, int | None]]:
    """Budgets with numbers without end for the heirs of these families, behind all others where those have an end.

    >>> with_heirs([{"network": 8}], ["network"])
    [{'network': 8}, {'network+': None}]
    """
    heirs = dict.fromkeys(map(heirs_of, families))
    if not heirs:
        return stages
    endless = [{**stage, **heirs} if None in stage.values() else stage for stage in stages]
    return endless if None in stages[-1].values() else [*endless, heirs]


class Numbers:
    """Hands each family its own trial numbers; later budgets continue where earlier ones ended."""

    def __init__(self, stages: Sequence[Mapping[str, int | None]]) -> None:
        self._stages = stages
        self._streams: dict[str, Iterator[int]] = {}
        self._following: dict[str, int] = {}
        self._used: set[int] = set()

    def peek(self, family: str) -> int | None:
        """The family's next number; None when every stage is used up."""
        stream = self._streams.setdefault(family, _stage_numbers(self._stages, family))
        number = self._following.get(family)
        while number is None or number in self._used:
            number = next(stream, None)
            if number is None:
                return None
            self._following[family] = number
        return number

    def take(self, family: str, number: int) -> None:
        """This number is used now, and with it those of its family before it."""
        while (following := self.peek(family)) is not None and following <= number:
            self._used.add(following)
        self._used.add(number)


def _stage_numbers(stages: Sequence[Mapping[str, int | None]], family: str) -> Iterator[int]:
    """The numbers of one family, in rising order.

    A stage with an endless family is the last: its numbers go in turn to all its families, so that one whose quota
    a later budget raises has some left that are its own. Those it does not need stay unused.
    """
    given: dict[str, int] = {}
    start = 1
    for stage in stages:
        endless = None in stage.values()
        if endless and family not in stage:
            return
        more = {name: None if endless else max(0, (quota or 0) - given.get(name, 0)) for name, quota in stage.items()}
        for number, owner in interleave(more, start):
            given[owner] = given.get(owner, 0) + 1
            start = number + 1
            if owner == family:
                yield number
