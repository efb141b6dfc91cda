"""Plots in letters: never wider than asked, with the numbers where they belong."""

from dataclasses import replace

from workbench.reports.chart import Axis, Bars, Chart, Dots, Guide, Line, Role
from workbench.reports.faces.plots import GLYPHS, HEIGHT, plot
from workbench.reports.reading import Report
from workbench.reports.units import Unit

LABELS = Axis(title="labels", unit=Unit.COUNT)
SHARE = Axis(title="accuracy", unit=Unit.SHARE)
RISING = Line(name="chosen", x=[0.0, 50.0, 100.0], y=[0.5, 0.7, 0.9], role=Role.ACTIVE)
CHART = Chart(name="one", title="One", summary="It rises.", x=LABELS, y=SHARE, marks=(RISING,))


def test_no_line_is_wider_than_asked_nor_does_anything(any_report: Report) -> None:
    for panel in any_report.panels:
        for chart in panel.reading.charts:
            for width in (40, 78, 120):
                lines = plot(chart, width, "USD")
                assert all(len(line) <= width for line in lines)
                assert all(
                    letter.isprintable() or letter in "\xa0\u202f" for line in lines for letter in line
                )


def test_a_rising_line_rises_from_corner_to_corner() -> None:
    body = [line.partition("│")[2] for line in plot(CHART, 60) if "│" in line]
    assert len(body) == HEIGHT
    assert body[0].rstrip().endswith(GLYPHS[0])
    assert body[-1].startswith(GLYPHS[0])
    assert body[HEIGHT // 2].count(GLYPHS[0]) == 1


def test_axes_say_their_ends_with_units() -> None:
    lines = plot(CHART, 60)
    assert lines[0] == "accuracy"
    assert lines[1].startswith("90 % │")
    assert lines[HEIGHT].startswith("50 % │")
    assert lines[-1].split() == ["0", "labels", "100"]


def test_lines_are_told_apart_by_shape_and_named() -> None:
    other = Line(name="random", x=[0.0, 100.0], y=[0.4, 0.8])
    guided = replace(CHART, marks=(RISING, other), guides=(Guide(words="target 85 %", y=0.85),))
    lines = plot(guided, 60)
    assert lines[-1] == "● chosen   ■ random   ┄ target 85 %"
    assert any("┄┄┄" in line for line in lines)


def test_bars_say_their_values_and_intervals() -> None:
    bars = Bars(name="recall", labels=["cat", "dog"], values=[1.0, None], low=[0.9, None], high=[1.0, None])
    lines = plot(replace(CHART, marks=(bars,)), 60)
    assert "100.0 % [90.0 to 100.0]" in lines[1]
    assert lines[2].split() == ["dog", "–"]


def test_of_many_bars_the_rest_is_counted() -> None:
    bars = Bars(name="recall", labels=[str(n) for n in range(50)], values=[0.5] * 50)
    assert plot(replace(CHART, marks=(bars,)), 60)[-1] == "… and 34 more"


def test_nothing_to_draw_draws_nothing() -> None:
    assert plot(replace(CHART, marks=(Dots(name="none", x=[], y=[]),)), 60) == []
