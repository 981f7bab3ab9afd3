"""experiments/collect: a polite walk over the made site on loopback, and what cleaning brings back of the truth."""

import importlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.experiments.tables import EXPERIMENTS
from tests.running.command import distml, rows

FOLDER = EXPERIMENTS / "collect"
NAMES = ("robots", "pages", "crawl", "clean", "made_site")
OPEN = "User-agent: *\nDisallow: /private/\n"


@pytest.fixture(scope="module")
def collect() -> Iterator[Any]:
    """The folder's modules, which import one another by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    for name in NAMES:
        del sys.modules[name]


@pytest.fixture(scope="module")
def truth(collect: Any) -> pd.DataFrame:
    return collect.made_site.applications()


@pytest.fixture(scope="module")
def shown(collect: Any, truth: pd.DataFrame) -> pd.DataFrame:
    return collect.made_site.listed(truth)


def crawl(url: str, folder: Path, *options: str, expect: int | None = 0) -> str:
    command = [sys.executable, str(FOLDER / "crawl.py"), url, "--output", str(folder), "--delay", "0.005", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def fetcher(module: ModuleType, **bounds: Any) -> Any:
    return module.Fetcher("tester/1", 0.005, module.Bounds(**bounds))


@pytest.mark.parametrize(
    ("said", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /a", "/a/b", False),
        ("User-agent: *\nDisallow: /a", "/b", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b/c", False),  # the longest rule, not the first
        ("User-agent: *\nDisallow: /\nAllow: /a", "/a/b", True),
        ("User-agent: *\n\nDisallow: /a", "/a", False),  # an empty line ends nothing
        ("User-agent: *\nDisallow: /b\nUser-agent: *\nDisallow: /a", "/a", False),  # two groups are one
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf", False),
        ("User-agent: *\nDisallow: /a/*/b", "/c", True),
        ("User-agent: other\nUser-agent: tester\nDisallow: /", "/a", False),
        ("User-agent: tester\nDisallow:\nUser-agent: *\nDisallow: /", "/a", True),
        ("Disallow: /a", "/a", True),  # said to nobody
        ("<html>no such page</html>", "/a", True),
    ],
)
def test_robots_txt_is_obeyed(collect: Any, said: str, path: str, allowed: bool) -> None:
    assert collect.robots.read_rules(said, "tester/1").allowed(f"http://x{path}") is allowed


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("Crawl-delay: 3", 3), ("Crawl-delay: 0.4", 1), ("Request-rate: 1/5", 5), ("Crawl-delay: soon", 0), ("", 0)],
)
def test_robots_txt_says_how_long_to_wait(collect: Any, said: str, seconds: float) -> None:
    assert collect.robots.read_rules(f"User-agent: *\n{said}\nDisallow: /a", "tester").delay == seconds


def test_a_fetcher_waits_between_pages_and_longer_for_a_site_that_is_busy(collect: Any) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with collect.made_site.served({"/": "<p>", "/other": "<p>"}) as site:
        one = collect.crawl.Fetcher("tester/1", 2.0, collect.crawl.Bounds(), clock=lambda: now[0], sleep=sleep)
        for path in ("", "other", "busy"):
            one.get(site.url + path)
    assert slept == [2.0, 2.0, 2.0]  # the last before asking the busy page again, which says 1 s
    assert site.times("/busy") == 2


def test_a_walk_takes_each_page_once_and_keeps_to_its_host(
    collect: Any, shown: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: set[str] = set()
    lookup = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        asked_for.add(host)
        return lookup(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    content = collect.made_site.pages(shown.head(100), OPEN)
    with collect.made_site.served(content) as site, collect.crawl.Store(tmp_path) as store:
        one = fetcher(collect.crawl)
        rules = collect.crawl.site_rules(site.url, one)
        found = {url: page for url, page, _ in collect.crawl.walk(site.url, one, rules, store)}
    assert asked_for == {"127.0.0.1"}
    assert site.asked[0][1] == "/robots.txt"
    assert {agent for *_, agent in site.asked} == {"tester/1"}
    counts = Counter(path for _, path, _ in site.asked)
    assert counts.pop("/busy") == 2  # it said 503 the first time
    assert set(counts.values()) == {1}
    assert "/private/staff.html" not in counts
    assert {f"/list/{number}.html" for number in range(1, 6)} <= set(counts)
    assert site.asked[-1][0] - site.asked[0][0] > 0.0045 * (len(site.asked) - 1)
    notes = {url.removeprefix(site.url): page.note for url, page in found.items() if page.note}
    assert notes["gone"].startswith("404") and "bytes" in notes["huge"] and "not a page" in notes["photo"]
    assert found[f"{site.url}old"].leads_to == f"{site.url}list/1.html"
    assert len(collect.crawl.stored_pages(tmp_path)) == 7  # the first, five lists, the one that was busy


def test_a_walk_that_was_killed_goes_on_and_asks_for_no_page_again(
    collect: Any, shown: pd.DataFrame, tmp_path: Path
) -> None:
    shown = shown.head(300)
    with collect.made_site.served(collect.made_site.pages(shown, OPEN)) as site:
        command = [sys.executable, str(FOLDER / "crawl.py"), site.url, "--output", str(tmp_path), "--delay", "0.02"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while len(site.asked) < 10 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        under_way = site.asked[-1][1]
        kept = len(list(tmp_path.glob("*.json")))
        assert 5 < kept < 15
        said = crawl(site.url, tmp_path)
        assert f"{kept} were there" in said
        counts = Counter(path for _, path, _ in site.asked)
        before = len(site.asked)
        assert "0 pages asked for" in crawl(site.url, tmp_path)
        assert [path for _, path, _ in site.asked[before:]] == ["/robots.txt"]
    twice = {path for path, count in counts.items() if count > 1}
    assert twice <= {"/robots.txt", "/busy", under_way}
    table, _ = collect.clean.table_of(collect.crawl.stored_pages(tmp_path))
    listings = [dict(sorted(line.items())) for line in table.drop(columns="page").to_dict("records")]
    assert listings == [dict(sorted(line.items())) for line in shown.to_dict("records")]


def test_two_commands_do_not_collect_into_one_folder(collect: Any, tmp_path: Path) -> None:
    with collect.crawl.Store(tmp_path), pytest.raises(SystemExit, match="another command"):
        collect.crawl.Store(tmp_path)


@pytest.mark.parametrize("robots", [None, "User-agent: *\nDisallow: /"])
def test_nothing_is_asked_for_where_robots_txt_forbids_it_or_is_out_of_order(
    collect: Any, robots: str | None, tmp_path: Path
) -> None:
    content = {"/": "<p>", "/busy": ""} if robots is None else {"/": "<p>", "/robots.txt": robots}
    with collect.made_site.served(content) as site:
        if robots is None:
            site.broken.add("/robots.txt")
        said = crawl(site.url, tmp_path, expect=1)
        assert {path for _, path, _ in site.asked} == {"/robots.txt"}
    assert "robots.txt" in said


def test_a_site_without_robots_txt_is_open(collect: Any, tmp_path: Path) -> None:
    with collect.made_site.served({"/": '<a href="/a">'}) as site:
        crawl(site.url, tmp_path)
        assert [path for _, path, _ in site.asked] == ["/robots.txt", "/", "/a"]


def test_a_walk_is_bounded(collect: Any, tmp_path: Path) -> None:
    content = {"/": "".join(f'<a href="/{number}">' for number in range(50))}
    with collect.made_site.served(content) as site:
        assert "stopped at 5 pages" in crawl(site.url, tmp_path / "pages", "--pages", "5")
        assert len(site.asked) == 6
        content["/"] = "x" * 600_000 + '<a href="/1">'
        assert "stopped at 0.5 MiB" in crawl(site.url, tmp_path / "bytes", "--mib", "0.5")


def test_a_page_that_drips_is_given_up_and_asked_for_again_next_time(collect: Any, tmp_path: Path) -> None:
    """One that would take 100 s: a time-out between bytes alone would never end it."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n")
                while not done.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        one = fetcher(collect.crawl, seconds=0.4, attempts=1)
        start = time.monotonic()
        with pytest.raises(collect.crawl.NoAnswerError, match=r"not there after 0\.4 s"):
            one.get(f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert time.monotonic() - start < 3
        done.set()
        thread.join(5)


def test_links_and_rows_of_a_page(collect: Any) -> None:
    html = (
        '<base href="/deep/"><a href="a b?q=ü#x">1</a><a href=//other.example/c rel="nofollow">2</a>'
        '<a href="javascript:alert()">3</a><a href="http://[broken">4</a><script>"<a href=/no>"</script>'
        "<table><tr><th>name<th>x<tr><td>Ann &amp; <b>Bo</b><td>1\n 000</td></tr><tr><td>short</table>"
    )
    assert collect.pages.links(html, "http://h.example/") == ["http://h.example/deep/a%20b?q=%C3%BC"]
    assert collect.pages.rows(html) == ([{"name": "Ann & Bo", "x": "1 000"}], 1)


def test_cleaning_brings_back_the_truth_or_leaves_the_cell_empty(
    collect: Any, truth: pd.DataFrame, shown: pd.DataFrame
) -> None:
    cleaned, report = collect.clean.clean(shown)
    assert len(shown) == 1150 and len(cleaned) == 1000
    expected = truth.set_index("application").loc[cleaned["application"]].reset_index()
    expected["applied_on"] = expected["applied_on"].astype(str)
    for name in truth.columns:
        known = cleaned[name].notna()
        wanted = expected[name]
        if pd.api.types.is_numeric_dtype(wanted):
            assert (cleaned.loc[known, name].astype(float) == wanted[known]).all(), name
        else:
            assert (cleaned.loc[known, name] == wanted[known]).all(), name
        assert known.mean() > 0.9, name
    assert cleaned["creditability"].notna().all()

    counts: Counter[str] = Counter()
    for line in report:
        counts[line.problem.partition(":")[0]] += line.count
    words = collect.made_site.MISSING_WORDS
    features = shown.drop(columns=["application", "creditability"])
    assert counts["missing"] == int(features.isin(words).to_numpy().sum())
    assert counts["application listed again"] == 150
    digits = shown["age_in_years"].str.extract(r"^(-?\d+)")[0].astype(float)
    ages = next(line for line in report if line.problem.startswith("impossible") and line.column == "age_in_years")
    assert ages.count == int(digits.isin([0, 7, 199]).sum()) > 10
    assert "listings that contradict each other" not in counts and "does not read" not in counts


def test_listings_that_contradict_each_other_are_told(collect: Any, shown: pd.DataFrame) -> None:
    pair = shown.head(1).assign(housing="", credit_amount="DM 1,000")
    other = pair.assign(credit_amount="2000", housing="own")
    nameless = pair.assign(application="?")
    cleaned, report = collect.clean.clean(pd.concat([pair, other, nameless], ignore_index=True))
    assert cleaned[["credit_amount", "housing"]].to_numpy().tolist() == [[1000.0, "own"]]
    told = {(line.problem, line.column): line.count for line in report}
    assert told["listings that contradict each other", "credit_amount"] == 1
    assert told["no number of the application", ""] == 1
    assert told["missing in one listing", ""] == 1


@pytest.mark.long
def test_both_tables_are_swept(tmp_path: Path) -> None:
    made = [sys.executable, str(FOLDER / "collect.py"), "--output", str(tmp_path), "--delay", "0.01"]
    said = subprocess.run(made, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "1,150 rows as they stand, 1,000 cleaned" in said
    grouped = {"raw": ["data.drop=[page]", "data.group=application"], "clean": []}
    for name, more in grouped.items():
        settings = [f"data.source={tmp_path / name}.csv.gz", "budget.trials=3", "split.folds=2", *more]
        options = [word for setting in settings for word in ("--set", setting)]
        distml(tmp_path, "sweep", str(FOLDER / f"{name}.yaml"), "--no-export", *options)
        found = rows(tmp_path, f"collect-{name}")
        assert [row["state"] for row in found] == ["finished"] * 3
        assert found[0]["score"] > 0.65
