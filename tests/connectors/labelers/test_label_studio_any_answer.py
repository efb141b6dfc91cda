"""Whatever answers in Label Studio's place: our errors come out, or what the answer says, and nothing else.

One exchange of a call is answered wrongly: with another status, something that is no JSON, half of it, or
JSON of which a part is missing or is something else.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import LabelerError, LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.label_studio import LabelStudioLabeler, connect
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, TaskType
from connectors.retry import Patience

URL = "http://labels.example.com"
# Header {"alg": "HS256"}; nothing in it is a secret.
KEY = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
HOOK = "http://workbench.example.com/hooks/label-studio/uid"
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
    "maximum_annotations": 2,
    "show_collab_predictions": True,
    "model_version": "v2",
}
RESULT = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["cat"]}}]
ANNOTATION = {
    "id": 3,
    "result": RESULT,
    "completed_by": 1,
    "was_cancelled": False,
    "lead_time": 2.5,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:06.678901Z",
    "task": 5,
}
TASK = {
    "id": 5,
    "data": {"text": "x", "item_id": "a", "round_id": "r"},
    "updated_at": "2026-01-02T03:04:06.678901Z",
    "annotations": [ANNOTATION],
    "total_annotations": 1,
    "cancelled_annotations": 0,
    "overlap": 1,
    "is_labeled": True,
    "predictions": [{"model_version": "v1", "score": 0.5, "result": RESULT}],
}
SPEC = ProjectSpec(title="a title", task_type=TaskType.TEXT, classes=("cat", "dog"))
GUESS = Prediction(label="cat", score=0.5, model_version="v1")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CALLS: dict[str, Callable[[LabelStudioLabeler], object]] = {
    "version": lambda labeler: labeler.version(),
    "whoami": lambda labeler: labeler.whoami(),
    "clock": lambda labeler: labeler.clock(),
    "make": lambda labeler: labeler.open_project(SPEC),
    "open": lambda labeler: labeler.open_project(
        ProjectSpec(title="a title", task_type=TaskType.TEXT, classes=("cat", "dog"), existing_id="7")
    ),
    "find": lambda labeler: labeler.find_tasks("7", "r", ["a"]),
    "count": lambda labeler: labeler.count_tasks("7", "r"),
    "send": lambda labeler: labeler.send_tasks(
        "7", [OutgoingTask(item_key="a", round_key="r", content="x", prediction=GUESS)]
    ),
    "delete": lambda labeler: labeler.delete_tasks("7", ["5"]),
    "overlap": lambda labeler: labeler.set_overlap("7", {"5": 2}),
    "release": lambda labeler: labeler.release("7", "v2"),
    "changed": lambda labeler: list(labeler.changed_tasks("7", SINCE)),
    "all": lambda labeler: list(labeler.all_tasks("7")),
    "describe": lambda labeler: labeler.describe_project("7"),
    "survey": lambda labeler: list(labeler.survey_tasks("7")),
    "predict": lambda labeler: labeler.set_predictions("7", {"5": GUESS}),
    "hook": lambda labeler: labeler.ensure_webhook("7", HOOK, "a secret of ours"),
    "storage": lambda labeler: labeler.ensure_local_storage("7", Path("/pictures")),
}


FIXED: dict[tuple[str, str], Any] = {
    ("POST", "/api/token/refresh/"): {"access": "an-access-token"},
    ("GET", "/api/version"): {"release": "1.23.2", "edition": "Community"},
    ("GET", "/api/current-user/whoami"): {"email": "ada@example.com"},
    ("GET", "/api/users/"): [{"id": 1, "email": "ada@example.com"}],
    ("GET", "/api/projects/"): {"results": [], "next": None},
    ("POST", "/api/projects/7/import"): {"task_ids": [5]},
    ("POST", "/api/projects/7/import/predictions"): {"created": 1},
    ("POST", "/api/dm/actions"): {"processed_items": 1},
    ("GET", "/api/webhooks/"): [{"id": 4, "url": HOOK, "actions": []}, {"id": 6, "url": HOOK}],
    ("GET", "/api/storages/localfiles"): [],
    ("POST", "/api/storages/localfiles"): {"id": 1, "path": "/pictures", "project": 7},
}


def right(request: httpx.Request) -> Any:
    """What Label Studio would say."""
    place = (request.method, request.url.path)
    if place in FIXED:
        return FIXED[place]
    body = json.loads(request.content or b"{}")
    if place == ("GET", "/api/tasks"):
        after = [c["value"] for c in body["filters"]["items"] if c["operator"] == "greater"]
        return {"tasks": [] if after and after[0] >= 5 else [TASK], "total": 1}
    return (TASK if "/tasks/" in place[1] else PROJECT) | body


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", 10**400, -1, "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document, itself first."""
    yield at
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from places(inner, (*at, key))


def changed(value: Any, at: tuple[Any, ...], other: Any, *, gone: bool) -> Any:
    """The document with something else, or nothing, at a place."""
    if not at:
        return other
    copy = value.copy()
    if len(at) == 1 and gone:
        del copy[at[0]]
    else:
        copy[at[0]] = changed(value[at[0]], at[1:], other, gone=gone)
    return copy


def wrong(data: st.DataObject, sane: Any) -> httpx.Response:
    """Another answer than the right one."""
    kind = data.draw(st.sampled_from(["json", "json", "json", "half", "bytes", "status", "header"]))
    headers = {"content-type": "application/json"}
    if kind == "json":
        at = data.draw(st.sampled_from(list(places(sane))))
        body = changed(sane, at, data.draw(ANYTHING), gone=data.draw(st.booleans()))
        return httpx.Response(200, content=json.dumps(body).encode("utf-8", "replace"), headers=headers)
    text = json.dumps(sane).encode()
    if kind == "half":
        return httpx.Response(200, content=text[: data.draw(st.integers(0, len(text)))], headers=headers)
    if kind == "bytes":
        types = st.sampled_from(["application/json", "text/html", ""])
        return httpx.Response(
            200, content=data.draw(st.binary(max_size=20)), headers={"content-type": data.draw(types)}
        )
    status = data.draw(
        st.sampled_from([200, 201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 409, 429, 500, 503])
    )
    values = st.binary(max_size=8) | st.sampled_from(
        [
            b"\xb2",
            b"9" * 400,
            b"-1",
            b"Fri, 31 Dec 9999 23:59:59 GMT",
            b"http://[",
            b"Fri, 31 Dec 2026 99:99:99 -9999",
        ]
    )
    name = data.draw(st.sampled_from(["retry-after", "location", "date", "content-encoding", "set-cookie"]))
    value = data.draw(values.filter(lambda found: not set(found) & {0, 10, 13}))
    return httpx.Response(
        status, content=text, headers=[(b"content-type", b"application/json"), (name.encode(), value)]
    )


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_answered_only_our_errors_come_out(call: str, data: st.DataObject) -> None:
    turn = data.draw(st.integers(0, 4))
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        assert len(seen) < 50, "it asks without end"
        sane = right(request)
        return wrong(data, sane) if len(seen) - 1 == turn else httpx.Response(200, json=sane)

    with connect(URL, KEY, transport=httpx.MockTransport(handle), patience=HASTY) as labeler:
        words, wait = outcome(lambda: CALLS[call](labeler))
    assert KEY not in words
    assert 0 <= wait <= 3600


def outcome(call: Callable[[], object]) -> tuple[str, float]:
    """The words of an error, and how long it asks to wait."""
    try:
        call()
    except LabelerUnreachable as error:
        return str(error), error.retry_after or 0.0
    except LabelerError as error:
        return str(error), 0.0
    return "", 0.0


def other(answer: Any) -> Callable[[httpx.Request], httpx.Response]:
    """A server that answers this to every write, and rightly to every read."""

    def handle(request: httpx.Request) -> httpx.Response:
        read = request.method == "GET" or request.url.path.endswith("/refresh/")
        return httpx.Response(200, json=right(request) if read else answer)

    return handle


@pytest.mark.parametrize(
    "answer", [{}, {"status": "ok"}, [], "done", None, {"task_ids": [None]}, {"created": 0}]
)
@pytest.mark.parametrize("call", ["send", "delete", "overlap", "release", "predict"])
def test_a_write_that_is_not_confirmed_is_not_taken_for_done(call: str, answer: Any) -> None:
    with (
        connect(URL, KEY, transport=httpx.MockTransport(other(answer)), patience=HASTY) as labeler,
        pytest.raises(OutcomeUnknown),
    ):
        CALLS[call](labeler)


def test_a_server_that_forgets_the_question_is_not_asked_without_end() -> None:
    """Something in between drops the bodies of GET requests, and with them which page is meant."""
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked < 50, "it asks without end"
        if request.url.path != "/api/tasks":
            return httpx.Response(200, json=right(request))
        size = int(request.url.params["page_size"])
        return httpx.Response(200, json={"tasks": [TASK | {"id": n + 1} for n in range(size)], "total": 9999})

    with connect(URL, KEY, transport=httpx.MockTransport(handle), patience=HASTY) as labeler:
        for call in (CALLS["all"], CALLS["changed"]):
            with pytest.raises(LabelerRefused, match="GET"):
                call(labeler)


def test_of_two_projects_that_are_made_at_once_everybody_takes_the_first() -> None:
    """Somebody else looks, as we do, before either is there, and makes one too."""
    made = False

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal made
        if request.url.path != "/api/projects/":
            return httpx.Response(200, json=right(request))
        made = made or request.method == "POST"
        if request.method == "POST":
            return httpx.Response(201, json=PROJECT)
        results = [PROJECT, PROJECT | {"id": 6}] if made else []
        return httpx.Response(200, json={"results": results, "next": None})

    with connect(URL, KEY, transport=httpx.MockTransport(handle), patience=HASTY) as labeler:
        assert labeler.open_project(SPEC).project_id == "6"
