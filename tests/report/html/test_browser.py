"""Reports in a real browser: offline, in light and dark, on a phone, by keyboard. Needs Chromium."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import distml
from tests.browser import Browser, Page, chromium
from tests.report.html.large import write_large_sweep
from tests.report.html.scored import write_scored_sweep
from tests.report.sweeps import EVENTS, write_sweep

pytestmark = pytest.mark.long
EVIL = (
    "</script><img src=x onerror=window.pwned=1><b onmouseover=window.pwned=1>b</b><a href='javascript:pwned=1'>a</a>"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    folder = write_scored_sweep(runs, 120)
    return distml.load("german", runs).report(sensitive="age_in_years").save(folder.report)


async def undisturbed(page: Page, at: Path) -> dict[str, str]:
    """Every chart that is shown, drawn; nothing else asked for, nothing complained of."""
    states = await page.draw_all()
    assert page.complaints == []
    assert page.requests == [at.as_uri()]
    return states


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["wide and light", "phone and dark"])
def test_every_chart_is_drawn_offline_without_a_word_of_complaint(
    browser: Browser, report: Path, dark: bool, width: int, tmp_path: Path
) -> None:
    async def look(page: Page) -> None:
        states = await undisturbed(page, report)
        assert len(states) >= 14 and set(states.values()) == {"drawn"}
        drawn = await page.ask("[...document.querySelectorAll('.plot[data-state=drawn]')].map(p => p.clientHeight)")
        assert min(drawn) > 100
        beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.ask(beyond) == 0
        background = await page.ask("getComputedStyle(document.body).backgroundColor")
        ink = await page.ask("document.querySelector('#plot-roc .xtick text').style.fill")
        assert (sum(colour(background)) < 150) == dark
        assert (sum(colour(ink)) > 400) == dark
        await page.picture(tmp_path / "page.png")

    browser.look(report, look, width=width, height=800, dark=dark, mobile=width < 500)
    assert (tmp_path / "page.png").stat().st_size > 50_000


def colour(css: str) -> list[int]:
    return [int(part) for part in css[css.index("(") + 1 : -1].split(",")[:3]]


def test_charts_follow_when_the_system_turns_dark(browser: Browser, report: Path) -> None:
    async def look(page: Page) -> None:
        await page.ask("document.getElementById('plot-roc').scrollIntoView()")
        await until(page, "document.getElementById('plot-roc').dataset.state === 'drawn'")
        ink = "document.querySelector('#plot-roc .xtick text').style.fill"
        before = colour(await page.ask(ink))
        await page.dark(True)
        await until(page, f"{ink} !== 'rgb({', '.join(map(str, before))})'")
        assert sum(colour(await page.ask(ink))) > 400 > sum(before)
        assert page.complaints == []

    browser.look(report, look)


async def until(page: Page, condition: str) -> None:
    for _ in range(200):
        if await page.ask(condition):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {condition}")


def test_the_page_is_used_by_keyboard(browser: Browser, report: Path) -> None:
    async def look(page: Page) -> None:
        focused = "document.activeElement"
        await page.key("Tab")
        assert await page.ask(f"{focused}.className") == "skip"
        await page.key("Enter")
        assert await page.ask("location.hash") == "#content"
        assert await page.ask(f"{focused}.id") == "content"
        reached = set()
        for _ in range(60):
            await page.key("Tab")
            reached.add(await page.ask(f"{focused}.id || {focused}.name || {focused}.className || {focused}.tagName"))
        assert {"scroll", "SUMMARY", "plot-score-seconds", "plot-roc", "plot-calibration"} <= reached
        assert any(name.startswith("choice-") for name in reached)

        await page.ask("document.getElementById('plot-calibration').focus()")
        await until(page, "document.getElementById('plot-calibration').dataset.state === 'drawn'")
        said = "document.getElementById('told').textContent"
        await page.key("ArrowRight")
        first = await page.ask(said)
        await page.key("ArrowRight")
        second = await page.ask(said)
        await page.key("ArrowDown")
        other = await page.ask(said)
        assert first.startswith("before calibration, predicted 0.") and ", observed 0" in first
        assert second.startswith("before calibration") and second != first
        assert other.startswith("after calibration")
        assert await page.ask("document.querySelectorAll('#plot-calibration .hoverlayer .hovertext').length") == 1

    browser.look(report, look)


def test_a_choice_draws_another_family_in_the_first_one_s_place(browser: Browser, report: Path) -> None:
    async def look(page: Page) -> None:
        pick = "document.querySelector('input[value=plot-parallel-random-forest-figure]')"
        await page.ask(f"{pick}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        await until(page, "document.getElementById('plot-parallel-hist-gradient-boosting').dataset.state === 'drawn'")
        await page.ask(f"{pick}.click()")
        await until(page, "document.getElementById('plot-parallel-random-forest').dataset.state === 'drawn'")
        assert await page.ask("document.getElementById('plot-parallel-hist-gradient-boosting-figure').hidden")
        assert not await page.ask("document.getElementById('plot-parallel-hist-gradient-boosting').dataset.state")
        assert page.complaints == []

    browser.look(report, look)


def test_without_webgl_points_are_drawn_all_the_same_and_what_cannot_be_says_so(browser: Browser, report: Path) -> None:
    async def look(page: Page) -> None:
        await page.ask("document.getElementById('plot-parallel-hist-gradient-boosting').focus()")
        await until(page, "document.getElementById('plot-parallel-hist-gradient-boosting').dataset.state === 'failed'")
        await page.ask("document.getElementById('plot-score-seconds').focus()")
        await until(page, "document.getElementById('plot-score-seconds').dataset.state === 'drawn'")
        assert "needs WebGL" in await page.ask(
            "document.getElementById('plot-parallel-hist-gradient-boosting').textContent"
        )
        assert await page.ask("document.querySelectorAll('#plot-score-seconds .point').length") > 100

    without = "const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext = function (kind, ...more) { return kind.includes('webgl') ? null : get.call(this, kind, ...more); };"  # noqa: E501
    browser.look(report, look, before=without)


def test_names_from_a_table_are_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    def renamed(event: Any) -> Any:
        if event["event"] != "asked":
            return {**event, "failure": {**event["failure"], "error": EVIL}} if "failure" in event else event
        return {**event, "family": EVIL, "params": {EVIL: event["number"], "kind": f"{EVIL}{event['number']}"}}

    folder = write_sweep(tmp_path, events=[renamed(event) for event in EVENTS])
    path = distml.load("credit", tmp_path).report().save(folder.report)

    async def look(page: Page) -> None:
        states = await undisturbed(page, path)
        assert set(states.values()) == {"drawn"}
        for name in states:
            await page.ask(f"document.getElementById('{name}').focus()")
            await page.key("ArrowRight")
        assert await page.ask("window.pwned === undefined")
        assert await page.ask("document.querySelectorAll('img, .plot a, [onerror], [onmouseover]').length") == 0
        assert "<img src=x" in await page.ask("document.body.innerText")

    browser.look(path, look)


def test_10_000_trials_are_drawn_and_at_most_8_mib(browser: Browser, tmp_path: Path) -> None:
    write_large_sweep(tmp_path, 10_000)
    path = distml.load("large", tmp_path).report().save(tmp_path / "report.html")
    assert path.stat().st_size <= 8 * 2**20

    async def look(page: Page) -> None:
        assert set((await undisturbed(page, path)).values()) == {"drawn"}
        assert (
            len(await page.ask("[...document.querySelectorAll('#leaderboard tbody tr')].map(r => r.cells.length)"))
            == 50
        )

    browser.look(path, look)
