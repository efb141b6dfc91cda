"""A project of 200 rounds and 50 classes in a real browser: every page comes, whole and quiet.

In the long form (LONG_PROJECT_BATCH=600) it has more than 100,000 labels.
"""

import os

import pytest

from tests.fixtures.made_up import MadeUp
from tests.workbench.web.sites import MadeSite, make_database, served, show
from tests.workbench.web.test_in_a_browser import DESKTOP, Watched, browser, check, paths

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
LONG = MadeUp(
    name="long",
    rounds=200,
    batch=int(os.environ.get("LONG_PROJECT_BATCH", "20")),
    classes=[f"class {number:02d}" for number in range(50)],
    people={f"person {number:02d}": 0.02 * number for number in range(20)},
    rare=["class 07"],
    test_items=400,
    pool=1_000_000,
    diagnosed=False,
    foreseen=1,
    open_round=True,
)


@pytest.fixture(scope="module")
def long_site(tmp_path_factory: pytest.TempPathFactory) -> MadeSite:
    """The long project, open to this machine."""
    folder = tmp_path_factory.mktemp("long")
    make_database(folder, LONG).close()
    return show(folder, patience=300.0)


def test_every_page_of_a_long_project_is_quiet_and_whole(browser, long_site: MadeSite) -> None:  # type: ignore[no-untyped-def]
    context = browser.new_context(**DESKTOP)
    with served(long_site.app) as address:
        watched = Watched(context.new_page(), address)
        pages = [*paths(long_site, LONG.name), f"/projects/{long_site.slugs[LONG.name]}/rounds/199"]
        for path in pages:
            check(watched, path, axe=False)
            text = watched.page.locator("main").inner_text()
            assert len(text) > 40, path
    context.close()
