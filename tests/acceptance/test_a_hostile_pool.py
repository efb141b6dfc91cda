"""A pool full of attacks: text on all four faces, text in exports, and nothing opened outside of it."""

import csv
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.conftest import CHROMIUM, FLAGS
from tests.fixtures.made_up import MadeUp
from tests.workbench.web.sites import MadeSite, make_database, served, show
from workbench.cli.main import run
from workbench.reports.panels.catalog import PANELS
from workbench.storage import tables as t

if TYPE_CHECKING:
    from playwright.sync_api import Page

ATTACKS = (
    "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0",
    "../../etc/passwd",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    '<a href="javascript:alert(4)">here</a>',
    "@SUM(1)",
    "\t=1+1",
    "-2+3",
    "\x1b[31mred\x1b]8;;http://evil.example\x07here",
    "\u202egnp.exe",
    "{{ 7 * 7 }}",
    "'; DROP TABLE item; --",
)
CLASSES = (*ATTACKS[:4], ATTACKS[9])
SECRET = "nobody outside of the pool may read this"
BOOM = MadeUp(
    name=ATTACKS[0],
    classes=CLASSES,
    people={"ada": 0.05, ATTACKS[1]: 0.1, ATTACKS[4]: 0.3},
    rounds=3,
    batch=26,
    test_items=120,
    pool=600,
    open_round=True,
)
#: What a spreadsheet would calculate, and what a terminal would do.
FORMULA = re.compile(r"[=+\-@\t\r]")
COMMAND = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _plant(site: MadeSite, outside: Path) -> None:
    """Give what was picked the names and contents of attacks, and say them in the trail."""
    with site.store.engine.begin() as connection:
        picked = connection.execute(sa.select(t.selection.c.item_id).distinct()).scalars().all()
        for number, item in enumerate(sorted(picked)):
            attack = ATTACKS[number % len(ATTACKS)]
            key = attack if number < len(ATTACKS) else f"{attack} {number}"
            paths = (str(outside), "../../etc/passwd", "/proc/self/environ", f"{site.folder}/../outside.txt")
            payload = {"path": paths[number % 4]} if number % 3 == 0 else {"text": f"{attack} {SECRET[:6]}"}
            changed = t.item.update().where(t.item.c.id == item).values(key=key, payload=payload)
            connection.execute(changed)
            neighbour = t.selection.update().where(t.selection.c.item_id == item).values(neighbour=attack)
            connection.execute(neighbour)
    with site.store.begin() as tx:
        (project,) = tx.projects.all()
        for attack in ATTACKS:
            tx.results.note(project.id, "asked", attack, actor=attack)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> MadeSite:
    folder = tmp_path_factory.mktemp("hostile")
    outside = folder / "outside.txt"
    outside.write_text(SECRET)
    make_database(folder / "project", BOOM).close()
    made = show(folder / "project")
    _plant(made, outside)
    return made


def _report(site: MadeSite, *more: str) -> int:
    return run(["report", "--config", str(site.folder / "workbench.toml"), *more])


def test_on_a_terminal_it_is_text(site: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    for panel in PANELS:
        assert _report(site, "--panel", panel.name) == 0
    assert run(["log", "--config", str(site.folder / "workbench.toml"), "--limit", "100"]) == 0
    said = capsys.readouterr()
    assert COMMAND.findall(said.out + said.err) == []
    assert "<script>alert(1)" in said.out


def test_as_json_it_is_itself(site: MadeSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert _report(site, "--json") == 0
    out = capsys.readouterr().out
    assert COMMAND.findall(out) == []
    said = json.dumps(json.loads(out), ensure_ascii=False)
    assert ATTACKS[0] in said


def test_in_spreadsheets_it_calculates_nothing(site: MadeSite, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    assert _report(site, "--csv", str(folder)) == 0
    cells = [
        cell
        for path in folder.glob("*.csv")
        for row in csv.reader(path.read_text().splitlines(keepends=True))
        for cell in row
    ]
    assert any("cmd|" in cell for cell in cells)
    assert [cell for cell in cells if FORMULA.match(cell) and not _is_number(cell)] == []
    assert [cell for cell in cells if COMMAND.search(cell)] == []
    assert {path.parent for path in tmp_path.rglob("*.csv")} == {folder}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_in_the_file_it_is_text(site: MadeSite, tmp_path: Path) -> None:
    assert _report(site, "--output", str(tmp_path / "report.html")) == 0
    page = (tmp_path / "report.html").read_text()
    _check_page(page)
    assert "&lt;script&gt;alert(1)" in page


def test_on_every_page_it_is_text_and_no_picture_is_read_from_outside(site: MadeSite) -> None:
    base = f"/projects/{site.slugs[BOOM.name]}"
    pages = [
        *(f"{base}/panels/{panel.name}?whole=true" for panel in PANELS),
        *(f"{base}/rounds/{number}" for number in range(4)),
        *(f"{base}/item?key={quote(attack)}" for attack in ATTACKS),
        base,
        f"{base}/log",
        "/",
    ]
    for path in pages:
        answer = site.ask(path)
        assert answer.status_code == 200, path
        _check_page(answer.text)
    found = set()
    for attack in ATTACKS:
        for small in ("", "&small=1"):
            answer = site.ask(f"{base}/item/picture?key={quote(attack)}{small}")
            assert SECRET not in answer.text
            assert "root:" not in answer.text
            found.add(answer.status_code)
    assert found == {404}


class _Elements(HTMLParser):
    """What a browser would make of a page, as far as it could do harm."""

    def __init__(self) -> None:
        super().__init__()
        self.harmful: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        leads = [values.get(name, "").strip().lower() for name in ("href", "src", "action", "xlink:href")]
        runs = any(name.startswith("on") for name in values) or any(
            x.startswith("javascript:") for x in leads
        )
        ours = values.get("type") == "application/json" or values.get("src", "").startswith("/static/")
        if runs or tag in ("iframe", "object", "embed") or (tag == "script" and not ours):
            self.harmful.append(self.get_starttag_text() or tag)


def _check_page(page: str) -> None:
    """No element of it is anybody's but ours."""
    elements = _Elements()
    elements.feed(page)
    assert elements.harmful == []
    assert SECRET not in page
    # The content of an item stands in a block of its own, as it is: directions are part of a language.
    around = re.sub(r'<p class="text" dir="auto">.*?</p>', "", page, flags=re.DOTALL)
    assert COMMAND.findall(around) == []


@pytest.fixture(scope="module")
def base(site: MadeSite) -> Iterator[str]:
    with served(site.app) as address:
        yield address


@pytest.mark.browser
def test_a_browser_runs_nothing_of_it(site: MadeSite, base: str) -> None:
    if not CHROMIUM.exists():
        pytest.skip("No /usr/bin/chromium: 'apt-get install chromium' runs the tests in a browser.")
    sync_api = pytest.importorskip("playwright.sync_api", reason="'pip install playwright' drives it.")
    home = f"{base}/projects/{site.slugs[BOOM.name]}"
    paths = (
        "/panels/coverage",
        "/panels/batch",
        "/panels/annotators",
        "/panels/integrity",
        "/rounds/3",
        "/log",
    )
    faults: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page()
        page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.extend([said.text] if "Policy" in said.text else []))
        page.on("request", lambda asked: faults.extend(_elsewhere(asked.url, base)))
        for path in paths:
            page.goto(f"{home}{path}?whole=true" if "panels" in path else f"{home}{path}")
            page.wait_for_load_state("networkidle")
            _hover(page)
            assert page.locator("main script:not([type='application/json']), main iframe").count() == 0
            assert page.locator("a[href^='javascript:'], svg a").count() == 0
        browser.close()
    assert faults == []


def _elsewhere(url: str, base: str) -> list[str]:
    return [] if url.startswith((base, "data:", "blob:")) else [url]


def _hover(page: "Page") -> None:
    """Go over the charts: what they say of a point is words of anybody too."""
    for layer in page.locator(".nsewdrag").all()[:2]:
        box = layer.bounding_box()
        for share in (0.15, 0.5, 0.85) if box else ():
            assert box is not None
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * share)
            page.wait_for_timeout(30)
