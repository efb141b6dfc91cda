"""The report as a file, in a real browser: no request, no script, no fault, readable everywhere."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from workbench.domain.errors import ArtifactProblem
from workbench.reports.faces.ahead import drawing_ahead
from workbench.reports.faces.html import as_html, write_html
from workbench.reports.reading import Report

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request

VOID = {"meta", "link", "br", "img", "input", "hr"}
CONTRAST = """() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const found = parts(getComputedStyle(element).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('p, h1, h2, a, li span, b, dt, dd, th, td, summary, small')]
    .filter(element => element.textContent.trim() && element.getClientRects().length)
    .map(element => {
      const both = [light(parts(getComputedStyle(element).color)), light(ground(element))];
      const [a, b] = both.sort((x, y) => x - y);
      return [(b + 0.05) / (a + 0.05), element.tagName + ' ' + element.className];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""


@dataclass
class Seen:
    """What a browser did with a page."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class _Tags(HTMLParser):
    """Every start tag with its attributes; complains of what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.tags


def test_there_is_no_script_and_no_address(any_report: Report) -> None:
    text = as_html(any_report)
    tags = _tags(text)
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert "://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    assert as_html(report) == as_html(report)


def test_it_is_small(any_report: Report) -> None:
    assert len(as_html(any_report).encode()) < 2_000_000


def test_it_says_when_it_is_of_and_not_when_it_was_made(report: Report) -> None:
    text = as_html(report)
    assert f'As of <time datetime="{report.at.isoformat()}">2026-11-21 12:30 UTC</time>' in text
    assert "enerated" not in text


def test_tables_have_captions_and_scopes(report: Report) -> None:
    tags = _tags(as_html(report))
    tables = [tag for tag, _ in tags].count("table")
    assert tables == [tag for tag, _ in tags].count("caption") > 0
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")


def test_every_panel_is_in_the_contents(report: Report) -> None:
    tags = _tags(as_html(report))
    places = {attributes["id"] for tag, attributes in tags if tag == "section"}
    assert {f"#{place}" for place in places} == {a.get("href") for tag, a in tags if tag == "a"}
    assert places == {"headline", "curve", "empty", "terms"}
    identifiers = [a["id"] for _, a in tags if a.get("id")]
    assert len(identifiers) == len(set(identifiers))


def test_a_place_that_can_not_be_written_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactProblem, match="--output"):
        write_html(tmp_path / "file" / "report.html", report)


@pytest.fixture
def opened(page: "Page", tmp_path: Path) -> Iterator[Callable[[Report], Seen]]:
    """Open a report from its file, without a network."""
    seen = Seen()

    def on_request(request: "Request") -> None:
        seen.requests.append(request.url)

    def on_console(message: "ConsoleMessage") -> None:
        seen.complaints.append(message.text)

    def open_report(report: Report) -> Seen:
        path = tmp_path / "report.html"
        write_html(path, report)
        page.goto(path.as_uri())
        assert seen.requests.pop(0) == path.as_uri()
        return seen

    page.context.set_offline(True)
    page.on("request", on_request)
    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    yield open_report
    page.remove_listener("request", on_request)
    page.remove_listener("console", on_console)
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size({"width": 1400, "height": 900})


@pytest.mark.browser
def test_a_browser_asks_for_nothing_and_complains_of_nothing(
    opened: Callable[[Report], Seen], any_report: Report
) -> None:
    assert opened(any_report) == Seen()


@pytest.mark.browser
def test_hostile_texts_are_texts(opened: Callable[[Report], Seen], page: "Page", report: Report) -> None:
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    opened(report)
    assert page.locator("h1").inner_text() == "<script>alert(1)</script>"
    cells = page.locator("#curve td, #curve tbody th").all_inner_texts()
    for text in (
        "<script>alert(1)</script>",
        "</style></svg></table>",
        "../../etc/passwd",
        "{{ 7 * 7 }}{% raw %}",
    ):
        assert text in cells
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_sticks_out_at_any_width(
    opened: Callable[[Report], Seen], page: "Page", report: Report, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(report)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_stand_out_from_their_ground(
    opened: Callable[[Report], Seen], page: "Page", report: Report, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    opened(report)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.browser
def test_pictures_turn_dark_with_the_page(
    opened: Callable[[Report], Seen], page: "Page", report: Report
) -> None:
    colors = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        opened(report)
        colors.append(page.locator("svg .f-text").first.evaluate("mark => getComputedStyle(mark).fill"))
        grounds = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
        colors.append(grounds)
    assert len(set(colors)) == 4


def _corner(page: "Page") -> tuple[int, ...]:
    """The colour behind everything, which no element has."""
    clip: Any = {"x": 0, "y": 0, "width": 2, "height": 2}
    color = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))
    assert isinstance(color, tuple)
    return tuple(int(part) for part in color)


@pytest.mark.browser
def test_print_is_dark_on_white_and_leaves_closed_tables_out(
    opened: Callable[[Report], Seen], page: "Page", report: Report
) -> None:
    opened(report)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("nav").is_hidden()
    assert page.locator("details.broad").first.is_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 39, 51)"
    assert _corner(page) == (255, 255, 255)
    pdf = page.pdf()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2


@pytest.mark.browser
def test_the_keyboard_reaches_contents_and_tables(
    opened: Callable[[Report], Seen], page: "Page", report: Report
) -> None:
    opened(report)
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= set(reached)


def test_charts_drawn_while_others_are_read_are_the_same(report: Report) -> None:
    with drawing_ahead() as ahead:
        for panel in report.panels[:2]:
            ahead.draw(panel, report.terms)
        assert as_html(report, ahead.svg) == as_html(report)
