"""What the card did while an arm ran, read from the side: power, utilisation, memory, and whether it was held back."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from distml.hardware.attribution import Board, Occupancy, attribute
from distml.hardware.samples import DeviceSample, Sample
from distml.hardware.telemetry import Sampler

_PERIOD_SECONDS = 0.5
_LATE_SECONDS = 3.0  # that one waits for the sample after a stretch
_SLOWED = ("hardware slowdown", "temperature (software)", "temperature (hardware)", "power brake")


@dataclass(frozen=True)
class CardUse:
    """A stretch of time on a card. What is not known is None, and `missing` says why."""

    power_w: float | None = None
    utilisation: float | None = None
    peak_memory_mib: float | None = None
    missing: dict[str, str] = field(default_factory=dict)


class CardWatch:
    """Samples a card twice a second, in a thread of its own, until it is closed."""

    def __init__(self, card: str, sampler: Sampler | None = None) -> None:
        """card: UUID; of a card that is cut, the card and not a slice."""
        self._card = card
        self._sampler = sampler or Sampler()
        self._samples: list[Sample] = [self._sampler.sample()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="distml-bench-watch", daemon=True)
        self.before = self._device(self._samples[0])
        self._thread.start()

    def use(self, start: float, end: float) -> CardUse:
        """What the card did between two moments (Unix seconds); waits until the second one has been sampled."""
        latest = time.monotonic() + _LATE_SECONDS
        while self._samples[-1].time < end and time.monotonic() < latest:
            time.sleep(_PERIOD_SECONDS / 4)
        return card_use(tuple(self._samples), self._card, start, end, self.before.memory_used_mib or 0.0)

    def idle(self, slices: Sequence[str]) -> DeviceSample:
        """The card before anything of ours ran; of one that is cut, with the processes of its slices."""
        if not slices:
            return self.before
        on_slices = [one.processes or () for one in self._samples[0].devices if one.uuid in slices]
        return replace(self.before, processes=tuple(process for some in on_slices for process in some))

    @property
    def slowed_by(self) -> list[str]:
        """Why the card's clocks were held back at any time, but for its ordinary power limit."""
        seen = (reason for sample in tuple(self._samples) for reason in self._device(sample).throttled_by or ())
        return [reason for reason in dict.fromkeys(seen) if reason in _SLOWED]

    def close(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()
        self._sampler.close()

    def _device(self, sample: Sample) -> DeviceSample:
        found = (one for one in sample.devices if one.uuid == self._card)
        return next(found, DeviceSample.gap(self._card, sample.gap or "it was not there"))

    def _read(self) -> None:
        while not self._ended.wait(_PERIOD_SECONDS):
            self._samples.append(self._sampler.sample())


def card_use(samples: Sequence[Sample], card: str, start: float, end: float, idle_mib: float) -> CardUse:
    """The mean power, the mean utilisation and the most memory of a card between two moments.

    idle_mib: what was taken of its memory before anything of ours ran.
    """
    stretch = Occupancy("arm", card, start, end)
    cost = attribute(samples, [stretch], {card: Board(card, 1.0)})["arm"]
    names = {"energy_j": "power_w"}
    return CardUse(
        power_w=None if cost.energy_j is None else cost.energy_j / (end - start),
        utilisation=cost.utilisation,
        peak_memory_mib=None if cost.peak_memory_mib is None else max(0.0, cost.peak_memory_mib - idle_mib),
        missing={names.get(name, name): reason for name, reason in cost.missing.items()},
    )
