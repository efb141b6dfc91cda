"""A chart becomes what plotly draws: the same numbers, colours by name, words that are only words."""

import json
from typing import Any

import pytest

from workbench.reports.chart import Axis, Bars, Chart, Dots, Grid, Guide, Line, Role
from workbench.reports.palette import INKS
from workbench.reports.units import Unit
from workbench.web.plots import plot

HOSTILE = "<b onclick=alert(1)>a & b</b>"
LINE = Line(
    name="chosen",
    x=[10, 20, 30],
    y=[0.5, None, 0.7],
    low=[0.4, None, 0.6],
    high=[0.6, None, 0.8],
    role=Role.ACTIVE,
)


def chart(*marks: Any, **more: Any) -> Chart:
    """A chart of these marks."""
    axes = {"x": Axis(title="labels", unit=Unit.COUNT), "y": Axis(title="accuracy", unit=Unit.SHARE)}
    return Chart(name="a", title="A", summary="It is.", marks=marks, **{**axes, **more})


def test_a_line_keeps_its_numbers_and_its_band_where_both_ends_are_known() -> None:
    figure = plot(chart(LINE))
    assert figure is not None
    low, high, line = figure["data"]
    assert (line["x"], line["y"]) == ([10, 20, 30], [0.5, None, 0.7])
    assert (low["x"], low["y"], high["y"]) == ([10, 30], [0.4, 0.6], [0.6, 0.8])
    assert high["fill"] == "tonexty"
    assert "50.0 % [40.0 to 60.0]" in line["hovertext"][0]


def test_colours_are_names_of_the_palette() -> None:
    figure = plot(chart(LINE, guides=(Guide(words="target", y=0.9),)))
    names = {ink.name for ink in INKS}
    used = {word[1:].split("/")[0] for word in _words(figure) if word.startswith("@")}
    assert used
    assert used <= names


def test_words_on_a_logarithmic_axis_stand_where_their_line_is() -> None:
    samples = Axis(title="samples", unit=Unit.COUNT, log=True)
    figure = plot(chart(LINE, x=samples, guides=(Guide(words="in use", x=100), Guide(words="enough", y=0.9))))
    assert figure is not None
    (line, level), (words, _) = figure["layout"]["shapes"], figure["layout"]["annotations"]
    # Plotly's own rule: shapes at the value, annotations at its logarithm; else the axis grows to 1e100.
    assert (line["x0"], words["x"]) == (100, 2.0)
    assert level["y0"] == 0.9


def test_words_of_others_are_escaped_everywhere() -> None:
    bars = Bars(name=HOSTILE, labels=[HOSTILE, HOSTILE], values=[0.1, 0.2], low=[0.0, 0.1], high=[0.2, 0.3])
    dots = Dots(name=HOSTILE, x=[1.0], y=[0.5], words=[HOSTILE])
    for found in (
        chart(bars),
        chart(dots),
        chart(Line(name=HOSTILE, x=[1], y=[0.5]), guides=(Guide(words=HOSTILE, x=1),)),
    ):
        assert "onclick" in json.dumps(plot(found))
        assert "<b on" not in json.dumps(plot(found))


def test_bars_of_the_same_name_stay_apart() -> None:
    figure = plot(
        chart(Bars(name="a", labels=["same", "same"], values=[0.1, 0.2], low=[0.05, 0.1], high=[0.2, 0.4]))
    )
    assert figure is not None
    (bars,) = figure["data"]
    assert bars["x"] == [0, 1]
    assert bars["error_y"]["array"] == pytest.approx([0.1, 0.2])
    assert bars["error_y"]["arrayminus"] == pytest.approx([0.05, 0.1])
    assert figure["layout"]["xaxis"]["ticktext"] == ["same", "same"]


def test_seconds_are_drawn_in_hours_where_there_are_many() -> None:
    figure = plot(chart(Line(name="a", x=[0, 36_000], y=[0.1, 0.2]), x=Axis(title="time", unit=Unit.SECONDS)))
    assert figure is not None
    assert figure["data"][-1]["x"] == [0, 10]
    assert figure["layout"]["xaxis"]["title"]["text"] == "time, h"


def test_percentage_points_are_not_percent() -> None:
    figure = plot(
        chart(Line(name="a", x=[1, 2], y=[0.05, -0.1]), y=Axis(title="difference", unit=Unit.POINTS))
    )
    assert figure is not None
    assert figure["data"][-1]["y"] == pytest.approx([5, -10])
    assert figure["layout"]["yaxis"]["ticksuffix"] == " pp"
    assert figure["layout"]["yaxis"]["labelalias"] == {"+0 pp": "0 pp"}


def test_one_round_shows_its_interval() -> None:
    figure = plot(chart(Line(name="a", x=[20], y=[0.5], low=[0.4], high=[0.7])))
    assert figure is not None
    interval, value = figure["data"]
    assert (interval["x"], interval["y"]) == ([20, 20], [0.4, 0.7])
    assert interval["line"]["width"] > 0
    assert value["y"] == [0.5]


@pytest.mark.parametrize(("last", "step"), [(3, 1), (200, None)])
def test_no_round_stands_twice_on_an_axis(last: int, step: int | None) -> None:
    rounds = Axis(title="round", unit=Unit.ROUND)
    figure = plot(chart(Line(name="a", x=[0, last], y=[0.1, 0.2]), x=rounds))
    assert figure is not None
    assert figure["layout"]["xaxis"].get("dtick") == step


def test_what_the_basic_edition_can_not_draw_stays_a_drawing() -> None:
    assert plot(chart(Grid(name="a", rows=["a"], columns=["b"], values=[[1.0]]))) is None


def test_every_figure_is_json() -> None:
    dots = Dots(name="a", x=[1.0, 2.0], y=[0.5, 0.6], low=[0.4, None], high=[0.7, None])
    for found in (
        chart(),
        chart(LINE),
        chart(dots),
        chart(Line(name="t", x=[0], y=[1]), x=Axis(title="t", unit=Unit.TIME)),
    ):
        json.dumps(plot(found), allow_nan=False)


def _words(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    if isinstance(found, dict):
        return [word for each in found.values() for word in _words(each)]
    return [word for each in found for word in _words(each)] if isinstance(found, list) else []
