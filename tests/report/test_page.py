"""The page's skeleton: what every page has, and that no text in it is ever code."""

import json
import re

import numpy as np
import pytest
from plotly.graph_objects import Scatter

from distml.report.html.drawing import drawn
from distml.report.page import Chart, Choice, Paragraph, Section, Table, Tiles, charts_of, page
from distml.report.theme import COLOURS, MUTED, shown, template
from tests.report.html.pages import Element, parsed

EVIL = """</script><script>alert(1)</script><img src=x onerror="alert('1')">"""


def chart(name: str, title: str = "A line", table: Table | None = None) -> Chart:
    trace = Scatter(x=[1, 2], y=[3, 4], name=shown(title))
    return Chart(name, title, f"{title} goes up.", drawn([trace], title, "y"), table)


def sections(word: str = "word") -> list[Section]:
    table = Table(f"{word} caption", ["name", word], [[word, "1"]], right={word})
    families = {word: chart("first"), f"{word} 2": chart("second")}
    blocks = [
        Tiles([(word, word, word)]), Paragraph(word), table, chart("line", word, table), Choice(f"{word}s", families)
    ]  # fmt: skip
    return [Section("all", f"{word} section", word, blocks), Section("none", "Absent", f"why: {word}")]


@pytest.fixture(scope="module")
def plain() -> Element:
    return parsed(page("A title", "and more", sections()))


def test_a_page_has_its_landmarks_and_headings_in_order(plain: Element) -> None:
    assert plain.one("html").attributes["lang"] == "en"
    assert plain.one("title").text == "A title"
    for landmark in ("header", "nav", "main"):
        plain.one(landmark)
    assert [one.tag for one in plain.all() if re.fullmatch("h[1-6]", one.tag)] == ["h1", "h2", "h2"]
    body = plain.one("body")
    assert body.all("a")[0].attributes["href"] == "#content" == f"#{plain.one('main').attributes['id']}"
    assert "width=device-width" in str(plain.one("meta", name_="viewport").attributes["content"])


def test_every_link_and_label_leads_to_an_element(plain: Element) -> None:
    ids = [one.attributes["id"] for one in plain.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    named = [str(one.attributes["href"])[1:] for one in plain.one("body").all("a")]
    named += [str(one.attributes["aria-labelledby"]) for one in plain.all() if "aria-labelledby" in one.attributes]
    assert set(named) <= set(ids)
    for figure in plain.all("figure"):
        plot = figure.one("div", class_="plot")
        assert plot.attributes["tabindex"] == "0"
        assert figure.one("figcaption").attributes["id"] == plot.attributes["aria-labelledby"]


def test_tables_have_captions_and_scopes_and_can_be_scrolled_by_keys(plain: Element) -> None:
    for table in plain.all("table"):
        assert table.one("caption").text
        assert all(one.attributes["scope"] == "col" for one in table.one("thead").all("th"))
        assert [one.attributes["scope"] for one in table.one("tbody").all("th")] == ["row"]
    assert all(one.attributes["tabindex"] == "0" for one in plain.all("div", class_="scroll"))


def test_of_a_choice_one_chart_is_shown_and_a_lone_one_needs_no_choosing(plain: Element) -> None:
    picks = plain.one("div", class_="choice wide")
    assert [("checked" in one.attributes) for one in picks.all("input")] == [True, False]
    assert [("hidden" in one.attributes) for one in picks.all("figure")] == [False, True]
    assert {one.attributes["value"] for one in picks.all("input")} == {
        one.attributes["id"] for one in picks.all("figure")
    }
    lone = parsed(page("A title", "", [Section("one", "One", "", [Choice("Family", {"one": chart("first")})])]))
    assert not lone.all("input") and lone.one("figure")


def test_a_section_without_blocks_says_why(plain: Element) -> None:
    absent = plain.one("section", id="none")
    assert absent.attributes["class"] == "absent"
    assert absent.one("p").text == "why: word"


def test_nothing_is_loaded_from_elsewhere(plain: Element) -> None:
    (policy,) = [str(one.attributes["content"]) for one in plain.all("meta") if "http-equiv" in one.attributes]
    assert policy.startswith("default-src 'none'") and "http" not in policy
    loading = [one for one in plain.all() if {"src", "href"} & set(one.attributes)]
    assert {str(one.attributes.get("href", one.attributes.get("src")))[:5] for one in loading} <= {
        "#cont", "#all", "#none", "data:"
    }  # fmt: skip
    own = page("A title", "", [Section("none", "Absent", "why")])  # without charts there is no plotly in it
    assert "http:" not in own and "https:" not in own and "url(" not in own
    assert len(own) < 30_000


def test_text_is_text_wherever_it_stands() -> None:
    tree = parsed(page(EVIL, EVIL, sections(EVIL)))
    assert not tree.all("img")
    kinds = [one.attributes.get("type") for one in tree.all("script")]
    assert kinds == ["application/json"] * 4 + [None, None]  # three charts and the themes, plotly, the page's own
    assert tree.one("h1").text == EVIL
    assert tree.one("section", id="all").one("h2").text == f"{EVIL} section"
    figure = json.loads(tree.one("script", id="plot-line-data").text)
    assert figure["layout"]["xaxis"]["title"]["text"] == shown(EVIL)  # plotly itself reads a part of HTML
    assert "<" not in figure["layout"]["xaxis"]["title"]["text"]
    assert "<" not in tree.one("script", id="plot-line-data").text


def test_a_figure_leaves_its_template_to_the_page_and_sends_arrays_packed() -> None:
    trace = Scatter(x=np.arange(1000, dtype=np.float32), y=np.ones(1000, dtype=np.float32))
    one = Chart("many", "Many", "points", drawn([trace], "x", "y"))
    figure = json.loads(parsed(page("t", "", [Section("s", "S", "", [one])])).one("script", id="plot-many-data").text)
    assert "template" not in figure["layout"]
    assert set(figure["data"][0]["x"]) == {"dtype", "bdata"}
    assert len(json.dumps(figure)) < 12_000


def test_names_become_ids_that_stay_apart() -> None:
    charts = [chart(name) for name in ("a b", "a-b", "a_b", "ä", 'a"b')]
    tree = parsed(page("t", "", [Section("s", "S", "", charts)]))
    ids = [one.attributes["id"] for one in tree.all("div", class_="plot")]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"[\w-]+", str(one)) for one in ids)
    assert list(charts_of([Section("s", "S", "", charts)])) == ["a b", "a-b", "a_b", "ä", 'a"b']


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("which", ["light", "dark"])
def test_colours_stand_out_on_both_pages(which: str) -> None:
    """WCAG 2.2: 3:1 for what is drawn, 4.5:1 for text."""
    surface = template(which)["layout"]["hoverlabel"]["bgcolor"]
    assert all(contrast(colour, surface) >= 3 for colour in (*COLOURS, MUTED))
    assert contrast(template(which)["layout"]["font"]["color"], surface) >= 4.5
