"""The site file: what machines cost here. YAML, since a person keeps it.

currency: EUR
per_hour:              # by card, or by class as `distml node start` names it; 'cpu' for a machine without one
  rtx-3090: 0.25
  NVIDIA A100-SXM4-40GB: 1.10
  cpu: 0.04
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distml.bench.record import Price
from distml.errors import Mistake, MistakesError
from distml.sweep.loading import read_mapping
from distml.sweep.mistakes import number_hint

DEFAULT = Path("site.yaml")
_KEYS = ("currency", "per_hour")


@dataclass(frozen=True)
class Site:
    """Prices an hour; `no_price` says why there is none for a device."""

    currency: str = ""
    per_hour: Mapping[str, float] = field(default_factory=dict)
    no_price: str = "no site file gives one (site.yaml, or --site FILE)"

    def price(self, names: Sequence[str]) -> Price | None:
        """The price of a device that goes by these names."""
        known = {name.casefold(): (name, amount) for name, amount in self.per_hour.items()}
        for name in names:
            if name.casefold() in known:
                device, amount = known[name.casefold()]
                return Price(per_hour=amount, currency=self.currency, device=device)
        return None


def read_site(path: Path | None) -> Site:
    """Read the site file; None: DEFAULT in this folder, where there is one.

    Raises:
        DistmlError: the named file cannot be read.
        MistakesError: all that is wrong in it.
    """
    if path is None and not DEFAULT.is_file():
        return Site()
    path = path or DEFAULT
    raw = read_mapping(path)
    found = [
        Mistake(str(key), f"unknown key; a site file has {' and '.join(_KEYS)}") for key in raw if key not in _KEYS
    ]
    currency, prices = raw.get("currency"), raw.get("per_hour")
    if not isinstance(currency, str) or not currency.strip():
        found.append(
            Mistake("currency", "missing: like EUR or USD" if currency is None else f"{currency!r} is no text")
        )
    if not isinstance(prices, Mapping) or not prices:
        found.append(Mistake("per_hour", "missing: a mapping of devices to prices an hour, like rtx-3090: 0.25"))
        prices = {}
    for device, amount in prices.items():
        good = (
            isinstance(amount, (int, float)) and not isinstance(amount, bool) and math.isfinite(amount) and amount > 0
        )
        if not good:
            found.append(Mistake(f"per_hour.{device}", f"{amount!r} is not a price above 0{number_hint(amount)}"))
    if found:
        raise MistakesError(path.name, found)
    named = {str(device): float(amount) for device, amount in prices.items()}
    return Site(str(currency).strip(), named, f"{path.name} has none for this device")
