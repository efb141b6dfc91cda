"""What each failure of the network becomes, and how keys are used; the network is a function."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from connectors.errors import LabelerError, LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.label_studio import LabelStudioLabeler, connect
from connectors.labelers.label_studio_http import LabelStudioAuth, is_personal_token, open_client
from connectors.labelers.records import OutgoingTask, ProjectSpec, TaskType
from connectors.retry import Patience

URL = "http://labels.example.com"
KEY = "0123456789abcdef0123456789abcdef01234567"
# Header {"alg": "HS256"}; nothing in it is a secret.
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
SECRET = "a-secret-that-the-server-sent"
HASTY = Patience(attempts=2, sleep=lambda _: None)
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)
PROJECT = {
    "id": 7,
    "title": "a title",
    "label_config": CONFIG,
    "sampling": "Uncertainty sampling",
    "maximum_annotations": 1,
    "show_collab_predictions": True,
}
Handler = Callable[[httpx.Request], httpx.Response]


def opened(handler: Handler, key: str = KEY) -> LabelStudioLabeler:
    return connect(URL, key, transport=httpx.MockTransport(handler), patience=HASTY)


def task(key: str) -> OutgoingTask:
    return OutgoingTask(item_key=key, round_key="round-1", content="a text")


def imports(answer: Handler) -> Handler:
    """A server that knows one project and answers imports as told."""

    def handle(request: httpx.Request) -> httpx.Response:
        return answer(request) if request.method == "POST" else httpx.Response(200, json=PROJECT)

    return handle


def raising(error: Exception) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("refused"), LabelerUnreachable),
        (httpx.ConnectTimeout("late"), LabelerUnreachable),
        (httpx.ReadTimeout("late"), OutcomeUnknown),
        (httpx.WriteTimeout("late"), OutcomeUnknown),
        (httpx.RemoteProtocolError("gone"), OutcomeUnknown),
        (httpx.ReadError("gone"), OutcomeUnknown),
    ],
)
def test_a_write_that_was_not_answered(error: Exception, expected: type[LabelerError]) -> None:
    with opened(imports(raising(error))) as labeler, pytest.raises(expected):
        labeler.send_tasks("7", [task("a")])


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")]
)
def test_a_read_that_was_not_answered_changed_nothing(error: Exception) -> None:
    with opened(raising(error)) as labeler, pytest.raises(LabelerUnreachable, match="LABEL_STUDIO_URL"):
        list(labeler.changed_tasks("7", None))


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_fault_leaves_a_write_unknown_and_a_read_unanswered(status: int) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, html=f"<html>{SECRET}</html>", headers={"x-secret": SECRET})

    with opened(imports(handle)) as labeler, pytest.raises(OutcomeUnknown) as unknown:
        labeler.send_tasks("7", [task("a")])
    with opened(handle) as labeler, pytest.raises(LabelerUnreachable) as unanswered:
        labeler.whoami()
    assert SECRET not in f"{unknown.value} {unanswered.value}"


def test_an_import_is_sent_once() -> None:
    sent = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(500, json={})

    with opened(imports(handle)) as labeler, pytest.raises(OutcomeUnknown):
        labeler.send_tasks("7", [task("a")])
    assert len(sent) == 1


def test_a_refused_batch_names_the_item_at_fault() -> None:
    detail = {"validation_errors": {"non_field_errors": ['Error at item 1: "text" key is expected']}}
    with (
        opened(imports(lambda _: httpx.Response(400, json=detail))) as labeler,
        pytest.raises(LabelerRefused, match="'second'"),
    ):
        labeler.send_tasks("7", [task("first"), task("second")])


def test_too_few_ids_are_an_unknown_outcome() -> None:
    with (
        opened(imports(lambda _: httpx.Response(201, json={"task_ids": [1]}))) as labeler,
        pytest.raises(OutcomeUnknown, match="1 ids for 2"),
    ):
        labeler.send_tasks("7", [task("a"), task("b")])


def test_a_batch_that_is_too_large_is_refused_before_it_is_sent() -> None:
    large = [OutgoingTask(item_key="a", round_key="r", content="x" * 60_000_000)] * 2
    with opened(raising(AssertionError("sent"))) as labeler, pytest.raises(LabelerRefused, match="120 MB"):
        labeler.send_tasks("7", large)


WRONG_PLACES: list[Handler] = [
    lambda _: httpx.Response(404, html=f"<html>{SECRET}</html>"),
    lambda _: httpx.Response(200, html=f"<html>{SECRET}</html>"),
    lambda _: httpx.Response(301, headers={"location": f"https://elsewhere.example.com/?{SECRET}"}),
    lambda _: httpx.Response(200, json=[SECRET]),
    lambda _: httpx.Response(200, text=SECRET),
]


@pytest.mark.parametrize("handler", WRONG_PLACES)
def test_something_else_at_the_address_is_said_so(handler: Handler) -> None:
    with opened(handler) as labeler:
        for call in (labeler.whoami, labeler.version, lambda: list(labeler.changed_tasks("7", None))):
            with pytest.raises(LabelerRefused, match="LABEL_STUDIO_URL") as caught:
                call()
            assert SECRET not in str(caught.value)


def test_something_that_is_no_label_studio_has_no_version() -> None:
    with (
        opened(lambda _: httpx.Response(200, json={"name": "x"})) as labeler,
        pytest.raises(LabelerRefused, match="LABEL_STUDIO_URL"),
    ):
        labeler.version()


@pytest.mark.parametrize("key", [KEY, PERSONAL])
def test_a_refused_key_names_the_variable_and_never_the_key(key: str) -> None:
    with (
        opened(lambda _: httpx.Response(401, json={"detail": f"Invalid token {SECRET}"}), key) as labeler,
        pytest.raises(LabelerRefused, match="LABEL_STUDIO_API_KEY") as caught,
    ):
        labeler.whoami()
    assert key not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_legacy_tokens_that_are_switched_off_are_explained() -> None:
    detail = "legacy token authentication has been disabled for this organization"
    with (
        opened(lambda _: httpx.Response(401, json={"detail": detail})) as labeler,
        pytest.raises(LabelerRefused, match="personal access token"),
    ):
        labeler.whoami()


def test_a_long_wait_is_told() -> None:
    answer = httpx.Response(429, json={}, headers={"Retry-After": "120"})
    with opened(lambda _: answer) as labeler, pytest.raises(LabelerUnreachable, match="wait 120 s") as found:
        labeler.whoami()
    assert found.value.retry_after == 120


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(201, text="<html>maintenance</html>", headers={"Content-Type": "text/html"}),
        httpx.Response(201, text='{"task_ids": [1', headers={"Content-Type": "application/json"}),
        httpx.Response(201, json={"task_ids": []}),
        httpx.Response(502, text="<html>bad gateway</html>"),
    ],
)
def test_a_write_whose_answer_can_not_be_read_may_have_happened(answer: httpx.Response) -> None:
    with opened(imports(lambda _: answer)) as labeler, pytest.raises(OutcomeUnknown, match="Look before"):
        labeler.send_tasks("7", [task("a")])


def test_a_write_that_was_asked_to_wait_has_not_happened() -> None:
    answer = httpx.Response(429, text="slow down", headers={"Retry-After": "40"})
    with opened(imports(lambda _: answer)) as labeler, pytest.raises(LabelerUnreachable) as caught:
        labeler.send_tasks("7", [task("a")])
    assert caught.value.retry_after == 40


HOOK = f"{URL}/hooks/label-studio/0123abcd"


def hooks(known: list[dict[str, object]], asked: list[tuple[str, str]], post: httpx.Response) -> Handler:
    """A server with these webhooks; what it is asked to change is noted."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=known)
        asked.append((request.method, request.url.path))
        return post if request.method == "POST" else httpx.Response(200, json={})

    return handle


def hook(number: int, url: str, **changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "id": number,
        "url": url,
        "project": 7,
        "headers": {"X-Workbench-Secret": "secret"},
        "send_payload": False,
        "send_for_all_actions": False,
        "is_active": True,
        "actions": ["TASKS_DELETED", "ANNOTATIONS_DELETED", "ANNOTATION_UPDATED", "ANNOTATION_CREATED"],
    }
    return usual | changes


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], [("POST", "/api/webhooks/")]),
        ([hook(3, "http://else/where")], [("POST", "/api/webhooks/")]),
        ([hook(3, HOOK)], []),
        ([hook(3, HOOK, actions=[])], [("PATCH", "/api/webhooks/3/")]),
        ([hook(3, HOOK, headers={})], [("PATCH", "/api/webhooks/3/")]),
        ([hook(3, HOOK, is_active=False)], [("PATCH", "/api/webhooks/3/")]),
        ([hook(3, HOOK.replace("labels", "old"))], [("PATCH", "/api/webhooks/3/")]),
        ([hook(4, HOOK), hook(3, HOOK), hook(5, "http://else/where")], [("DELETE", "/api/webhooks/4/")]),
    ],
)
def test_only_our_own_webhook_is_touched_and_only_when_it_differs(
    known: list[dict[str, object]], expected: list[tuple[str, str]]
) -> None:
    asked: list[tuple[str, str]] = []
    with opened(hooks(known, asked, httpx.Response(201, json={}))) as labeler:
        labeler.ensure_webhook("7", HOOK, "secret")
    assert asked == expected


def test_a_server_that_calls_no_private_addresses_says_how_to_let_it() -> None:
    detail = {"detail": "URL resolves to a reserved network address (block: 127.0.0.0/8)"}
    with (
        opened(hooks([], [], httpx.Response(403, json=detail))) as labeler,
        pytest.raises(LabelerRefused, match=r"SSRF_PROTECTION_ENABLED=false.*read by the clock") as caught,
    ):
        labeler.ensure_webhook("7", HOOK, SECRET)
    assert SECRET not in str(caught.value)


def test_faulty_fields_are_named_without_the_servers_words() -> None:
    detail = {"detail": SECRET, "validation_errors": {"title": [SECRET]}}
    spec = ProjectSpec(title="a title", task_type=TaskType.TEXT, classes=("a", "b"))

    def handle(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(400, json=detail)
            if request.method == "POST"
            else httpx.Response(200, json={"results": []})
        )

    with opened(handle) as labeler, pytest.raises(LabelerRefused, match="because of title") as caught:
        labeler.open_project(spec)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["", "labels.example.com", "ftp://x", "http://me:pw@host", "http://host?q=1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LabelerRefused, match="LABEL_STUDIO_URL") as caught:
        connect(url, KEY)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  ", "két", "a\nb"])
def test_a_key_that_can_be_none_is_refused(key: str) -> None:
    with pytest.raises(LabelerRefused, match="LABEL_STUDIO_API_KEY"):
        connect(URL, key)


@pytest.mark.parametrize(
    ("key", "personal"), [(PERSONAL, True), (KEY, False), ("a.b.c", False), ("eyJ9.b.c", False)]
)
def test_the_two_kinds_of_key_are_told_apart(key: str, personal: bool) -> None:
    assert is_personal_token(key) is personal


class Renewals:
    """A server that renews access tokens and takes only the newest."""

    def __init__(self) -> None:
        self.renewed = 0
        self.now = 0.0

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh/":
            self.renewed += 1
            return httpx.Response(200, json={"access": f"access-{self.renewed}"})
        known = request.headers["Authorization"] == f"Bearer access-{self.renewed}"
        return httpx.Response(200 if known else 401, json={"email": "ann@example.com"})


@pytest.fixture
def renewals() -> Iterator[tuple[Renewals, httpx.Client]]:
    server = Renewals()
    with open_client(URL, PERSONAL, timeout=1, transport=httpx.MockTransport(server.handle)) as client:
        client.auth = LabelStudioAuth(URL, PERSONAL, clock=lambda: server.now)
        yield server, client


def test_an_access_token_is_kept_until_shortly_before_its_end(
    renewals: tuple[Renewals, httpx.Client],
) -> None:
    server, client = renewals
    for now, renewed in ((0.0, 1), (200.0, 1), (250.0, 2), (400.0, 2)):
        server.now = now
        assert client.get("/api/x").is_success
        assert server.renewed == renewed


def test_a_refused_access_token_is_renewed_once(renewals: tuple[Renewals, httpx.Client]) -> None:
    server, client = renewals
    client.get("/api/x")
    server.renewed += 1
    assert client.get("/api/x").is_success
    assert server.renewed == 3


def test_a_write_whose_renewal_was_lost_changed_nothing() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    with (
        open_client(
            URL, PERSONAL, timeout=1, transport=httpx.MockTransport(handle), patience=HASTY
        ) as client,
        pytest.raises(LabelerUnreachable),
    ):
        client.post("/api/projects/7/import", json=[])
