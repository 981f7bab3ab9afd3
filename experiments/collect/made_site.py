"""A small site to collect from: pages made of the German credit table's real rows, with faults put in on purpose.

    python experiments/collect/made_site.py --port 8000        # on this machine's loopback alone

What is real: 1,000 applicants, 20 columns, good or bad. What is made up: the applications' numbers, the dates
(drawn from two years, without regard to anything else), and every fault, all from one seed:

- a share of the applications is listed a second time, on another page, written down anew
- cells are missing, each as one of six words
- amounts, durations and ages that cannot be: 99,999,999 DM, 999 months, 7 years old
- amounts with and without currency, with thousands' commas, points or none; durations in months or years
- dates in four ways of writing, one of which does not tell day from month
- categories in capitals, in Title Case, with a full stop behind them

The target itself is left as it is, so that scores compare.
"""

import argparse
import html
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

TABLE = Path(__file__).parents[1] / "credit_german" / "credit_german.csv.gz"
TARGET = "creditability"
NUMBERS = ("credit_amount", "duration_in_month", "age_in_years")
PER_PAGE = 23
ROBOTS = "User-agent: *\nDisallow: /private/\nCrawl-delay: 1\n"

AGAIN = 0.15  # applications that are listed twice
MISSING = 0.04  # cells of every column
IMPOSSIBLE = 0.03  # cells of each column of numbers
ODD_SPELLING = 0.10  # cells of each column of categories
MISSING_WORDS = ("", "n/a", "-", "?", "unknown", "not stated")
CANNOT_BE = {
    "credit_amount": ("0", "-1", "99999999"),
    "duration_in_month": ("0", "999"),
    "age_in_years": ("0", "7", "199"),
}
_DAYS = 730
_FIRST_DAY = np.datetime64("1993-01-01")


def applications(seed: int = 0, table: Path = TABLE) -> pd.DataFrame:
    """The truth behind the pages: the real rows with a number and a date of our own making."""
    frame = pd.read_csv(table)
    random = np.random.default_rng(seed)
    frame.insert(0, "applied_on", _FIRST_DAY + random.integers(0, _DAYS, len(frame)))
    frame.insert(0, "application", [f"A{number:05d}" for number in random.permutation(90_000)[: len(frame)] + 10_000])
    return frame


def listed(truth: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What the pages show: texts, faults and all; one row a listing, in the order of the pages."""
    random = np.random.default_rng(seed + 1)
    first, again = random.permutation(len(truth)), random.permutation(len(truth))
    order = np.concatenate([first, again[: round(AGAIN * len(truth))]])
    shown = truth.iloc[order].reset_index(drop=True)
    texts = {"application": shown["application"].tolist()}
    for name in shown.columns[1:]:
        texts[name] = [_written(name, cell, random) for cell in shown[name]]
    return pd.DataFrame(texts)


def _written(name: str, cell: object, random: np.random.Generator) -> str:
    """One cell as the site writes it."""
    if name == TARGET:
        return str(cell)
    if random.random() < MISSING:
        return str(random.choice(MISSING_WORDS))
    if name in CANNOT_BE and random.random() < IMPOSSIBLE:
        cell = int(random.choice(CANNOT_BE[name]))
    write = _WRITERS.get(name)
    if write is not None:
        return write(cell, random)
    if isinstance(cell, str) and random.random() < ODD_SPELLING:
        return str(random.choice([cell.upper(), cell.title(), f"{cell}."]))
    return str(cell)


def _amount(cell: int, random: np.random.Generator) -> str:
    points = f"{cell:,}".replace(",", ".")
    ways = [f"{cell}", f"DM {cell:,}", f"{points} DM", f"{points},00 DM", f"{cell:,}.00"]
    return str(random.choice(ways, p=[0.4, 0.2, 0.2, 0.1, 0.1]))


def _duration(cell: int, random: np.random.Generator) -> str:
    way = random.choice(3, p=[0.5, 0.3, 0.2])
    if way == 2 and cell % 6 == 0:
        return f"{cell / 12:g} years"
    return f"{cell} months" if way == 1 else f"{cell}"


def _age(cell: int, random: np.random.Generator) -> str:
    return f"{cell} years" if random.random() < 0.3 else f"{cell}"


def _date(cell: pd.Timestamp, random: np.random.Generator) -> str:
    return cell.strftime(str(random.choice(["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%m/%d/%Y"], p=[0.5, 0.25, 0.15, 0.1])))


_WRITERS: dict[str, Callable[..., str]] = {
    "credit_amount": _amount, "duration_in_month": _duration, "age_in_years": _age, "applied_on": _date,
}  # fmt: skip


def pages(shown: pd.DataFrame, robots: str = ROBOTS) -> dict[str, str]:
    """Path -> page. Cells and rows lack some of their end tags, as on many real pages."""
    count = -(-len(shown) // PER_PAGE)
    found = {"/robots.txt": robots, "/private/staff.html": "<p>nobody's business"}
    listings = " ".join(f'<a href="/list/{number}.html">{number}</a>' for number in range(1, count + 1))
    traps = (
        '<a href="/private/staff.html">staff</a> <a href="http://elsewhere.invalid/">partners</a> '
        '<a href="/away">moved</a> <a href="/old">old</a> <a href="/gone">gone</a> <a href="/huge">all in one</a> '
        '<a href="/photo">photo</a> <a href="/busy">busy</a> <a href="mailto:me@bank.invalid">mail</a> '
        '<a href="/list/1.html#top">top</a>'
    )
    found["/"] = f"<!doctype html><title>Applications</title><p>{listings}<p>{traps}"
    header = "".join(f"<th>{html.escape(name)}" for name in shown.columns)
    for number in range(1, count + 1):
        part = shown.iloc[(number - 1) * PER_PAGE : number * PER_PAGE]
        lines = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "\n"
            for line in part.itertuples(index=False)
        )
        following = f'<a href="{number + 1}.html">next</a>' if number < count else ""
        found[f"/list/{number}.html"] = f"<!doctype html><table><tr>{header}</tr>\n{lines}</table>{following}"
    return found


@dataclass
class Site:
    """A site that is being served.

    asked: (seconds, path, user agent) of every request so far; broken: pages that fail
    """

    url: str
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[float, str, str]] = field(default_factory=list)

    def times(self, path: str) -> int:
        """How often a page was asked for."""
        return sum(path == one for _, one, _ in self.asked)


@contextmanager
def served(content: dict[str, str], port: int = 0) -> Iterator[Site]:
    """The pages on this machine's loopback, at a free port; beside them redirects, a page too large, a busy one, ..."""
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            site.asked.append((time.monotonic(), path, self.headers.get("User-Agent", "")))
            status, headers, body = _answer(site, content, path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # who asked has had enough
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(site: Site, content: dict[str, str], path: str) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body)."""
    page = {"Content-Type": "text/html; charset=utf-8"}
    if path in site.broken:
        return 500, page, b""
    if path in content:
        kind = {"Content-Type": "text/plain; charset=utf-8"} if path == "/robots.txt" else page
        return 200, kind, content[path].encode()
    if path == "/away":
        return 302, {"Location": "http://elsewhere.invalid/moved"}, b""
    if path == "/old":
        return 301, {"Location": "/list/1.html"}, b""
    if path == "/huge":
        return 200, page, b"x" * (3 * 2**20)
    if path == "/photo":
        return 200, {"Content-Type": "image/png"}, b"\x89PNG"
    if path == "/busy":
        busy = site.times(path) == 1  # the first time it is asked
        return (503, {"Retry-After": "1", **page}, b"") if busy else (200, page, b"<p>at last")
    return 404, page, b"<p>no such page"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with served(pages(listed(applications(args.seed), args.seed)), args.port) as site:
        print(f"{site.url}   Ctrl-C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
