"""The report in a terminal: 80 columns, findings with a word for their tone, nobody's text gives orders."""

import io
from dataclasses import dataclass, fields, replace

from workbench.reports.faces.terminal import show_panels, show_tables
from workbench.reports.panel import Finding, Reading, Table, Tone
from workbench.reports.reading import Report
from workbench.reports.units import Share

ALLOWED = "\n\xa0\u202f"


def _shown(report: Report, *, charts: bool = True) -> str:
    out = io.StringIO()
    show_panels(report.panels, out, "EUR", charts=charts)
    return out.getvalue()


def test_nothing_is_wider_than_80_columns(any_report: Report) -> None:
    assert max(len(line) for line in _shown(any_report).splitlines()) <= 80


def test_no_text_gives_orders_to_the_terminal(report: Report) -> None:
    shown = _shown(report)
    assert {letter for letter in shown if not letter.isprintable()} <= set(ALLOWED)
    assert "[bold red]markup[/] :smile:" in shown
    assert "\\x1b[31mred\\x9b2J" in shown.replace("\n", "")


def test_the_tone_of_a_finding_is_a_sign_and_a_word(report: Report) -> None:
    shown = _shown(report)
    for sign in ("✓ ", "• ", "! warning:", "✗ bad:", "? unclear:"):
        assert sign in shown


def test_lines_end_neither_within_a_number_nor_before_its_unit(report: Report) -> None:
    words = [f"{'x' * length} 1\N{NARROW NO-BREAK SPACE}392 items, +74.8 pp" for length in range(1, 80)]
    findings = [Finding(each, Tone.NEUTRAL) for each in words]
    panel = replace(report.panels[0], reading=Reading(findings=findings))
    out = io.StringIO()
    show_panels([panel], out, "EUR")
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert sum("1\N{NARROW NO-BREAK SPACE}392" in line for line in lines) == len(words)
    assert sum("+74.8\N{NO-BREAK SPACE}pp" in line.replace("8 pp", "8\xa0pp") for line in lines) == len(words)


def test_findings_come_before_charts_and_tables(report: Report) -> None:
    shown = _shown(report)
    assert shown.index("What it answers.") < shown.index("✗ bad:") < shown.index("Key figures")
    assert shown.index("Accuracy against labels") < shown.index("Budget curve")


def test_a_value_and_its_interval_share_a_column_and_empty_columns_are_left_out(report: Report) -> None:
    shown = _shown(report, charts=False)
    assert "62.0 % [55.0 to 97.0]" in shown
    assert "accuracy low" not in shown
    assert "nothing" not in shown


def test_of_many_rounds_the_newest_are_shown_and_the_rest_is_named(any_report: Report) -> None:
    rounds = len(any_report.panels[1].reading.tables[0].rows)
    shown = _shown(any_report, charts=False)
    assert ("The newest 12 of 200 rows." in shown) == (rounds == 200)


def test_an_empty_table_says_what_brings_it(report: Report) -> None:
    out = io.StringIO()
    show_tables(report.panels[2].reading.tables, out, "EUR")
    assert "Empty: Type `workbench round ask`." in out.getvalue()


def test_the_large_key_is_cut(report: Report) -> None:
    assert "k" * 400 not in _shown(report).replace("\n", "").replace(" ", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broad:
    name: str
    first_long_heading: Share
    second_long_heading: Share
    third_long_heading: Share
    fourth_long_heading: Share
    fifth_long_heading: Share
    sixth_long_heading: Share
    seventh_long_heading: Share
    eighth_long_heading: Share


def test_no_number_is_cut_off_at_the_edge() -> None:
    values = {
        field.name: round(0.101 * place, 3)
        for place, field in enumerate(fields(_Broad))
        if field.name != "name"
    }
    table = Table(name="t", title="T", row=_Broad, rows=[_Broad(name="x" * 15, **values)] * 2, empty="")
    out = io.StringIO()
    show_tables([table], out, "EUR")
    assert max(map(len, out.getvalue().splitlines())) <= 80
    for value in values.values():
        assert out.getvalue().count(f"{value * 100:.1f} %") == 2, out.getvalue()
    for word in ("first", "fifth", "eighth", "heading"):
        assert word in out.getvalue()
