"""What only a real Label Studio can show: keys, wrong addresses, lost answers, foreign projects."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from connectors.errors import LabelerRefused, LabelerUnreachable, OutcomeUnknown, ProjectDoesNotFit
from connectors.labelers.label_studio import LabelStudioLabeler, connect
from connectors.labelers.label_studio_http import LabelStudioClient, open_client
from connectors.labelers.label_studio_people import invite_person
from connectors.labelers.label_studio_server import free_port
from connectors.labelers.records import OutgoingTask, ProjectSpec, TaskType
from tests.conftest import RealLabelStudio

pytestmark = pytest.mark.external

IMAGE_CONFIG = (
    '<View><Image name="photo" value="$picture"/><Choices name="animal" toName="photo">'
    '<Choice value="dog"/><Choice value="cat"/></Choices></View>'
)


@pytest.fixture
def labeler(label_studio: RealLabelStudio) -> Iterator[LabelStudioLabeler]:
    with connect(label_studio.url, label_studio.owner.token) as opened:
        yield opened


@pytest.fixture
def client(label_studio: RealLabelStudio) -> Iterator[LabelStudioClient]:
    with open_client(label_studio.url, label_studio.owner.token, timeout=30) as opened:
        yield opened


def spec(**changes: Any) -> ProjectSpec:
    usual: dict[str, Any] = {
        "title": f"external {uuid4().hex[:12]}",
        "task_type": TaskType.TEXT,
        "classes": ("cat", "dog"),
    }
    return ProjectSpec(**(usual | changes))


def task(key: str, content: str = "a text") -> OutgoingTask:
    return OutgoingTask(item_key=key, round_key="round-1", content=content)


def test_the_server_says_its_version_and_whose_key_it_is(
    labeler: LabelStudioLabeler, label_studio: RealLabelStudio
) -> None:
    assert labeler.version().release.startswith("1.")
    assert labeler.version().edition == "Community"
    assert labeler.whoami() == label_studio.owner.email


def test_a_wrong_key_is_refused_without_being_repeated_in_the_message(label_studio: RealLabelStudio) -> None:
    key = "0123456789abcdef0123456789abcdef0123dead"
    with connect(label_studio.url, key) as labeler, pytest.raises(LabelerRefused) as caught:
        labeler.whoami()
    assert "LABEL_STUDIO_API_KEY" in str(caught.value)
    assert key not in str(caught.value)


def test_a_personal_access_token_works_and_is_renewed(
    client: LabelStudioClient, label_studio: RealLabelStudio
) -> None:
    person = invite_person(
        label_studio.url, label_studio.owner.token, f"{uuid4().hex}@example.com", "a-password"
    )
    with person:
        key = person._client.post("/api/token/").json()["token"]
    with connect(label_studio.url, key) as labeler:
        assert labeler.whoami() == person.name
        project = labeler.open_project(spec())
        assert len(labeler.send_tasks(project.project_id, [task("a")])) == 1
        labeler._client.auth._access = "an.old.one"
        assert labeler.whoami() == person.name
        labeler._client.auth._renew_at = 0.0
        assert labeler.whoami() == person.name
    wrong = key[:-6] + "abcdef"
    with connect(label_studio.url, wrong) as labeler, pytest.raises(LabelerRefused) as caught:
        labeler.whoami()
    assert "LABEL_STUDIO_API_KEY" in str(caught.value)
    assert wrong not in str(caught.value)


def test_a_server_that_is_down_is_said_so_within_seconds() -> None:
    address = f"http://127.0.0.1:{free_port(None)}"
    began = time.monotonic()
    with connect(address, "a-key") as labeler, pytest.raises(LabelerUnreachable, match="LABEL_STUDIO_URL"):
        labeler.open_project(spec())
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("path", ["/somewhere", "/projects"])
def test_a_wrong_address_is_told_from_a_missing_project(label_studio: RealLabelStudio, path: str) -> None:
    with connect(label_studio.url + path, label_studio.owner.token) as labeler:
        with pytest.raises(LabelerRefused, match="LABEL_STUDIO_URL"):
            labeler.open_project(spec())
        with pytest.raises(LabelerRefused, match="LABEL_STUDIO_URL"):
            labeler.whoami()


def test_a_project_that_was_deleted_meanwhile_is_named(
    labeler: LabelStudioLabeler, client: LabelStudioClient
) -> None:
    project = labeler.open_project(spec())
    client.delete(f"/api/projects/{project.project_id}/")
    with pytest.raises(LabelerRefused, match=f"no project {project.project_id}"):
        labeler.send_tasks(project.project_id, [task("a")])


class LosesAnswers(httpx.BaseTransport):
    """Lets imports through and drops the answers."""

    def __init__(self, error: type[httpx.TransportError]) -> None:
        self._inner = httpx.HTTPTransport()
        self._error = error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if request.method == "POST" and request.url.path.endswith("/import"):
            response.read()
            response.close()
            raise self._error("the answer was lost", request=request)
        return response

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError])
def test_a_lost_answer_is_an_unknown_outcome_and_exactly_one_copy_is_there(
    label_studio: RealLabelStudio, error: type[httpx.TransportError]
) -> None:
    with connect(label_studio.url, label_studio.owner.token, transport=LosesAnswers(error)) as labeler:
        project = labeler.open_project(spec())
        with pytest.raises(OutcomeUnknown):
            labeler.send_tasks(project.project_id, [task("a"), task("b")])
        found = labeler.find_tasks(project.project_id, "round-1", ["a", "b"])
    assert [one.item_key for one in found] == ["a", "b"]


def made_by_hand(client: LabelStudioClient, config: str) -> str:
    body = {"title": "made by hand", "label_config": config}
    return str(client.post("/api/projects/", json=body).json()["id"])


def test_a_project_made_by_hand_is_adopted_with_its_own_names(
    labeler: LabelStudioLabeler, client: LabelStudioClient, label_studio: RealLabelStudio
) -> None:
    project_id = made_by_hand(client, IMAGE_CONFIG)
    project = labeler.open_project(spec(existing_id=project_id, task_type=TaskType.IMAGE))
    assert project.classes == ("dog", "cat")
    assert project.url == f"{label_studio.url}/projects/{project_id}/data"
    (sent,) = labeler.send_tasks(project_id, [task("a", content="https://example.com/a.png")])
    raw = client.get(f"/api/tasks/{sent.task_id}/").json()
    assert raw["data"]["picture"] == "https://example.com/a.png"
    assert raw["meta"]["item_id"] == "a"
    label_studio.person("ann").annotate(sent.task_id, "dog", seconds=1.0)
    (found,) = labeler.changed_tasks(project_id, None)
    assert found.annotations[0].label == "dog"
    assert found.annotations[0].raw["result"][0]["from_name"] == "animal"


def test_an_adopted_project_gets_the_settings_it_needs(
    labeler: LabelStudioLabeler, client: LabelStudioClient
) -> None:
    project_id = made_by_hand(client, IMAGE_CONFIG)
    labeler.open_project(
        spec(existing_id=project_id, task_type=TaskType.IMAGE, overlap=3, show_predictions=False)
    )
    settings = client.get(f"/api/projects/{project_id}/").json()
    assert settings["sampling"] == "Uncertainty sampling"
    assert (settings["maximum_annotations"], settings["show_collab_predictions"]) == (3, False)


IMAGE = '<Image name="image" value="$image"/>'
CHOICES = '<Choice value="cat"/><Choice value="dog"/></Choices>'
ONE = f'<Choices name="one" toName="image">{CHOICES}'
UNFIT = [
    ("<View></View>", "no Image tag"),
    ('<View><Text name="text" value="$text"/></View>', "no Image tag"),
    ('<View><Image name="image" value="$image"/></View>', "none"),
    (
        f'<View>{IMAGE}<Choices name="label" toName="image" choice="multiple">{CHOICES}</View>',
        "several answers",
    ),
    (
        f"<View>{IMAGE}{ONE}{ONE.replace('one', 'two')}</View>",
        "'one', 'two'",
    ),
    (IMAGE_CONFIG.replace('"cat"', '"bird"'), "bird"),
]


@pytest.mark.parametrize(("config", "found"), UNFIT)
def test_a_project_that_asks_something_else_is_not_adopted(
    labeler: LabelStudioLabeler, client: LabelStudioClient, config: str, found: str
) -> None:
    project_id = made_by_hand(client, config)
    with pytest.raises(ProjectDoesNotFit, match=found):
        labeler.open_project(spec(existing_id=project_id, task_type=TaskType.IMAGE))


def test_a_project_without_a_control_takes_no_tasks(
    labeler: LabelStudioLabeler, client: LabelStudioClient
) -> None:
    project_id = made_by_hand(client, "<View></View>")
    with pytest.raises(ProjectDoesNotFit):
        labeler.send_tasks(project_id, [task("a")])


def test_nobody_signs_up_without_an_invitation(label_studio: RealLabelStudio) -> None:
    with httpx.Client(base_url=label_studio.url) as browser:
        page = browser.get("/user/signup/").text
        token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        form = {"email": "eve@example.com", "password": "eve-password", "csrfmiddlewaretoken": token}
        answer = browser.post(
            "/user/signup/", data=form, headers={"Referer": f"{label_studio.url}/user/signup/"}
        )
        assert answer.status_code == httpx.codes.FORBIDDEN


def test_an_invited_person_is_the_same_person_the_next_time(label_studio: RealLabelStudio) -> None:
    email = f"{uuid4().hex}@example.com"
    for _ in range(2):
        with invite_person(label_studio.url, label_studio.owner.token, email, "a-password") as person:
            assert person.name == email
    with pytest.raises(LabelerRefused, match="another password"):
        invite_person(label_studio.url, label_studio.owner.token, email, "another-password")


def test_local_files_are_shared_once(
    labeler: LabelStudioLabeler, client: LabelStudioClient, label_studio: RealLabelStudio
) -> None:
    folder: Path = label_studio.files_root / "shared-once"
    folder.mkdir()
    project = labeler.open_project(spec(task_type=TaskType.IMAGE))
    for _ in range(2):
        labeler.ensure_local_storage(project.project_id, folder)
    storages = client.get("/api/storages/localfiles", params={"project": project.project_id}).json()
    assert [storage["path"] for storage in storages] == [str(folder)]
    assert list(labeler.all_tasks(project.project_id)) == []
