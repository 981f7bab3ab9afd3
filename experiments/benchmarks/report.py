"""The report of a large sweep: how long it takes to make, how large it is, how soon it opens in a real browser.

    make bench-report

Each opening is a new browser with an empty cache. 'shown': until the load event, after which the page can be read and
scrolled; 'first chart': until the first chart in view is drawn as well.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from measuring import machine, spread

import distml
from tests.browser import Page, chromium
from tests.report.html.large import write_large_sweep

_DRAWN = "document.querySelector('.plot[data-state=drawn]') !== null"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_large_sweep(Path(folder), asked.trials)
        began = time.monotonic()
        path = distml.load("large", folder).report().save(Path(folder) / "report.html")
        making = time.monotonic() - began
        shown, first = zip(*(opened(path) for _ in range(asked.repeats)), strict=True)
        figures = {
            "trials": asked.trials,
            "making_s": round(making, 1),
            "size_mib": round(path.stat().st_size / 2**20, 2),
            "shown_s": spread(list(shown)),
            "first_chart_s": spread(list(first)),
        }
    print(json.dumps({**machine(), **figures}, indent=2))


def opened(path: Path) -> tuple[float, float]:
    """Seconds until the page is shown, and until its first chart is drawn."""

    async def look(page: Page) -> tuple[float, float]:
        began = time.monotonic()
        await page.ask("document.querySelector('.plot').scrollIntoView({behavior: 'instant'})")
        while not await page.ask(_DRAWN):
            pass
        return page.load_seconds, page.load_seconds + time.monotonic() - began

    with chromium() as browser:
        seconds: tuple[float, float] = browser.look(path, look)
    return seconds


if __name__ == "__main__":
    main()
