"""What a site's robots.txt allows, by urllib.robotparser, and never laxer than what it says."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.robotparser import RobotFileParser

_SPOKEN = ("allow", "disallow", "crawl-delay", "request-rate")
_WILDCARD = re.compile(r"[*$]")


@dataclass(frozen=True)
class Rules:
    """allowed: whether a page may be asked for; delay: seconds between two pages, 0 where the site names none."""

    allowed: Callable[[str], bool]
    delay: float


def read_rules(text: str, agent: str) -> Rules:
    """The rules for one user agent."""
    parser = RobotFileParser()
    parser.parse(stricter(text))
    delay = float(parser.crawl_delay(agent) or 0)
    rate = parser.request_rate(agent)
    if rate is not None:
        delay = max(delay, rate.seconds / rate.requests)
    return Rules(lambda url: parser.can_fetch(agent, url), delay)


def stricter(text: str) -> list[str]:
    """robots.txt in the lines that urllib.robotparser understands.

    The parser takes the first rule that fits where RFC 9309 takes the longest, the first of several groups for one
    agent where it takes all, ends a group at an empty line, and knows neither wildcards nor fractions of a second. So
    groups are joined, the longest rule comes first, a Disallow ends before its first wildcard (which forbids more), an
    Allow with one is left out, and of several delays the longest holds, rounded up.

    >>> stricter("User-agent: *\\nAllow: /a\\n\\nDisallow: /a/*.pdf\\nCrawl-delay: 0.2")
    ['User-agent: *', 'Disallow: /a/', 'Allow: /a', 'Crawl-delay: 1']
    """
    lines = []
    for agent, said in _groups(text).items():
        rules = sorted(
            (rule for key, value in said if (rule := _rule(key, value)) is not None),
            key=lambda rule: (-len(rule[1]), rule[0] == "Disallow"),
        )
        lines += [f"User-agent: {agent}", *(f"{key}: {path}" for key, path in rules)]
        delays = [math.ceil(float(value)) for key, value in said if key == "crawl-delay" and _is_number(value)]
        lines += [f"Crawl-delay: {max(delays)}"] if delays else []
        lines += [f"Request-rate: {value}" for key, value in said if key == "request-rate"]
    return lines


def _groups(text: str) -> dict[str, list[tuple[str, str]]]:
    """agent -> all that is said to it, in lower-case keys."""
    groups: dict[str, list[tuple[str, str]]] = {}
    agents: list[str] = []
    said = True
    for line in text.splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            agents = [value.lower()] if said else [*agents, value.lower()]
            said = False
            groups.setdefault(value.lower(), [])
        elif key in _SPOKEN:
            said = True
            for agent in agents:
                groups[agent].append((key, value))
    return groups


def _rule(key: str, value: str) -> tuple[str, str] | None:
    """('Allow' or 'Disallow', a path without wildcards); None for what is left out."""
    if key not in ("allow", "disallow"):
        return None
    found = _WILDCARD.search(value)
    if found is None:
        return key.capitalize(), value
    return None if key == "allow" else ("Disallow", value[: found.start()] or "/")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d*)?|\.\d+", text) is not None
