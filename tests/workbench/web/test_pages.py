"""Every page of every project, and that templates use nothing but what is declared."""

import html
import importlib
import json
import pkgutil
import re
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pytest
from jinja2 import meta, nodes

import workbench.web
from tests.fixtures.made_up import START
from tests.workbench.web.sites import FILLED, HOSTILE, MadeSite
from workbench.reports.panels.catalog import PANELS
from workbench.web.filters import GLOBALS, STATIC
from workbench.web.panels import for_page
from workbench.web.rendering import environment

PROJECTS = (FILLED.name, "empty", "one-round", "failed")
PARTS = ("", "/rounds", "/log", "/live")


def _contexts() -> dict[str, list[type[Any]]]:
    """Every record that names a template, by the template."""
    found: dict[str, list[type[Any]]] = {}
    for module in pkgutil.walk_packages(workbench.web.__path__, "workbench.web."):
        if module.name.endswith(".errand"):
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            name = getattr(thing, "template", None)
            if isinstance(thing, type) and is_dataclass(thing) and isinstance(name, str):
                kinds = found.setdefault(name, [])
                if thing not in kinds:
                    kinds.append(thing)
    return found


def _trees(name: str) -> list[nodes.Template]:
    """A template, and those that it is made from."""
    loader = environment().loader
    assert loader is not None
    tree = environment().parse(loader.get_source(environment(), name)[0])
    found = [tree]
    for kind in (nodes.Extends, nodes.Include):
        for other in tree.find_all(kind):
            assert isinstance(other.template, nodes.Const), f"{name} takes in what is not written out"
            found += _trees(other.template.value)
    return found


def _bound(tree: nodes.Template) -> set[str]:
    """Names that a template gives itself: macros that it brings in, what loops and assignments name."""
    brought = {
        name for each in tree.find_all(nodes.FromImport) for name in each.names if isinstance(name, str)
    }
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    return brought | stored


@pytest.mark.parametrize("template", sorted(_contexts()))
def test_a_template_names_nothing_that_its_record_does_not_declare(template: str) -> None:
    trees = _trees(template)
    named = {name for tree in trees for name in meta.find_undeclared_variables(tree)}
    bound = {name for tree in trees for name in _bound(tree)} | set(GLOBALS)
    for kind in _contexts()[template]:
        declared = {field.name for field in fields(kind)}
        assert named - bound <= declared, f"{template} for {kind.__name__}"


def test_a_name_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", PROJECTS)
def test_every_project_has_its_pages(open_site: MadeSite, name: str, part: str) -> None:
    answer = open_site.ask(f"/projects/{open_site.slugs[name]}{part}")
    assert answer.status_code == 200, answer.text
    assert HOSTILE not in answer.text


@pytest.mark.parametrize("panel", [panel.name for panel in PANELS])
@pytest.mark.parametrize("name", PROJECTS)
def test_every_project_has_a_page_for_every_panel(open_site: MadeSite, name: str, panel: str) -> None:
    base = f"/projects/{open_site.slugs[name]}/panels/{panel}"
    whole = open_site.ask(f"{base}?whole=true")
    assert whole.status_code == 200, whole.text
    assert HOSTILE not in whole.text
    assert 'class="findings' in whole.text
    for part in ("body", "card", "lead"):
        assert open_site.ask(f"{base}/{part}").status_code == 200


def test_a_panel_shows_a_chart_after_three_findings_at_most(open_site: MadeSite) -> None:
    for panel in PANELS:
        page = open_site.ask(f"{open_site.filled}/panels/{panel.name}?whole=true").text
        before, chart, after = page.partition('<figure class="plot"')
        if chart:
            assert before.count('<li class="tone-') <= 3, panel.name
        said = open_site.ask(f"/api/v1{open_site.filled}/panels/{panel.name}").json()["findings"]
        assert (before + after).count('<li class="tone-') == len(said), panel.name


def test_the_first_page_shows_the_verdict_its_figures_and_the_curve_before_all_else(
    open_site: MadeSite,
) -> None:
    page = open_site.ask(open_site.filled).text
    assert page.index("first headline") < page.index("first budget_curve") < page.index('class="live"')
    verdict = open_site.ask(f"{open_site.filled}/panels/headline/lead").text
    assert verdict.index('class="findings') < verdict.index('class="facts figures"')
    assert verdict.count("annotations") == 0
    curve = open_site.ask(f"{open_site.filled}/panels/budget_curve/lead").text
    assert '<figure class="plot"' in curve
    assert 'class="findings' not in curve


def test_one_row_of_many_values_is_a_list(open_site: MadeSite) -> None:
    page = open_site.ask(f"{open_site.filled}/panels/headline?whole=true").text
    table = page.partition('id="table-headline"')[2].partition("</section>")[0]
    assert "<dt>cost of the last point" in table
    assert "<table" not in table
    assert "tone" not in page.partition('id="table-headline_reasons"')[2].partition("</thead>")[0]


def test_a_panel_names_its_tables_charts_and_json_and_all_are_there(open_site: MadeSite) -> None:
    for panel in PANELS:
        base = f"{open_site.filled}/panels/{panel.name}"
        told = open_site.ask(f"/api/v1{base}").json()
        for table in told["tables"]:
            file = open_site.ask(f"{base}/tables/{table['name']}.csv")
            assert file.headers["content-type"] == "text/csv; charset=utf-8"
            assert file.text.splitlines()[0].split(",") == [column["name"] for column in table["columns"]]
        for chart in told["charts"]:
            drawn = open_site.ask(f"{base}/charts/{chart['name']}.svg")
            assert drawn.headers["content-type"] == "image/svg+xml"
            assert "<script" not in drawn.text


def test_a_spreadsheet_calculates_nothing_of_ours(open_site: MadeSite) -> None:
    file = open_site.ask(f"{open_site.filled}/panels/coverage/tables/coverage.csv").text
    assert "'=cmd|" in file
    assert not re.search(r'(^|,)"?[=+@]', file, re.MULTILINE)


@pytest.mark.parametrize("number", [0, 7, 8])
def test_a_round_shows_its_picks_answers_and_events(open_site: MadeSite, number: int) -> None:
    page = open_site.ask(f"{open_site.filled}/rounds/{number}").text
    assert page.count('<td class="item">') == 30
    assert "&lt;img src=x onerror=alert(2)&gt;" in page
    assert "<img src=x" not in page
    assert 'class="events"' in page


def test_an_item_page_shows_why_who_and_what(open_site: MadeSite) -> None:
    picks = open_site.ask(f"/api/v1{open_site.filled}/rounds/3/picks?limit=5").json()["picks"]
    page = open_site.ask(f"{open_site.filled}/item?key={quote(picks[0]['item'])}").text
    for words in ("This is item", "Why it was picked", "mutual information", "majority", "picked: "):
        assert words.casefold() in page.casefold()


def test_what_was_known_then_is_shown_as_it_was(open_site: MadeSite) -> None:
    then = open_site.ask(f"{open_site.filled}/rounds?at=2026-03-05").text
    assert "/rounds/3" in then
    assert "/rounds/4" not in then
    assert "As it was known at 2026-03-05 23:59:59 UTC" in then
    assert open_site.ask(f"{open_site.filled}/rounds/6?at=2026-03-05").status_code == 404


def test_the_trail_is_filtered_and_paged(open_site: MadeSite) -> None:
    newest = open_site.ask(f"{open_site.filled}/log").text
    assert newest.count("<li><time") > 20
    only = open_site.ask(f"{open_site.filled}/log?kind=closed&round=2").text
    assert only.count("<li><time") == 1
    assert "There is no round 99" in open_site.ask(f"{open_site.filled}/log?round=99").text


def test_no_page_names_an_outside_host(open_site: MadeSite) -> None:
    for path in ("/", open_site.filled, f"{open_site.filled}/panels/coverage?whole=true", "/sign-in"):
        text = open_site.ask(path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text)


def test_json_in_a_page_can_not_end_its_element() -> None:
    written = for_page({"a": "</script><script>alert(1)</script>", "b": "<!--", "c": "&\u2028"})
    assert not set("<>&") & set(written)
    assert json.loads(written)["a"] == "</script><script>alert(1)</script>"


def test_what_is_shipped_from_others_is_named_with_its_licence() -> None:
    folder = STATIC / "vendor"
    readme = (folder / "README.md").read_text()
    for file in folder.glob("*.js"):
        assert f"`{file.name}`" in readme
        assert (folder / f"{file.name.removesuffix('.js').removesuffix('.min')}.LICENSE.txt").exists()


def test_pages_hold_no_script_and_no_style_of_their_own() -> None:
    for path in (Path(workbench.web.__file__).parent / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|\bjs:", text), path.name
        assert all(
            "src=" in tag or 'type="application/json"' in tag for tag in re.findall(r"<script[^>]*>", text)
        )


def test_the_round_that_is_chosen_is_the_one_that_is_shown(open_site: MadeSite) -> None:
    page = open_site.ask("/projects/failed/panels/batch?whole=true").text
    chosen = re.search(r'<option value="(\d+)" selected>', page)
    assert chosen is not None
    assert f"Round {chosen[1]} chose" in page


def test_what_if_begins_with_the_purchase_that_the_panel_speaks_of(open_site: MadeSite) -> None:
    page = open_site.ask(f"{open_site.filled}/panels/forecast?whole=true").text
    slider = re.search(r'<input type="range"[^>]* max="(\d+)"[^>]* value="(\d+)"', page)
    assert slider is not None
    assert f"{slider[2]} more labels" in page
    assert int(slider[2]) <= int(slider[1]) <= 5000


def test_files_of_a_panel_are_of_what_was_chosen_on_it(open_site: MadeSite) -> None:
    page = open_site.ask(f"{open_site.filled}/panels/batch?round=3&at=2026-03-08&whole=true").text
    table = re.search(r'href="([^"]*/tables/batch_order\.csv[^"]*)"', page)
    program = re.search(r'href="(/api/v1/[^"]*)"', page)
    assert table is not None
    assert program is not None
    assert open_site.ask(html.unescape(table[1])).text.splitlines()[1].startswith("3,")
    said = open_site.ask(html.unescape(program[1])).json()
    assert said["at"].startswith("2026-03-08T23:59:59.999999")
    assert said["findings"][0]["words"].startswith("Round 3 chose")


def test_an_old_page_of_a_round_knows_nothing_of_what_came_later(open_site: MadeSite) -> None:
    began = START + 3 * FILLED.every
    moments = {hours: f"{began + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}" for hours in (0, 5, 23)}
    pages = {
        hours: open_site.ask(f"{open_site.filled}/rounds/3?at={at}").text for hours, at in moments.items()
    }
    assert "Nothing is chosen yet." in pages[0]
    assert "<td>open</td>" in pages[5]
    assert "<td>labeled</td>" not in pages[5]
    assert "<td>labeled</td>" in pages[23]
    for hours, total in ((0, 0), (5, FILLED.batch)):
        picks = open_site.ask(f"/api/v1{open_site.filled}/rounds/3/picks?at={moments[hours]}").json()
        assert picks["total"] == total
        assert {pick["task"] for pick in picks["picks"]} <= {"open"}
