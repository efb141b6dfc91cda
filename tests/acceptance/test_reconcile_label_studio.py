"""reconcile against a real Label Studio: what people can do there by hand, found, named and mended."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from connectors.labelers.label_studio_http import LabelStudioClient, open_client
from tests.acceptance.conftest import Folder
from tests.conftest import RealLabelStudio

pytestmark = pytest.mark.external
FIXED, FIXABLE, PERSON, LEFT = "fixed", "with --fix", "needs a person", "left alone"
TEXT = {"type": "choices", "from_name": "label", "to_name": "text"}


class Studio:
    """A project in Label Studio, and what hands can do in it."""

    def __init__(self, folder: Folder, client: LabelStudioClient) -> None:
        self.folder = folder
        self.client = client
        self.id = int(self.folder.type("reconcile", "--json").json["tasks_there"] and self._project())

    def _project(self) -> int:
        import sqlite3

        with sqlite3.connect(self.folder.path / "workbench.db") as database:
            return int(database.execute("SELECT external_id FROM labeler_link").fetchone()[0])

    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/api/projects/{self.id}/").json()
        return found

    def change(self, **values: object) -> None:
        self.client.patch(f"/api/projects/{self.id}/", json=values)

    def tasks(self) -> list[dict[str, Any]]:
        query: dict[str, str | int] = {"project": self.id, "page_size": 100, "fields": "all"}
        return sorted(self.client.get("/api/tasks", params=query).json()["tasks"], key=lambda t: int(t["id"]))

    def annotate(self, task: dict[str, Any], label: str, tag: str = "label") -> int:
        body = {"result": [{**TEXT, "from_name": tag, "value": {"choices": [label]}}], "lead_time": 2.0}
        made: int = self.client.post(f"/api/tasks/{task['id']}/annotations/", json=body).json()["id"]
        return made

    def send(self, *tasks: dict[str, Any]) -> None:
        self.client.post(f"/api/projects/{self.id}/import", json=list(tasks))

    def act(self, action: str, *tasks: dict[str, Any]) -> None:
        body = {"selectedItems": {"all": False, "included": [task["id"] for task in tasks]}}
        self.client.post("/api/dm/actions", params={"id": action, "project": self.id}, json=body)

    def reconcile(self, *words: str) -> tuple[int, Counter[tuple[str, str]]]:
        typed = self.folder.type("reconcile", "--json", *words)
        assert typed.out, typed.err
        found = json.loads(typed.out)["findings"]
        return typed.code, Counter((f["kind"], f["outcome"]) for f in found)


@pytest.fixture(scope="module")
def client(label_studio: RealLabelStudio) -> Iterator[LabelStudioClient]:
    with open_client(label_studio.url, label_studio.owner.token, timeout=60) as opened:
        yield opened


@pytest.fixture
def studio(folder: Folder, label_studio: RealLabelStudio, client: LabelStudioClient) -> Studio:
    """A round that waits for answers in Label Studio."""
    folder.ready()
    folder.configure(labeler="label-studio")
    text = (folder.path / "workbench.toml").read_text().replace('"a project"', f'"ours {uuid4().hex[:8]}"')
    folder.write(text)
    folder.write(
        f"LABEL_STUDIO_URL={label_studio.url}\nLABEL_STUDIO_API_KEY={label_studio.owner.token}\n", ".env"
    )
    words = ("--features", "x,y", "--key", "key", "--label", "label")
    assert folder.type("pool", "add", "items.csv", *words).code == 0
    assert folder.type("round", "ask").code == 0
    return Studio(folder, client)


def test_what_hands_do_to_tasks_and_answers_is_found_and_mended(studio: Studio) -> None:
    assert studio.reconcile() == (0, Counter())
    one, two, three, four, five, six = studio.tasks()
    edited, deleted = studio.annotate(one, "low"), studio.annotate(two, "low")
    assert studio.folder.type("round", "tell").code == 0
    studio.client.patch(
        f"/api/annotations/{edited}/", json={"result": [{**TEXT, "value": {"choices": ["high"]}}]}
    )
    studio.client.delete(f"/api/annotations/{deleted}/")
    studio.annotate(three, "middle")
    studio.client.delete(f"/api/tasks/{four['id']}/")
    studio.send({"data": five["data"]}, {"data": {"text": "by hand"}})
    studio.act("delete_tasks_predictions", six)
    studio.change(sampling="Sequential sampling", maximum_annotations=4)
    expected = {"edited": 1, "deleted": 1, "unread": 1, "missing": 1, "doubled": 1, "settings": 2}
    expected["out-of-order"] = 2  # a copy by hand has no place in the queue either
    code, found = studio.reconcile()
    assert code == 1
    assert found == {("foreign", LEFT): 1, **{(kind, FIXABLE): n for kind, n in expected.items()}}
    code, found = studio.reconcile("--fix")
    assert code == 0
    assert found == {("foreign", LEFT): 1, **{(kind, FIXED): n for kind, n in expected.items()}}
    assert studio.reconcile() == (0, Counter({("foreign", LEFT): 1}))
    assert len(studio.tasks()) == 7, "six of ours, and the one that is not"
    assert (studio.settings()["sampling"], studio.settings()["maximum_annotations"]) == (
        "Uncertainty sampling",
        1,
    )
    assert studio.folder.type("round", "tell", "--json").json["progress"]["answered"] == 2


def test_the_place_of_a_copy_that_is_removed_is_given_to_no_other_task(studio: Studio) -> None:
    one, two, three, *_ = studio.tasks()
    studio.client.delete(f"/api/tasks/{one['id']}/")
    studio.client.delete(f"/api/tasks/{two['id']}/")
    # The newest numbers: those that are sent again get them when the copies are gone.
    studio.send({"data": three["data"]}, {"data": three["data"]})
    assert studio.reconcile("--fix")[0] == 0
    assert studio.reconcile() == (0, Counter())
    guesses = {task["data"]["item_id"]: task["predictions"][0]["score"] for task in studio.tasks()}
    assert len(set(guesses.values())) == 6


def test_another_model_version_by_hand_is_released_again(studio: Studio) -> None:
    mine = studio.settings()["model_version"]
    result = [{**TEXT, "value": {"choices": ["low"]}}]
    theirs = [
        {"task": t["id"], "result": result, "score": 0.5, "model_version": "theirs"} for t in studio.tasks()
    ]
    studio.client.post(f"/api/projects/{studio.id}/import/predictions", json=theirs)
    studio.change(model_version="theirs")
    assert studio.reconcile()[1] == {("release", FIXABLE): 1}
    assert studio.reconcile("--fix") == (0, Counter({("release", FIXED): 1}))
    assert studio.settings()["model_version"] == mine


def test_a_class_renamed_by_hand_is_named_and_never_changed_by_us(studio: Studio) -> None:
    studio.annotate(studio.tasks()[0], "middle")
    assert studio.folder.type("round", "tell").code == 0
    before = studio.settings()["label_config"]
    renamed = before.replace('"middle"', '"medium"')
    studio.change(label_config=renamed)
    typed = studio.folder.type("reconcile", "--fix")
    assert typed.code == 1
    assert "'middle' is missing there (1 labels and 1 annotations use it)" in typed.out
    assert "'medium' is unknown here" in typed.out
    assert studio.settings()["label_config"] == renamed
    studio.change(label_config=before)
    assert studio.reconcile("--fix") == (0, Counter())


def test_a_renamed_tag_is_taken_as_it_is_and_a_missing_one_is_named(studio: Studio) -> None:
    config = studio.settings()["label_config"]
    studio.change(label_config=config.replace('name="label"', 'name="answer"'))
    made = studio.annotate(studio.tasks()[0], "low", tag="answer")
    assert studio.reconcile("--fix") == (0, Counter({("unread", FIXED): 1}))
    assert studio.reconcile() == (0, Counter())
    studio.client.delete(f"/api/annotations/{made}/")
    studio.change(label_config='<View><Text name="text" value="$text"/></View>')
    typed = studio.folder.type("reconcile", "--fix")
    assert typed.code == 1
    assert "control: 1 (needs a person)" in typed.out
    assert "Settings, Labeling Interface" in typed.out


def test_a_deleted_project_is_said_in_words_and_made_anew_only_when_asked(studio: Studio) -> None:
    studio.annotate(studio.tasks()[0], "low")
    assert studio.folder.type("round", "tell").code == 0
    studio.client.delete(f"/api/projects/{studio.id}/")
    typed = studio.folder.type("reconcile", "--fix")
    assert typed.code == 1
    assert f"no project {studio.id} any more" in typed.out
    code, found = studio.reconcile("--fix", "--new-project")
    assert code == 0
    assert found == {("missing", FIXED): 5, ("release", FIXED): 1, ("orphaned", LEFT): 1}
    studio.id = studio._project()
    assert len(studio.tasks()) == 5
    assert studio.reconcile() == (0, Counter({("orphaned", LEFT): 1}))
