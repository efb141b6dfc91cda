"""Every page in a real browser: quiet, by itself, open to everybody, harmless whatever is in the pool."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import CHROMIUM, FLAGS
from tests.workbench.web.sites import FILLED, MadeSite, served, show
from workbench.domain.roles import Role
from workbench.reports.panels.catalog import PANELS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
GRAVE = {"serious", "critical"}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
#: The long form looks at every project in every way.
EVERYTHING = "BROWSER_EVERYTHING" in os.environ
NAMES = [panel.name for panel in PANELS]


@dataclass
class Watched:
    """A page, and what it complained about or asked elsewhere."""

    page: "Page"
    base: str
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in _BAD else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("dialog", self._dialog)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.complaints.append(f"asked {url}")

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, path: str) -> "Page":
        """Open a page and wait until all that comes later has come."""
        self.page.goto(self.base + path)
        return self.until("!document.querySelector('.waiting, .htmx-request')")

    def until(self, truth: str) -> "Page":
        """Wait until an expression holds; playwright's own way needs eval, which our policy forbids."""
        for _ in range(1000):
            if self.page.evaluate(truth):
                return self.page
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{self.page.url}: never {truth}")

    def see_all(self) -> "Page":
        """Scroll through the page, and wait for its charts."""
        self.page.evaluate(
            "async () => { for (let y = 0; y <= document.body.scrollHeight; y += 600) { scrollTo(0, y);"
            " await new Promise(requestAnimationFrame); } scrollTo(0, 0); }"
        )
        return self.until(
            "[...document.querySelectorAll('figure[data-chart]')]"
            ".every((figure) => figure.matches('.drawn') || !figure.checkVisibility())"
        )

    def grave(self) -> list[str]:
        """What axe finds that keeps somebody out."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
            for each in found["violations"]
            if each["impact"] in GRAVE
            for node in each["nodes"][:3]
        ]


_BAD = {"error", "warning", "trace"}


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real headless browser."""
    if not CHROMIUM.exists():
        pytest.skip("No /usr/bin/chromium: 'apt-get install chromium' runs the tests in a browser.")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="'pip install playwright' drives the browser."
    )
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(made_folder: Path) -> MadeSite:
    """The made-up projects, open to this machine."""
    return show(made_folder)


@pytest.fixture(scope="module")
def base(site: MadeSite) -> Iterator[str]:
    """The same behind a real server."""
    with served(site.app) as address:
        yield address


@pytest.fixture(scope="module")
def desktop(browser: "Browser", base: str) -> Iterator[Watched]:
    """A page on a desk."""
    context = browser.new_context(**DESKTOP)
    yield Watched(context.new_page(), base)
    context.close()


@pytest.fixture(scope="module")
def phone(browser: "Browser", base: str) -> Iterator[Watched]:
    """A page on a phone, in the dark."""
    context = browser.new_context(**PHONE, color_scheme="dark")
    yield Watched(context.new_page(), base)
    context.close()


def paths(site: MadeSite, name: str) -> list[str]:
    """The pages of a project, panels first."""
    base = f"/projects/{site.slugs[name]}"
    return [
        *(f"{base}/panels/{panel}" for panel in NAMES),
        base,
        f"{base}/rounds",
        f"{base}/log",
        f"{base}/live",
    ]


def check(watched: Watched, path: str, *, axe: bool = True) -> None:
    """A page complains of nothing, keeps nobody out, and runs nothing of what it shows."""
    watched.complaints.clear()
    watched.open(path)
    watched.see_all()
    grave = watched.grave() if axe else []
    assert watched.complaints == [], path
    assert watched.dialogs == [], path
    assert grave == [], f"{path}\n" + "\n".join(grave)


@pytest.mark.parametrize("name", [FILLED.name, "empty", "one-round", "failed"])
def test_every_page_is_quiet_and_open_to_everybody(desktop: Watched, site: MadeSite, name: str) -> None:
    for path in ["/", *paths(site, name)]:
        check(desktop, path, axe=name == FILLED.name or EVERYTHING)


def test_every_page_fits_a_phone_and_the_dark(phone: Watched, site: MadeSite) -> None:
    wide = []
    for path in [
        "/",
        *paths(site, FILLED.name),
        f"{site.filled}/rounds/8",
        f"{site.filled}/item?key=item-0000500",
    ]:
        check(phone, path)
        if phone.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


def test_rounds_and_items_are_quiet_and_open_to_everybody(desktop: Watched, site: MadeSite) -> None:
    for path in (
        f"{site.filled}/rounds/8",
        f"{site.filled}/item?key=item-0000500",
        "/projects/failed/rounds/2",
    ):
        check(desktop, path)
    assert "failed here" in desktop.page.inner_text(".steps")


def test_what_is_in_the_pool_is_shown_as_text(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(f"{site.filled}/panels/coverage")
    desktop.see_all()
    assert "<script>alert(1)</script>" in page.inner_text("#table-coverage")
    assert "<script>alert(1)</script>" in page.evaluate(
        "[...document.querySelectorAll('.interactive text')].map((t) => t.textContent).join(' ')"
    )
    page = desktop.open(f"{site.filled}/rounds/8")
    assert "<img src=x onerror=alert(2)>" in page.inner_text("main")
    assert (
        page.evaluate("document.querySelectorAll('main script:not([type=\"application/json\"])').length") == 0
    )
    assert desktop.dialogs == []


def test_a_stranger_finds_the_answers_on_the_first_page(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(site.filled)
    said = {
        name: page.inner_text(f"#card-{name}") for name in NAMES if name not in ("headline", "budget_curve")
    }
    # How many labels until the target, is choosing ahead of random, which class lacks labels, who disagrees
    # most, is the model calibrated, may we stop?
    assert "94.0 %" in said["forecast"]
    assert "labels" in said["forecast"]
    assert "random" in said["savings"]
    assert "'arts'" in said["coverage"]
    assert "Cyril Sneer" in said["annotators"]
    assert "calibrat" in said["calibration"]
    assert "stop" in said["stopping"].casefold()
    assert page.inner_text(".first.headline .findings")


def test_the_theme_is_switched_and_charts_follow(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(f"{site.filled}/panels/budget_curve")
    desktop.see_all()
    line = "figure.drawn:not([hidden]) .interactive .lines path.js-line"
    ink = f"getComputedStyle(document.querySelector({line!r})).stroke"
    light = page.evaluate(ink)
    page.click("#theme")
    desktop.until(f"{ink} !== {light!r}")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_curve_is_shown_against_labels_money_or_hours(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(f"{site.filled}/panels/budget_curve")
    buttons = page.locator(".switch button")
    shown = page.locator("figure.plot:visible")
    assert buttons.count() == 3
    titles = []
    for place in range(3):
        buttons.nth(place).click()
        assert buttons.nth(place).get_attribute("aria-pressed") == "true"
        titles.append(shown.first.locator("h3").inner_text())
    assert len(set(titles)) == 3


def test_the_slider_asks_what_the_next_labels_would_bring(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(f"{site.filled}/panels/forecast")
    before = page.inner_text("#panel-body")
    with page.expect_response(lambda answer: "/body?labels=" in answer.url):
        page.locator("#labels").press("End")
    desktop.until(f"document.querySelector('#panel-body').innerText !== {json.dumps(before)}")
    most = page.locator("#labels").get_attribute("max")
    assert most is not None
    assert page.inner_text("output").replace("\u202f", "") == most


def test_everything_can_be_reached_with_the_keyboard(desktop: Watched, site: MadeSite) -> None:
    page = desktop.open(f"{site.filled}/panels/coverage")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.reload()
    desktop.until("!document.querySelector('.waiting')")
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "(() => { const a = document.activeElement, s = getComputedStyle(a);"
            " return [a.href || a.id || a.tagName, a === document.body || s.outlineStyle !== 'none']; })()"
        )
        assert where[1], f"{where[0]} does not show that it has the focus"
        reached.add(where[0])
    links = page.evaluate("[...document.querySelectorAll('.side a')].map((a) => a.href)")
    assert set(links) <= reached


def test_a_page_can_be_read_without_script(browser: "Browser", base: str, site: MadeSite) -> None:
    context = browser.new_context(java_script_enabled=False, **DESKTOP)
    page = context.new_page()
    page.goto(f"{base}{site.filled}/panels/savings")
    if page.locator("text=Show it").count():
        page.click("text=Show it")
    page.wait_for_selector(".findings li")
    assert page.locator(".canvas svg.chart, .canvas img").first.is_visible()
    context.close()


def test_somebody_signs_in_looks_and_leaves(browser: "Browser", made_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(made_folder, tmp_path / "guarded")
    guarded = show(tmp_path / "guarded", tokens=True)
    context = browser.new_context(**DESKTOP)
    with served(guarded.app) as address:
        watched = Watched(context.new_page(), address)
        page = watched.page
        page.goto(f"{address}/projects/empty/rounds")
        assert watched.grave() == []
        page.fill("#token", "a wrong one")
        page.click("button.main")
        assert "opens nothing" in page.inner_text("[role=alert]")
        page.fill("#token", guarded.tokens[Role.ADMIN])
        page.click("button.main")
        assert page.url == f"{address}/projects/empty/rounds"
        check(watched, "/tokens")
        page.fill("input[name=name]", "ada")
        page.click("button.main")
        assert page.inner_text("code.secret").startswith("wb_")
        page.click("text=Sign out")
        page.goto(f"{address}/")
        assert page.url.startswith(f"{address}/sign-in")
        # A refused token is an answer with status 401, which browsers write down.
        assert [each for each in watched.complaints if "401" not in each] == []
        page.goto("about:blank")
    context.close()


@pytest.mark.skipif(
    "BROWSER_EVERYTHING" not in os.environ, reason="BROWSER_EVERYTHING=1 looks at all projects so"
)
@pytest.mark.parametrize("name", ["empty", "one-round", "failed"])
def test_every_page_of_every_project_fits_a_phone_and_the_dark(
    phone: Watched, site: MadeSite, name: str
) -> None:
    for path in paths(site, name):
        check(phone, path)


def test_what_opens_over_a_page_is_closed_by_escape_and_by_a_click_beside_it(
    desktop: Watched, site: MadeSite
) -> None:
    page = desktop.open(f"{site.filled}/panels/stopping")
    is_open = "document.querySelector('.as-of-box').open"
    page.focus(".as-of-box summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(is_open)
    page.keyboard.press("Escape")
    assert not page.evaluate(is_open)
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY", "the keyboard is where it was"
    page.click(".as-of-box summary")
    page.click(".as-of-box input")
    assert page.evaluate(is_open)
    page.click("h1")
    assert not page.evaluate(is_open)


def test_who_is_shut_out_while_looking_is_told_and_led_to_the_door(
    browser: "Browser", made_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.web.live.HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr("workbench.web.live.RETRY_MILLISECONDS", 50)
    shutil.copytree(made_folder, tmp_path / "site")
    site = show(tmp_path / "site", tokens=True)
    with served(site.app) as base:
        context = browser.new_context(**DESKTOP)
        watched = Watched(context.new_page(), base)
        page = watched.open("/sign-in")
        page.fill("input[name=token]", site.tokens[Role.OPERATOR])
        page.click("main button")
        watched.open(f"/projects/{site.slugs['one-round']}/live")
        watched.until("document.querySelector('[data-live-state]').textContent === 'live'")
        with site.store.begin() as tx:
            tx.tokens.revoke(f"the {Role.OPERATOR}")
        watched.until("document.querySelector('[data-live-state]').textContent.includes('signed out')")
        page.click("text=Sign in again")
        assert "/sign-in?next=" in page.url
        context.close()


def test_where_the_system_gives_the_colours_it_is_seen_what_is_chosen_and_how_far_a_round_is(
    browser: "Browser", base: str, site: MadeSite
) -> None:
    context = browser.new_context(**DESKTOP, forced_colors="active")
    watched = Watched(context.new_page(), base)
    page = watched.open(f"{site.filled}/panels/budget_curve")
    ground = (
        "[...document.querySelectorAll('.switch button')].map((it) => getComputedStyle(it).backgroundColor)"
    )
    chosen, *others = page.evaluate(ground)
    assert chosen not in others
    page = watched.open(f"{site.filled}/rounds/8")
    border = "(name) => getComputedStyle(document.querySelector(`.steps .${name}`)).borderTopColor"
    assert page.evaluate(border, "done") != page.evaluate(border, "ahead")
    watched.until("document.querySelector('progress')")
    bar = "getComputedStyle(document.querySelector('progress')).borderTopStyle"
    assert page.evaluate(bar) == "solid", "how many are answered has an edge"
    context.close()


def test_paper_is_light_and_has_whole_charts_whatever_the_screen_is(
    browser: "Browser", base: str, site: MadeSite
) -> None:
    context = browser.new_context(**DESKTOP, color_scheme="dark")
    watched = Watched(context.new_page(), base)
    page = watched.open(f"{site.filled}/panels/calibration")
    ink = "getComputedStyle(document.body).color"
    widest = "Math.max(...[...document.querySelectorAll('svg.main-svg')].map((each) => each.clientWidth))"
    watched.until("document.querySelector('.drawn')")
    assert (page.evaluate(ink), page.evaluate(widest) > 800) == ("rgb(230, 235, 241)", True)
    shade = "getComputedStyle(document.querySelector('.scroll')).backgroundImage"
    assert "linear-gradient" in page.evaluate(shade), "tables that go on beyond the edge say so"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    # Those further down, too, though nobody has scrolled there.
    watched.until(
        "[...document.querySelectorAll('figure[data-chart]')].every((each) => each.matches('.drawn'))"
    )
    assert (page.evaluate(ink), page.evaluate(shade)) == ("rgb(29, 39, 51)", "none")
    legends = "[...new Set([...document.querySelectorAll('.legendtext')].map((each) => each.style.fill))]"
    assert page.evaluate(legends) == ["rgb(29, 39, 51)"]
    assert 500 < page.evaluate(widest) <= 688, "A4 without its margins"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen", color_scheme="dark")
    watched.until(f"{widest} > 800")
    assert page.evaluate(ink) == "rgb(230, 235, 241)"
    context.close()
