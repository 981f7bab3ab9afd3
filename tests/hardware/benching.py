"""What a bench sees of the stand-in's machine, in its process."""

import time

from distml.bench.conditions import busy_card, marks
from distml.bench.machine import card_of, choose_subject, describe
from distml.bench.site import Site
from distml.bench.watch import CardWatch
from distml.hardware.devices import list_devices


def subject(asked=None, visible=None):
    """Which device would be measured."""
    return choose_subject(list_devices(), 16, lambda card: None, asked, visible)


def described(site=None, asked=None):
    """The machine as its record would name it."""
    inventory = list_devices()
    return describe(choose_subject(inventory, 16, lambda card: None, asked), inventory, site or Site())


def watched(seconds):
    """What is known of the card after watching it: (before, its marks, what held it back, its use)."""
    inventory = list_devices()
    chosen = choose_subject(inventory, 16, lambda card: None)
    watch = CardWatch(card_of(chosen, inventory).uuid)
    try:
        before = watch.idle(chosen.slices)
        start = time.time()
        time.sleep(seconds)
        use = watch.use(start, time.time())
        said = marks(describe(chosen, inventory, Site()), before, [], watch.slowed_by, None, [])
        return busy_card(before), said, use
    finally:
        watch.close()
