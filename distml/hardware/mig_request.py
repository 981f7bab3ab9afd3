"""What `distml mig plan` is asked: for which cards, and by which figures."""

import re
from collections.abc import Callable, Sequence

from distml.errors import DistmlError, Mistake, MistakesError, did_you_mean
from distml.hardware.devices import Inventory
from distml.hardware.mig import CARDS, Card, Plan, best_for_needs, best_for_throughput, find_card, recognise_card

_NUMBER = r"\d+(?:\.\d+)?"


def plans(inventory: Inventory, card: str | None, throughput: str, needs: str) -> list[tuple[Plan, tuple[int, ...]]]:
    """A plan for each model of card, and the numbers of those cards on this machine (none for a card that was named).

    Exactly one of throughput ('1g.5gb=10,7g.40gb=38') and needs ('4GiB,9GiB') is given, the other is empty.
    Raises DistmlError, all mistakes at once.
    """
    if bool(throughput) == bool(needs):
        raise DistmlError("give either --throughput '1g.5gb=10,7g.40gb=38' or --needs '4GiB,9GiB'")
    cards: list[tuple[Card, tuple[int, ...]]] = [(find_card(card), ())] if card else cards_here(inventory)
    choose = _by_throughput(throughput, [one for one, _ in cards]) if throughput else _by_needs(needs)
    return [(choose(one), indices) for one, indices in cards]


def cards_here(inventory: Inventory) -> list[tuple[Card, tuple[int, ...]]]:
    """The models of card on this machine whose layouts are known, with the cards' numbers."""
    found: dict[str, tuple[Card, tuple[int, ...]]] = {}
    for device in inventory.cards:
        card = recognise_card(device.name, device.memory_mib or 0)
        if card is not None:
            found[card.name] = (card, (*found.get(card.name, (card, ()))[1], device.index))
    if found:
        return list(found.values())
    there = inventory.reason or f"{', '.join(sorted({card.name for card in inventory.cards}))}: no MIG known of it"
    names = ", ".join(card.name for card in CARDS)
    raise DistmlError(f"{there}; name a card with --card: {names}")


def _by_throughput(text: str, cards: Sequence[Card]) -> Callable[[Card], Plan]:
    known = list(dict.fromkeys(profile.name for card in cards for profile in card.profiles))
    mistakes: list[Mistake] = []
    throughput: dict[str, float] = {}
    for part in _parts(text):
        name, sign, figure = (word.strip() for word in part.partition("="))
        if not sign or not re.fullmatch(_NUMBER, figure):
            mistakes.append(Mistake("--throughput", f"{part!r} is not PROFILE=NUMBER, like 1g.5gb=10"))
        elif name not in known:
            what = f"unknown profile {name!r}.{did_you_mean(name, known)} All: {', '.join(known)}"
            mistakes.append(Mistake("--throughput", what))
        elif name in throughput:
            what = f"{part!r}: {name} is given twice, {throughput[name]:g} before; keep one of them"
            mistakes.append(Mistake("--throughput", what))
        elif float(figure) == 0:
            what = f"{part!r}: a throughput is above 0; leave out a profile on which nothing was measured"
            mistakes.append(Mistake("--throughput", what))
        else:
            throughput[name] = float(figure)
    if mistakes:
        raise MistakesError("mig plan", mistakes)

    def choose(card: Card) -> Plan:
        return best_for_throughput(
            card, {profile.name: throughput[profile.name] for profile in card.profiles if profile.name in throughput}
        )

    return choose


def _by_needs(text: str) -> Callable[[Card], Plan]:
    mistakes, needs = [], []
    for part in _parts(text):
        found = re.fullmatch(rf"({_NUMBER})\s*GiB", part)
        if found and float(found[1]) > 0:
            needs.append(float(found[1]))
        elif found:
            what = f"{part!r}: a need is above 0GiB; leave out what needs no slice"
            mistakes.append(Mistake("--needs", what))
        else:
            mistakes.append(Mistake("--needs", f"{part!r} is not a size, like 4GiB"))
    if mistakes:
        raise MistakesError("mig plan", mistakes)
    return lambda card: best_for_needs(card, needs)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
