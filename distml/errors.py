"""The errors a user meets. Everything else that is raised is a fault of distml's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class DistmlError(Exception):
    """Something the user can act on; the command line prints it without a traceback."""

    status = 2  # with which the command line ends: the user's mistake


@dataclass(frozen=True)
class Mistake:
    """One mistake in what the user wrote: where it stands, and what to do about it."""

    where: str  # 'families.scoring-network.space.lr'
    what: str  # 'low 0.01 is above high 0.0001'


class MistakesError(DistmlError):
    """All mistakes found in one thing the user handed in, so that one reading mends them all."""

    def __init__(self, subject: str, mistakes: Iterable[Mistake]) -> None:
        self.subject = subject
        self.mistakes = tuple(mistakes)
        width = max((len(m.where) for m in self.mistakes), default=0)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = [f"{subject} has {count}:"]
        lines += [f"  {m.where:<{width}}  {m.what}" if m.where else f"  {m.what}" for m in self.mistakes]
        super().__init__("\n".join(lines))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, with a leading space; empty when nothing is near.

    >>> did_you_mean("random-florest", ["random-forest", "bagging"])
    " Did you mean 'random-forest'?"
    """
    names = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), list(names), n=1, cutoff=0.6)
    return f" Did you mean '{names[near[0]]}'?" if near else ""
