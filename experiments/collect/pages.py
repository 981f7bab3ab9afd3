"""What an HTML page holds for a table: its links, and the rows of its tables."""

import re
from html.parser import HTMLParser
from urllib.parse import quote, urldefrag, urljoin, urlsplit, urlunsplit

_BLANKS = re.compile(r"\s+")
_PORTS = {"http": 80, "https": 443}
_PLAIN = "/%:@!$&'()*+,;=?~[]"  # what stays as it is in an address, beside letters and digits


class _Page(HTMLParser):
    """Collects links and tables. End tags of cells and rows may be missing, as HTML allows; tables may be nested."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base: str | None = None
        self.hrefs: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._open: list[list[list[str]]] = []  # tables, the innermost last
        self._in_cell: list[bool] = []
        self._silent = 0  # within script or style
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given and "nofollow" not in given.get("rel", "").lower().split():
            self.hrefs.append(given["href"])
        elif tag == "base" and self.base is None:
            self.base = given.get("href")
        elif tag in ("script", "style"):
            self._silent += 1
        elif tag == "table":
            self.tables.append([])
            self._open.append(self.tables[-1])
            self._in_cell.append(False)
        elif self._open and tag == "tr":
            self._open[-1].append([])
            self._in_cell[-1] = False
        elif self._open and tag in ("td", "th"):
            if not self._open[-1]:
                self._open[-1].append([])
            self._open[-1][-1].append("")
            self._in_cell[-1] = True
        elif tag == "br":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent = max(0, self._silent - 1)
        elif self._open and tag == "table":
            self._open.pop()
            self._in_cell.pop()
        elif self._open and tag in ("td", "th", "tr"):
            self._in_cell[-1] = False

    def handle_data(self, data: str) -> None:
        if self._open and self._in_cell[-1] and not self._silent:
            self._open[-1][-1][-1] += data


def links(html: str, url: str) -> list[str]:
    """Where a page leads, as whole addresses without fragments, each once; without those marked nofollow."""
    page = _Page(html)
    base = (normal(page.base, url) if page.base else None) or url
    found = [normal(href.strip(), base) for href in page.hrefs]
    return list(dict.fromkeys(address for address in found if address is not None))


def normal(url: str, base: str = "") -> str | None:
    """One spelling for each address, as it stands on the page `base`; None for what is no page of the web.

    >>> normal("HTTP://Example.org:80#top"), normal("mailto:me@example.org")
    ('http://example.org/', None)
    """
    try:
        parts = urlsplit(urldefrag(urljoin(base, url)).url)
        port = parts.port
    except ValueError:  # a port that is no number, a broken IPv6 address
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    path, query = (quote(part, safe=_PLAIN) for part in (parts.path or "/", parts.query))
    return urlunsplit((parts.scheme, where, path, query, ""))


def rows(html: str) -> tuple[list[dict[str, str]], int]:
    """(rows of all tables of a page, how many were left out for having more or fewer cells than the header).

    The first row of a table names its columns. Cells are texts, blanks drawn together.
    """
    found, ragged = [], 0
    for table in _Page(html).tables:
        lines = [[_BLANKS.sub(" ", cell).strip() for cell in line] for line in table if line]
        for line in lines[1:]:
            if len(line) == len(lines[0]):
                found.append(dict(zip(lines[0], line, strict=True)))
            else:
                ragged += 1
    return found, ragged
