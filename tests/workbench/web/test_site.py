"""The law of what is served: files and databases change under it, and every page says what is so now."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.faults.little_project import prepare
from tests.workbench.web.little_desk import LittleDesk
from workbench.domain.roles import Role
from workbench.reports.reading import read_report
from workbench.storage.store import open_store
from workbench.storage.tables import token
from workbench.web import noting
from workbench.web.site import Site

BASE = "/projects/spots"
API = f"/api/v1{BASE}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("made") / "p", "spots", "embedded")


class Served(LittleDesk):
    """A desk whose clock goes when it is told to."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seconds = 0.0
        self.site.ticking = lambda: self.seconds

    def later(self) -> None:
        self.seconds += 60.0

    def edit(self, old: str, new: str) -> None:
        self.config.write_text(self.config.read_text().replace(old, new))

    def terms(self, panel: str = "headline") -> dict[str, Any]:
        found: dict[str, Any] = self.client().get(f"{API}/panels/{panel}").json()["terms"]
        return found


@pytest.fixture
def desk(made: Path, tmp_path: Path) -> Iterator[Served]:
    shutil.copytree(made.parent, tmp_path / "p")
    opened = Served(tmp_path / "p" / "workbench.toml")
    yield opened
    opened.close()


def test_what_the_file_says_of_the_budget_counts_on_the_next_page_and_in_old_reports_as_it_was(
    desk: Served,
) -> None:
    assert desk.terms()["max_labels"] is None
    with desk.store.read() as tx:
        (project,), before = tx.projects.all(), tx.now
    desk.edit("[budget]", "[budget]\nmax_labels = 77")
    assert desk.terms()["max_labels"] == 77
    assert [e for e in desk.trail() if e[0] == "terms-file"] != []
    with desk.store.read() as tx:
        after = tx.now
    desk.edit("max_labels = 77", "max_labels = 78")
    assert desk.terms()["max_labels"] == 78
    desk.client().get(BASE)
    assert len([e for e in desk.trail() if e[0] == "terms-file"]) == 2, "each change is noted once"
    known = [
        read_report(desk.store, project, panels=["headline"], at=at).terms.max_labels
        for at in (before, after)
    ]
    assert known == [None, 77]


def test_a_database_that_is_locked_holds_no_page_up_for_the_file(
    desk: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noting, "PATIENCE_SECONDS", 0.1)
    desk.client().get(BASE)
    with desk.store.begin():
        desk.edit("[budget]", "[budget]\nmax_labels = 77")
        assert desk.terms()["max_labels"] is None
    while desk.terms()["max_labels"] is None:
        desk.client().get(BASE)
    assert desk.terms()["max_labels"] == 77


def test_who_may_not_change_the_budget_reads_what_to_type_where_that_is_theirs_to_decide(
    desk: Served,
) -> None:
    assert "workbench serve" not in desk.client(Role.OPERATOR).get(f"{BASE}/budget").text
    with desk.store.engine.begin() as connection:
        connection.execute(token.delete())
    here = TestClient(desk.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
    page = here.get(f"{BASE}/budget").text
    assert "workbench budget set max_labels=1500" in page
    assert "workbench serve --local-role admin" in page


@pytest.mark.parametrize("fault", ["broken", "gone", "elsewhere"])
def test_a_project_whose_file_breaks_is_still_there_to_be_read(desk: Served, fault: str) -> None:
    client, whole = desk.client(Role.ADMIN), desk.config.read_text()
    assert client.get(BASE).status_code == 200
    if fault == "gone":
        desk.config.unlink()
    elif fault == "broken":
        desk.config.write_text("[project\n")
    else:
        desk.config.write_text(whole + '[storage]\ndatabase = "sqlite:///nowhere.db"\n')
    for path in (BASE, f"{BASE}/panels/headline?whole=true", f"{BASE}/rounds", f"{API}/now"):
        assert client.get(path).status_code == 200, path
    page = client.get(f"{BASE}/live").text
    assert "Nothing can be done while workbench.toml can not be read" in page
    refused = client.post(f"{API}/acts/start")
    assert refused.status_code == 409
    assert "workbench.toml" in refused.json()["detail"]
    assert client.patch(f"{API}/budget", json={"max_labels": 9}).status_code == 409
    assert desk.wanted == []
    desk.config.write_text(whole)
    assert "Start a round" in client.get(f"{BASE}/live").text


def test_a_project_that_is_added_to_a_folder_is_shown_without_a_restart(desk: Served) -> None:
    desk.site.find = lambda: sorted(desk.config.parent.parent.glob("*/workbench.toml"))

    def names() -> set[str]:
        return {place.project.name for place in desk.site.places()}

    assert names() == {"spots"}
    prepare(desk.config.parent.parent / "q", "api", "embedded")
    assert names() == {"spots"}, "folders are not searched for every page"
    desk.later()
    assert names() == {"spots", "api"}
    desk.site.find = list
    desk.later()
    assert names() == {"spots", "api"}, "a folder that is away for a while takes nothing along"


@pytest.mark.parametrize(
    ("revision", "words"), [("0002", "workbench db upgrade"), ("9999", "a newer workbench")]
)
def test_a_database_that_changes_its_revision_is_refused_in_words_until_it_is_right(
    desk: Served, revision: str, words: str
) -> None:
    client = desk.client()
    assert client.get(BASE).status_code == 200

    def put(number: str) -> str:
        with desk.store.engine.begin() as connection:
            before = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
            connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{number}'"))
        desk.later()
        return str(before)

    right = put(revision)
    answer = client.get(f"{API}/now")
    assert answer.status_code == 503, "nobody is told that a good token opens nothing"
    assert any(words in fault.words for fault in desk.site.faults())
    put(right)
    assert client.get(BASE).status_code == 200
    assert desk.site.faults() == []


def test_another_file_where_the_database_stood_is_the_database_from_then_on(desk: Served) -> None:
    client, file = desk.client(), desk.store.file
    assert file is not None
    assert client.get(BASE).status_code == 200
    copy = file.with_name("copy.db")
    with sqlite3.connect(file) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    restored = open_store(f"sqlite:///{copy}")
    with restored.begin() as tx:
        tx.tokens.revoke("otto")
    restored.close()
    for each in sorted(file.parent.glob(f"{file.name}*")):
        each.rename(each.with_name(f"before-{each.name}"))
    desk.later()
    gone = client.get(f"{API}/now")
    assert gone.status_code == 503
    assert not file.exists(), "to look for it makes none"
    copy.rename(file)
    desk.later()
    assert client.get(f"{API}/now").status_code == 401, "what was revoked there opens nothing"
    vera = desk.client(Role.VIEWER)
    assert vera.get(f"{API}/now").status_code == 200
    with desk.site.stores()[0].begin() as tx:
        tx.tokens.revoke("vera")
    assert vera.get(f"{API}/now").status_code == 401


@pytest.mark.parametrize(
    "name",
    ["api", "static", "login", "sign-in", "a b/c", "../x", "ümläut 猫", "<script>", "x" * 50, "%2e%2e"],
)
def test_a_project_may_be_called_anything(made: Path, tmp_path: Path, name: str) -> None:
    config = Path(shutil.copytree(made.parent, tmp_path / "p")) / "workbench.toml"
    config.write_text(config.read_text().replace('name = "spots"', f"name = {json.dumps(name)}"))
    desk = LittleDesk(config)
    with desk.store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE project SET name = :name"), {"name": name})
    (place,) = Site([config]).places()
    for part in ("", "/live", "/rounds", "/log", "/budget", "/panels/headline"):
        assert desk.client().get(f"/projects/{place.slug}{part}").status_code == 200, part
    desk.close()
