"""Pictures: well-formed, the same bytes each time, with nothing that a strict page would block, harmless."""

import re
from dataclasses import replace
from math import nan
from typing import Any
from xml.etree import ElementTree

import pytest

from workbench.reports.chart import Axis, Bars, Chart, Dots, Grid, Guide, Line, Role
from workbench.reports.faces.svg import svg
from workbench.reports.palette import INKS, LOOKS, OTHERS, looks_of, stylesheet
from workbench.reports.reading import Report
from workbench.reports.units import Unit

SVG = "{http://www.w3.org/2000/svg}"
AXIS = Axis(title="labels", unit=Unit.COUNT)
LINE = Line(name="chosen", x=[1.0, 2.0, 3.0], y=[0.5, 0.6, 0.7], role=Role.ACTIVE)
CHART = Chart(name="one", title="One", summary="It rises.", x=AXIS, y=AXIS, marks=(LINE,))


def _charts(report: Report) -> list[Chart]:
    return [chart for panel in report.panels for chart in panel.reading.charts]


def _texts(picture: str) -> str:
    return " ".join(
        "".join(element.itertext()) for element in ElementTree.fromstring(picture).iter(f"{SVG}text")
    )


def test_every_picture_is_one_element_that_says_what_it_shows(any_report: Report) -> None:
    for chart in _charts(any_report):
        root = ElementTree.fromstring(svg(chart, "USD"))
        assert root.tag == f"{SVG}svg"
        assert root.get("role") == "img"
        assert (root.get("aria-label") or "").startswith(f"{chart.title}. ")
        assert root.get("class") == "chart"


def test_a_strict_page_blocks_nothing_of_it(any_report: Report) -> None:
    for chart in _charts(any_report):
        picture = svg(chart, "USD")
        tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(picture).iter()}
        assert not tags & {"script", "style", "image", "foreignObject", "metadata", "a"}
        for element in ElementTree.fromstring(picture).iter():
            assert not [name for name in element.attrib if name == "style" or name.startswith("on")]
            assert element.get("href", "#").startswith("#")


def test_texts_from_elsewhere_are_text(report: Report) -> None:
    shown = _texts(svg(_charts(report)[0], "USD"))
    assert "<script>alert(1)</script>" in shown
    assert "\\u202e" in shown
    assert "\x1b" not in shown


def test_a_dollar_sign_and_an_underscore_are_letters() -> None:
    marks = (replace(LINE, name="$\\frac{1}{0}$"), replace(LINE, name="_hidden"))
    shown = _texts(svg(replace(CHART, marks=marks)))
    assert "$\\frac{1}{0}$" in shown
    assert "_hidden" in shown


def test_the_same_chart_gives_the_same_bytes(report: Report) -> None:
    for chart in _charts(report):
        assert svg(chart, "USD") == svg(chart, "USD")


def test_identifiers_of_two_pictures_do_not_meet(report: Report) -> None:
    found: set[str] = set()
    for chart in _charts(report):
        own = set(re.findall(r' id="([^"]+)"', svg(chart, "USD")))
        assert not own & found
        found |= own


def test_every_colour_follows_the_page(report: Report) -> None:
    known = {ink.light for ink in INKS} | {"none", "#000000"}
    for chart in _charts(report):
        for element in ElementTree.fromstring(svg(chart, "USD")).iter():
            for paint, letter in (("fill", "f"), ("stroke", "s")):
                color = element.get(paint, "none")
                assert color in known
                if color.startswith("#") and color != "#000000":
                    assert f"{letter}-" in element.get("class", "")


@pytest.mark.parametrize("ink", INKS, ids=lambda ink: ink.name)
def test_every_ink_has_its_rules(ink: Any) -> None:
    rules = stylesheet()
    assert f"--{ink.name}:{ink.light}" in rules
    assert f"--{ink.name}:{ink.dark}" in rules


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: str, second: str) -> float:
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_marks_and_words_stand_out_from_both_grounds() -> None:
    """WCAG 2.2: 4.5 for text, 3 for what must be seen to understand a picture."""
    paper = next(ink for ink in INKS if ink.name == "paper")
    for ink in INKS:
        least = {"paper": 1.0, "rule": 1.0, "text": 4.5, "soft": 4.5, "grey": 4.5}.get(ink.name, 3.0)
        assert _contrast(ink.light, paper.light) >= least, ink
        assert _contrast(ink.dark, paper.dark) >= least, ink


def test_no_two_marks_of_a_chart_look_alike() -> None:
    marks = tuple(replace(LINE, name=str(number), role=Role.OTHER) for number in range(len(OTHERS)))
    looks = looks_of(replace(CHART, marks=marks))
    assert len({look.ink for look in looks}) == len({look.marker for look in looks}) == len(OTHERS)
    assert LOOKS[Role.ACTIVE].marker != LOOKS[Role.RANDOM].marker


def test_seconds_become_hours_and_shares_become_percent() -> None:
    time = Axis(title="annotators' time", unit=Unit.SECONDS)
    share = Axis(title="accuracy", unit=Unit.SHARE)
    marks = (replace(LINE, x=[3600.0, 36000.0, 72000.0]),)
    shown = _texts(svg(replace(CHART, x=time, y=share, marks=marks)))
    assert "annotators' time, h" in shown
    assert "60 %" in shown


def test_a_share_has_no_room_above_all() -> None:
    share = Axis(title="accuracy", unit=Unit.SHARE)
    shown = _texts(svg(replace(CHART, y=share, marks=(replace(LINE, y=[0.9, 0.99, 1.0]),))))
    assert "100.0 %" in shown
    assert "102" not in shown


def test_a_logarithmic_axis_begins_at_its_least_value() -> None:
    log = Axis(title="samples", unit=Unit.COUNT, log=True)
    picture = svg(replace(CHART, x=log, marks=(replace(LINE, x=[2.0, 20.0, 200.0]),)))
    ElementTree.fromstring(picture)
    assert "0.01" not in _texts(picture)


@pytest.mark.parametrize(
    "mark",
    [
        Line(name="none", x=[], y=[]),
        Line(name="one", x=[1.0], y=[0.5], low=[0.4], high=[0.6]),
        Line(name="unknown", x=[1.0, 2.0], y=[None, None]),
        Dots(name="none", x=[], y=[]),
        Bars(name="none", labels=[], values=[]),
        Bars(name="unknown", labels=["a"], values=[None], low=[None], high=[None]),
        Grid(name="none", rows=[], columns=[], values=[]),
        Grid(name="nothing", rows=["a"], columns=["a"], values=[[0.0]]),
    ],
)
def test_hardly_anything_is_a_picture_too(mark: Any) -> None:
    ElementTree.fromstring(svg(replace(CHART, marks=(mark,))))


@pytest.mark.parametrize("other", [0.5, -0.2, 0.0])
def test_a_cell_below_zero_is_drawn_and_an_unknown_one_has_no_number(other: float) -> None:
    values = [[nan, -0.9], [other, nan]]
    kappas = Grid(name="kappa", rows=["ada", "ben"], columns=["ada", "ben"], values=values)
    shown = _texts(svg(replace(CHART, marks=(kappas,))))
    assert "\N{MINUS SIGN}0.90" in shown
    assert "nan" not in shown


def test_thousands_of_dots_stay_small() -> None:
    values = [float(number) for number in range(5000)]
    assert len(svg(replace(CHART, marks=(Dots(name="pool", x=values, y=values),)))) < 250_000


def test_of_two_aims_that_lie_close_both_can_be_read() -> None:
    guides = (Guide(words="target", y=0.69), Guide(words="ceiling", y=0.70))
    picture = ElementTree.fromstring(svg(replace(CHART, guides=guides)))
    places = {
        "".join(element.itertext()).strip(): float(re.findall(r"-?[\d.]+", element.get("transform", ""))[-1])
        if element.get("transform")
        else float(element.get("y", 0))
        for element in picture.iter(f"{SVG}text")
    }
    assert abs(places["target"] - places["ceiling"]) > 6


def test_letters_of_any_script_are_drawn_without_a_warning() -> None:
    bars = Bars(name="classes", labels=["猫", "كلب", "🐟"], values=[0.1, 0.2, 0.3])
    picture = svg(replace(CHART, marks=(bars,)))
    assert {"猫", "كلب", "🐟"} <= set(_texts(picture).split())


def test_a_chart_that_can_not_be_drawn_is_a_sentence_and_takes_no_page_with_it() -> None:
    broken = replace(CHART, marks=(replace(LINE, y=["<b>high</b>"]),), title="<One>")  # type: ignore[list-item]
    picture = svg(broken, "USD")
    root = ElementTree.fromstring(picture)
    assert root.get("class") == "chart undrawn"
    assert "<One>. It rises." in (root.get("aria-label") or "")
    assert "can not be drawn" in _texts(picture)
