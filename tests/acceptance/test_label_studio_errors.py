"""A Label Studio that is away, refuses us or does not fit: said in words; mended, the round goes on."""

from typing import Any
from uuid import uuid4

import pytest

from connectors.labelers.label_studio_http import LabelStudioClient, open_client
from tests.conftest import RealLabelStudio

pytestmark = pytest.mark.external
CLASSES = ("low", "middle", "high")
CHOICES = "".join(f'<Choice value="{name}"/>' for name in CLASSES)
OWN = f'<View><Text name="shown" value="$body"/><Choices name="c" toName="shown">{CHOICES}</Choices></View>'
OTHER_CLASSES = OWN.replace("middle", "medium")
NO_CONTROL = '<View><Text name="shown" value="$body"/></View>'


def _make(studio: RealLabelStudio, config: str) -> int:
    with open_client(studio.url, studio.owner.token, timeout=60) as client:
        assert isinstance(client, LabelStudioClient)
        made = client.post(
            "/api/projects/", json={"title": f"theirs {uuid4().hex[:8]}", "label_config": config}
        )
        found: int = made.json()["id"]
        return found


def _ready(
    folder: Any, studio: RealLabelStudio, *, key: str | None = None, url: str | None = None, more: str = ""
) -> None:
    folder.ready()
    folder.configure(labeler="label-studio", more=more)
    text = (folder.path / "workbench.toml").read_text().replace('"a project"', f'"ours {uuid4().hex[:8]}"')
    folder.write(text)
    folder.write(
        f"LABEL_STUDIO_URL={url or studio.url}\nLABEL_STUDIO_API_KEY={key or studio.owner.token}\n", ".env"
    )
    added = folder.type("pool", "add", "items.csv", "--features", "x,y", "--key", "key", "--label", "label")
    assert added.code == 0, added.err


def _mended(folder: Any, studio: RealLabelStudio) -> None:
    folder.write(f"LABEL_STUDIO_URL={studio.url}\nLABEL_STUDIO_API_KEY={studio.owner.token}\n", ".env")
    resumed = folder.type("round", "resume", "--json")
    assert resumed.code == 0, resumed.err
    assert (resumed.json["state"], len(resumed.json["picked"])) == ("labeling", 6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"key": "0" * 40}, ("LABEL_STUDIO_API_KEY",)),
        ({"url": "http://127.0.0.1:9"}, ("127.0.0.1:9",)),
        ({"url": "path"}, ("LABEL_STUDIO_URL",)),
    ],
)
def test_a_wrong_address_or_token_is_named_and_nothing_is_lost(
    folder: Any, label_studio: RealLabelStudio, wrong: dict[str, str], words: tuple[str, ...]
) -> None:
    if wrong.get("url") == "path":
        wrong = {"url": label_studio.url + "/somewhere/else"}
    _ready(folder, label_studio, **wrong)
    for command in (("doctor",), ("round", "ask")):
        typed = folder.type(*command)
        assert typed.code == 1
        for word in words:
            assert word in typed.err, typed.err
        for secret in (label_studio.owner.token, "0" * 40, "Traceback"):
            assert secret not in typed.err + typed.out
    if folder.type("round", "list", "--json").json["rounds"]:
        _mended(folder, label_studio)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (NO_CONTROL, ("Choices",)),
        (OTHER_CLASSES, ("medium", "middle")),
        (None, ("999999",)),
    ],
)
def test_a_project_that_does_not_fit_is_refused_with_the_difference(
    folder: Any, label_studio: RealLabelStudio, config: str | None, words: tuple[str, ...]
) -> None:
    number = _make(label_studio, config) if config else 999999
    _ready(folder, label_studio, more=f"project_id = {number}")
    for command in (("doctor",), ("round", "ask")):
        typed = folder.type(*command)
        assert typed.code == 1
        for word in words:
            assert word in typed.err, typed.err
    text = (folder.path / "workbench.toml").read_text().replace(f"project_id = {number}", "")
    folder.write(text)
    _mended(folder, label_studio)


def test_a_project_with_its_own_configuration_is_adopted(folder: Any, label_studio: RealLabelStudio) -> None:
    number = _make(label_studio, OWN)
    _ready(folder, label_studio, more=f"project_id = {number}")
    assert folder.type("doctor").code == 0
    asked = folder.type("round", "ask", "--json").json
    with open_client(label_studio.url, label_studio.owner.token, timeout=60) as client:
        tasks = client.get("/api/tasks", params={"project": number, "page_size": 50, "fields": "all"}).json()[
            "tasks"
        ]
    assert {task["data"]["item_id"] for task in tasks} == {pick["item_key"] for pick in asked["picked"]}
    assert all(task["data"]["body"].startswith("x: ") for task in tasks), "their own variable is filled"


def test_what_label_studio_lets_through_does_not_become_a_label(
    folder: Any, label_studio: RealLabelStudio
) -> None:
    _ready(folder, label_studio)
    asked = folder.type("round", "ask", "--json").json
    wrong: list[Any] = [
        [],
        [{"foo": 1}],
        [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["huge"]}}],
        [{"from_name": "other", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}],
    ]
    with open_client(label_studio.url, label_studio.owner.token, timeout=60) as client:
        ids = _task_ids(folder)
        for task_id, result in zip(ids, wrong, strict=False):
            client.post(f"/api/tasks/{task_id}/annotations/", json={"result": result})
        keeps = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}]
        client.post(f"/api/tasks/{ids[4]}/annotations/", json={"result": keeps, "was_cancelled": True})
        client.post(f"/api/tasks/{ids[5]}/annotations/", json={"result": keeps, "lead_time": 4.5})
    told = folder.type("round", "tell", "--json").json
    assert (told["pulled"]["labels"], told["progress"]["invalid"], told["state"]) == (1, 4, "labeling")
    picks = folder.type("round", "show", "--json").json["picks"]
    assert [pick["item"] for pick in picks if pick["label"]] == [asked["picked"][5]["item_key"]]
    people = folder.type("report", "--json").json["annotators"]
    assert (people[0]["seconds"], people[0]["invalid"], people[0]["skipped"]) == (4.5, 4, 1)


def test_a_deleted_task_is_noticed_and_does_not_hold_the_round_up(
    folder: Any, label_studio: RealLabelStudio
) -> None:
    _ready(folder, label_studio)
    folder.type("round", "ask")
    keeps = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["low"]}}]
    with open_client(label_studio.url, label_studio.owner.token, timeout=60) as client:
        first, *others = _task_ids(folder)
        client.delete(f"/api/tasks/{first}/")
        for number, task_id in enumerate(others):
            label = [{**keeps[0], "value": {"choices": [CLASSES[number % 3]]}}]
            client.post(f"/api/tasks/{task_id}/annotations/", json={"result": label})
    told = folder.type("round", "tell", "--json").json
    assert (told["state"], told["pulled"]["labels"]) == ("closed", 5)
    picks = folder.type("round", "show", "--json").json["picks"]
    assert [pick["task"] for pick in picks].count("gone") == 1


def _task_ids(folder: Any) -> list[str]:
    import sqlite3

    with sqlite3.connect(folder.path / "workbench.db") as database:
        rows = database.execute("SELECT external_id FROM task ORDER BY id").fetchall()
    return [row[0] for row in rows]
