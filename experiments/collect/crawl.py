"""Walks one site politely and keeps its pages: asks robots.txt, waits between pages, stays on its host, within bounds.

    python experiments/collect/crawl.py http://127.0.0.1:8000/ --output runs/collect/pages

Each page is one file, written whole or not at all, and a page that is there is not asked for again: the same command
goes on after Ctrl-C or kill -9. The one page that was under way then may be asked for a second time. What did not
answer is tried again by the same command. Redirects count as links: they too stay on the host and within robots.txt.
"""

import argparse
import fcntl
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urljoin, urlsplit

from pages import links, normal
from robots import Rules, read_rules

AGENT = "distml-collect/1"
_CHUNK = 2**16
_ROBOTS_BYTES = 500 * 2**10  # as much as RFC 9309 asks a reader to take
_ROBOTS_REDIRECTS = 5
_LONGEST_WAIT = 60.0  # seconds, that a busy site may ask for before the page is given up
_NOBODY = Rules(lambda url: False, 0.0)
_EVERYBODY = Rules(lambda url: True, 0.0)


@dataclass(frozen=True)
class Bounds:
    """What a walk takes at most; earlier runs of the same command count.

    seconds: for an answer, and again for the whole of a page
    """

    pages: int = 1_000
    page_bytes: int = 2 * 2**20
    total_bytes: int = 200 * 2**20
    seconds: float = 20.0
    attempts: int = 3


@dataclass(frozen=True)
class Page:
    """One answer. text: empty where `note` says why there is none; leads_to: of a redirect."""

    url: str
    status: int
    text: str = ""
    leads_to: str | None = None
    note: str = ""


class NoAnswerError(Exception):
    """A page could not be had this time; the message says why."""


class Fetcher:
    """Asks for one page at a time, never sooner than `delay` seconds after the last."""

    def __init__(
        self, agent: str, delay: float, bounds: Bounds, *, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.agent, self.delay, self.bounds = agent, delay, bounds
        self._clock, self._sleep = clock, sleep
        self._next = clock()

    def get(self, url: str, most: int | None = None) -> Page:
        """One page, of at most so many bytes; a busy or silent site is asked again, later and later.

        Raises:
            NoAnswerError: it stayed busy or silent.
        """
        reason = ""
        for attempt in range(self.bounds.attempts):
            self._wait()
            try:
                return self._ask(url, most or self.bounds.page_bytes)
            except _BusyError as error:
                reason, wait = str(error), error.wait
            except (OSError, http.client.HTTPException) as error:
                reason, wait = f"{type(error).__name__}: {error}", 0.0
            if wait > _LONGEST_WAIT:
                raise NoAnswerError(f"{reason}, and asks for {wait:.0f} s of patience")
            self._next = max(self._next, self._clock() + max(wait, self.delay * 2**attempt))
        raise NoAnswerError(reason)

    def _wait(self) -> None:
        left = self._next - self._clock()
        if left > 0:
            self._sleep(left)
        self._next = self._clock() + self.delay

    def _ask(self, url: str, most: int) -> Page:
        request = urllib.request.Request(url, headers={"User-Agent": self.agent, "Accept": "text/html,text/plain"})
        try:
            with _opener(url).open(request, timeout=self.bounds.seconds) as answer:
                return self._read(url, answer, most)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 429 or error.code >= 500:
                    raise _BusyError(error.code, error.headers.get("Retry-After", "")) from None
                to = error.headers.get("Location")
                leads_to = normal(to, url) if to and 300 <= error.code < 400 else None
                return Page(url, error.code, leads_to=leads_to, note=f"{error.code} {error.reason}")

    def _read(self, url: str, answer: http.client.HTTPResponse, most: int) -> Page:
        kind = answer.headers.get_content_type()
        if kind not in ("text/html", "application/xhtml+xml", "text/plain"):
            return Page(url, answer.status, note=f"{kind}, not a page")
        end, parts, size = self._clock() + self.bounds.seconds, [], 0
        while part := answer.read1(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > most:
                return Page(url, answer.status, note=f"more than {most:,} bytes")
            if self._clock() > end:
                raise TimeoutError(f"not there after {self.bounds.seconds:g} s")
        coding = answer.headers.get_content_charset() or "utf-8"
        try:
            return Page(url, answer.status, b"".join(parts).decode(coding, errors="replace"))
        except LookupError:
            return Page(url, answer.status, note=f"unknown character set {coding!r}")


class Store:
    """A folder with a file for each page, held by one command at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise SystemExit(f"another command is collecting into {folder}; end it, or name another --output") from None
        self._count = len(list(folder.glob("*.json")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def get(self, url: str) -> Page | None:
        path = self._path(url)
        if not path.exists():
            return None
        held = json.loads(path.read_text())
        held.pop("place")
        return Page(**held)

    def put(self, page: Page) -> None:
        path = self._path(page.url)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"place": self._count, **asdict(page)}))
        partial.replace(path)
        self._count += 1

    def _path(self, url: str) -> Path:
        return self.folder / f"{sha256(url.encode()).hexdigest()[:32]}.json"


def stored_pages(folder: Path) -> list[Page]:
    """All pages of a folder that have a text, in the order in which they came."""
    held = sorted((json.loads(path.read_text()) for path in folder.glob("*.json")), key=lambda page: page.pop("place"))
    return [page for page in (Page(**fields) for fields in held) if page.text]


def site_rules(start: str, fetcher: Fetcher) -> Rules:
    """What the site's robots.txt says: without one (404) all is allowed; forbidden or out of order, nothing is.

    Raises:
        NoAnswerError: it cannot be had, so nothing may be asked for.
    """
    url = urljoin(start, "/robots.txt")
    for _ in range(_ROBOTS_REDIRECTS):
        page = fetcher.get(url, _ROBOTS_BYTES)
        if page.status == 200 and not page.note:
            return read_rules(page.text, fetcher.agent)
        if page.leads_to is None or origin(page.leads_to) != origin(start):
            break
        url = page.leads_to
    if page.status in (401, 403):
        return _NOBODY
    if 400 <= page.status < 500:
        return _EVERYBODY
    raise NoAnswerError(f"{url}: {page.note or page.status}")


def origin(url: str) -> tuple[str, str]:
    """What a walk never leaves: (scheme, host and port)."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def walk(start: str, fetcher: Fetcher, rules: Rules, store: Store) -> Iterator[tuple[str, Page | NoAnswerError, bool]]:
    """Breadth first from `start`: (address, its page or why there is none, whether it was there already)."""
    waiting, known = deque([start]), {start}
    bounds, pages, size = fetcher.bounds, 0, 0
    while waiting and pages < bounds.pages and size < bounds.total_bytes:
        url = waiting.popleft()
        if not rules.allowed(url):
            continue
        pages += 1
        page = store.get(url)
        there = page is not None
        if page is None:
            try:
                page = fetcher.get(url)
            except NoAnswerError as error:
                yield url, error, False
                continue
            store.put(page)
        size += len(page.text)
        for link in [page.leads_to] if page.leads_to else links(page.text, url):
            if link not in known and origin(link) == origin(start):
                known.add(link)
                waiting.append(link)
        yield url, page, there


class _BusyError(Exception):
    """The site asks for patience. wait: seconds, 0 where it does not say how many."""

    def __init__(self, code: int, retry_after: str) -> None:
        super().__init__(f"the site answers {code}")
        self.wait = float(retry_after) if retry_after.isdigit() else 0.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other, so that it cannot lead to where the walk may not go."""

    def redirect_request(self, *_: object) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    here = urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")  # no proxy could reach this machine's own site
    return urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({} if here else None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", help="the first page, http or https")
    parser.add_argument("--output", type=Path, default=Path("runs/collect/pages"))
    parser.add_argument("--agent", default=AGENT, help="who asks; say how to reach you: 'mine/1 (+mailto:me@here)'")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds between pages, at least; robots.txt may add")
    parser.add_argument("--pages", type=int, default=Bounds.pages, help="at most")
    parser.add_argument("--mib", type=float, default=Bounds.total_bytes / 2**20, help="of text, at most")
    parser.add_argument("--seconds", type=float, default=Bounds.seconds, help="for a page, at most")
    args = parser.parse_args()
    start = normal(args.start)
    if start is None:
        parser.error(f"{args.start!r} is no address of a page: give one like http://127.0.0.1:8000/")
    bounds = Bounds(args.pages, total_bytes=round(args.mib * 2**20), seconds=args.seconds)
    fetcher = Fetcher(args.agent, args.delay, bounds)
    try:
        with Store(args.output) as store:
            sys.exit(_collect(start, fetcher, store))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on")
        sys.exit(130)


def _collect(start: str, fetcher: Fetcher, store: Store) -> int:
    try:
        rules = site_rules(start, fetcher)
    except NoAnswerError as error:
        print(f"robots.txt cannot be read, so nothing is asked for: {error}")
        return 1
    if not rules.allowed(start):
        print(f"robots.txt does not allow {start}")
        return 1
    fetcher.delay = max(fetcher.delay, rules.delay)
    fresh = there = failed = size = 0
    for url, page, was_there in walk(start, fetcher, rules, store):
        if isinstance(page, NoAnswerError):
            failed += 1
            print(f"no answer   {url}: {page}", flush=True)
            continue
        fresh, there, size = fresh + (not was_there), there + was_there, size + len(page.text)
        if not was_there:
            print(f"{page.note or len(page.text):<11} {url}", flush=True)
    bounds = fetcher.bounds
    if fresh + there + failed >= bounds.pages:
        print(f"stopped at {bounds.pages:,} pages; --pages takes more")
    elif size >= bounds.total_bytes:
        print(f"stopped at {bounds.total_bytes / 2**20:g} MiB; --mib takes more")
    again = f", {failed} without an answer: the same command tries them again" if failed else ""
    print(f"{fresh} pages asked for, {there} were there{again}; {fetcher.delay:g} s between two")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
