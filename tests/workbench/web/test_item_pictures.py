"""The law of served pictures: what the database says is believed by nobody, and old projects show theirs."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image
from starlette.testclient import TestClient

from tests.workbench.web.little_desk import LittleDesk
from workbench.bootstrap import add_to_pool, upgrade_database
from workbench.config.load import load_settings
from workbench.domain.roles import Role
from workbench.steps.present import picture_name
from workbench.web import showing
from workbench.web.pictures import picture_app

CONFIG = """
[project]
name = "views"
task = "image-classification"
classes = ["cat", "dog"]
[labeler]
kind = "embedded"
"""
ODD = "cat/<script>alert(1)<!-- =cmd() '\"&.png"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures, held out, so that the database knows them."""
    folder = tmp_path_factory.mktemp("views")
    numbers = iter(range(100))
    for name in ("cat/1.png", "cat/2.png", "dog/3.png", "dog/photo.jpg", ODD):
        path = folder / "pool" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1200, 800) if name.endswith("jpg") else (8, 8), next(numbers)).save(path)
    config = folder / "workbench.toml"
    config.write_text(CONFIG)
    upgrade_database(config)
    add_to_pool(config, folder / "pool", label="folders", test_share=1.0)
    return config


@pytest.fixture
def desk(project: Path) -> Iterator[LittleDesk]:
    opened = _desk(project)
    yield opened
    opened.close()


def _desk(project: Path) -> LittleDesk:
    store = load_settings(project).database_url
    engine = sa.create_engine(store)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM token"))
    engine.dispose()
    return LittleDesk(project)


def _get(client: TestClient, key: str, **query: str) -> tuple[int, str, bytes]:
    found = client.get("/projects/views/item/picture", params={"key": key, **query})
    assert found.headers["x-content-type-options"] == "nosniff"
    if found.headers["content-type"].startswith("image/"):
        assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
        Image.open(io.BytesIO(found.content)).load()
    return found.status_code, found.headers["content-type"], found.content


def test_pictures_of_the_pool_are_shown_whole_and_small_to_whoever_may_look(
    desk: LittleDesk, project: Path
) -> None:
    client = desk.client(Role.VIEWER)
    whole = _get(client, "dog/photo.jpg")
    assert whole == (200, "image/jpeg", (project.parent / "pool/dog/photo.jpg").read_bytes())
    status, kind, small = _get(client, "dog/photo.jpg", small="1")
    assert (status, kind) == (200, "image/webp")
    assert Image.open(io.BytesIO(small)).size == (240, 160)
    assert _get(client, "cat/1.png", small="1")[:2] == (200, "image/png")
    assert _get(client, ODD)[:2] == (200, "image/png")
    assert (
        TestClient(desk.app, headers={"Accept": "application/json"})
        .get("/projects/views/item/picture", params={"key": "cat/1.png"})
        .status_code
        == 401
    )


def test_a_folder_that_does_not_answer_is_not_waited_for_by_everybody(
    desk: LittleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "PATIENCE_SECONDS", 0.05)
    client, shown = desk.client(Role.VIEWER), desk.desk.showing
    with shown._turn(), shown._turn():
        assert _get(client, "cat/1.png")[:2] == (404, "image/png")
    assert _get(client, "cat/1.png")[0] == 200


def test_a_picture_that_the_browser_has_is_not_sent_again(desk: LittleDesk) -> None:
    client = desk.client()
    first = client.get("/projects/views/item/picture?key=cat/1.png")
    mark = first.headers["etag"]
    again = client.get("/projects/views/item/picture?key=cat/1.png", headers={"If-None-Match": mark})
    assert (again.status_code, again.content) == (304, b"")
    small = client.get("/projects/views/item/picture?key=cat/1.png&small=1", headers={"If-None-Match": mark})
    assert small.status_code == 200


@pytest.mark.parametrize("key", ["none", "../../etc/passwd", "/etc/passwd", "", "a\0b", "\ud83d", "cat"])
def test_what_is_no_item_is_not_there(desk: LittleDesk, key: str) -> None:
    found = desk.client().get("/projects/views/item/picture", params={"key": key.encode("utf-8", "replace")})
    assert found.status_code == 404


def _put(desk: LittleDesk, key: str, path: str) -> None:
    with desk.store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE item SET payload = :payload WHERE key = :key"),
            {"payload": json.dumps({"path": path}), "key": key},
        )


@pytest.mark.parametrize("name", ["passwd", "up", "pipe", "link", "changed", "page", "missing", "bomb"])
def test_an_attacked_item_shows_a_card_that_says_why_on_both_doors(
    desk: LittleDesk, project: Path, name: str
) -> None:
    pool = project.parent / "pool"
    place = pool / "cat" / f"attack-{name}.png"
    paths = {"passwd": "/etc/passwd", "up": f"{pool}/../../../../../../../etc/passwd"}
    if name == "pipe":
        os.mkfifo(place)
    elif name == "link":
        Image.new("RGB", (8, 8)).save(project.parent / "private.png")
        place.symlink_to(project.parent / "private.png")
    elif name == "changed":
        Image.new("RGB", (9, 9)).save(place)
    elif name == "page":
        place.write_text("<script>alert(1)</script>")
    elif name == "bomb":
        Image.new("1", (8000, 8000)).save(place)
    try:
        _put(desk, "cat/2.png", paths.get(name, str(place)))
        for small in ({}, {"small": "1"}):
            status, kind, card = _get(desk.client(Role.VIEWER), "cat/2.png", **small)
            assert (status, kind) == (404, "image/png")
            assert Image.open(io.BytesIO(card)).size == (320, 200)
        if name != "changed":
            assert _annotator(desk, "cat/2.png") == 404
    finally:
        _put(desk, "cat/2.png", str(pool / "cat" / "2.png"))
        place.unlink(missing_ok=True)
    assert _get(desk.client(), "cat/2.png")[0] == 200
    assert _annotator(desk, "cat/2.png") == 200


def _annotator(desk: LittleDesk, key: str) -> int:
    """What an annotator's browser is answered, under the name that the secret gives."""
    secret = b"s" * 32
    with desk.store.read() as tx:
        (found,) = tx.projects.all()
    client = TestClient(picture_app(desk.store, found, secret))
    answer = client.get(f"/pictures/{picture_name(secret, found.name, key)}", params={"item": key})
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code


def test_links_of_an_old_pool_lead_where_the_configuration_says_they_may(project: Path) -> None:
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    picture = project.parent / "pool" / "cat" / "1.png"
    picture.rename(elsewhere / "1.png")
    picture.symlink_to(elsewhere / "1.png")
    try:
        desk = _desk(project)
        assert _get(desk.client(), "cat/1.png")[0] == 404
        desk.close()
        project.write_text(f'{CONFIG}[storage]\npicture_folders = ["elsewhere"]\n')
        desk = _desk(project)
        assert _get(desk.client(), "cat/1.png")[0] == 200
        desk.close()
    finally:
        project.write_text(CONFIG)
        picture.unlink()
        (elsewhere / "1.png").rename(picture)
