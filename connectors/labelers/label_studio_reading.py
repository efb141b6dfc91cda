"""Reading tasks from Label Studio, page by page, so that nothing is lost while people work.

Pages are never numbered: rows move while they are read. Each page asks for what comes after the last one.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import httpx

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_answers import (
    URL_VARIABLE,
    Refusal,
    fields_of,
    not_label_studio,
    read_json,
    unreadable,
)
from connectors.labelers.label_studio_http import LabelStudioClient

Row = dict[str, Any]

NOT_FOUND: Final = 404
PAGE: Final = 200
PAGE_OF_IDS: Final = 2000
LARGEST_ID: Final = 2**63
#: Stamps of answers are whole seconds, and two clocks of one service are never quite the same.
ABOUT: Final = timedelta(seconds=3)
WITH_COUNTS: Final = "id,data,total_annotations,cancelled_annotations"
WITH_OVERLAP: Final = "id,overlap,is_labeled,annotations,completed_by,was_cancelled"


class Answer(NamedTuple):
    """What came back, and the object that it holds."""

    response: httpx.Response
    body: Row


class Page(NamedTuple):
    """Tasks, and a moment before they were chosen, by the server's clock; None when it tells no time."""

    rows: list[Row]
    asked_at: datetime | None


def project_by_id(client: LabelStudioClient, project_id: str) -> Row:
    """Read a project with all its settings.

    Raises:
        LabelerRefused: There is none with this id.
    """
    with naming_project(project_id):
        response = client.get(f"/api/projects/{number(project_id)}/")
        # Taken for a project, an answer without an id would have another one made in its place.
        return rows_of(response, [read_json(response, dict)])[0]


def projects_titled(client: LabelStudioClient, title: str) -> Iterator[Row]:
    """Stream the projects with exactly this title."""
    page: int | None = 1
    while page is not None:
        response = client.get("/api/projects/", params={"title": title, "page": page})
        answer = read_json(response, dict)
        # Read as "there is none", an answer without a list would have the project made a second time.
        rows = rows_of(response, answer.get("results"))
        yield from (row for row in rows if row.get("title") == title)
        # Where a page is empty, nothing follows, whatever else is said.
        page = page + 1 if rows and answer.get("next") else None


def server_time(client: LabelStudioClient) -> datetime | None:
    """Read the clock that stamps every answer; None when there is no stamp."""
    return stamped(client.get("/api/version"))


def stamped(response: httpx.Response) -> datetime | None:
    """Read when an answer was given, by the clock of who gave it."""
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def rows_of(response: httpx.Response, found: object) -> list[Row]:
    """Check that something is a list of objects which carry an id.

    Raises:
        LabelerRefused: It is something else.
    """
    if not isinstance(found, list) or not all(
        isinstance(row, dict) and is_id(row.get("id")) for row in found
    ):
        raise not_label_studio(response)
    return found


def is_id(value: object) -> bool:
    """Say whether this can be an id of Label Studio."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST_ID


def number(key: str) -> int:
    """Read an id of Label Studio.

    Raises:
        LabelerRefused: It is not one.
    """
    if not (key.isascii() and key.isdecimal()):
        raise LabelerRefused(f"Label Studio numbers its projects and tasks; {key!r} is not a number.")
    return int(key)


@contextmanager
def naming_project(project_id: str) -> Iterator[None]:
    """Say which project is missing when Label Studio says that one is."""
    try:
        yield
    except Refusal as refusal:
        if refusal.status == NOT_FOUND and refusal.detail:
            raise no_project(project_id) from refusal
        raise


def no_project(project_id: str) -> LabelerRefused:
    """Say that a project is missing."""
    return LabelerRefused(
        f"Label Studio has no project {project_id}, or the key's user may not see it. Check the project's id "
        "in the configuration; the address of a project holds it: /projects/<id>/data."
    )


def condition(field: str, operator: str, kind: str, value: object) -> dict[str, object]:
    """Write one condition of a filter."""
    return {"filter": f"filter:tasks:{field}", "operator": operator, "type": kind, "value": value}


def of_round(round_key: str) -> dict[str, object]:
    """The condition that a task belongs to a round."""
    return condition("data.round_id", "equal", "String", round_key)


def count_tasks(client: LabelStudioClient, project_id: str, conditions: Sequence[dict[str, object]]) -> int:
    """Count the tasks that meet all conditions."""
    response, answer = _ask(client, project_id, conditions, "id", "id", 1)
    if not isinstance(total := answer.get("total"), int):
        raise not_label_studio(response)
    return total


def tasks_by_id(
    client: LabelStudioClient,
    project_id: str,
    conditions: Sequence[dict[str, object]],
    *,
    fields: str = WITH_COUNTS,
    page_size: int = PAGE_OF_IDS,
) -> Iterator[Row]:
    """Stream the tasks that meet all conditions, with the counts of their annotations, by ascending id."""
    last = 0
    while True:
        after = condition("id", "greater", "Number", last)
        rows = page_of(client, project_id, [*conditions, after], "id", fields, page_size).rows
        _check_order([last, *(row["id"] for row in rows)])
        yield from rows
        if len(rows) < page_size:
            return
        last = rows[-1]["id"]


def _check_order(ids: Sequence[int]) -> None:
    """Refuse a page that is not the one that was asked for: its next one would be the same without end."""
    if any(later <= earlier for earlier, later in pairwise(ids)):
        raise LabelerRefused(
            "Label Studio's answer leaves out of account what was asked for: something in between drops the "
            f"bodies of GET requests, or answers from its memory. Let it pass them on, or set {URL_VARIABLE} "
            "to an address that leads to Label Studio directly."
        )


def serve_as_often_as(
    client: LabelStudioClient, project_id: str, overlaps: Mapping[str, int], *, page_size: int = PAGE
) -> None:
    """Write how many people are to answer each task, where that differs; those that are gone are left out.

    Whether a task has enough answers is written too: a change of the number alone serves it to nobody. Label
    Studio counts answers, not people: where somebody answered twice, it is told one more.
    """
    ids = sorted(number(key) for key in overlaps)
    for start in range(0, len(ids), page_size):
        wanted = condition("id", "in_list", "List", ids[start : start + page_size])
        for row in page_of(client, project_id, [wanted], "id", WITH_OVERLAP, page_size).rows:
            if (overlap := overlaps.get(str(row["id"]))) is None:
                continue
            people = [part.get("completed_by") for part in _answers(row)]
            again = len(people) - len(set(map(str, people)))
            values = {"overlap": overlap + again, "is_labeled": len(people) >= overlap + again}
            if any(row.get(name) != value for name, value in values.items()):
                _write_task(client, str(row["id"]), values)


def _answers(row: Row) -> list[Row]:
    found = row.get("annotations")
    parts = found if isinstance(found, list) else []
    return [part for part in parts if isinstance(part, dict) and not part.get("was_cancelled")]


def _write_task(client: LabelStudioClient, task_id: str, values: Row) -> None:
    try:
        answer = client.patch(f"/api/tasks/{task_id}/", json=values, extensions={"repeatable": True})
        if fields_of(answer).get("overlap") != values["overlap"]:
            raise unreadable(answer)
    except Refusal as refusal:
        if refusal.status != NOT_FOUND:
            raise


def page_of(
    client: LabelStudioClient,
    project_id: str,
    conditions: Sequence[dict[str, object]],
    order: str,
    fields: str,
    size: int,
) -> Page:
    """Read the first tasks, by ``order``, that meet all conditions."""
    began = time.monotonic()
    response, answer = _ask(client, project_id, conditions, order, fields, size)
    took = timedelta(seconds=time.monotonic() - began)
    answered = stamped(response)
    # Read as "there are none", an answer without a list would have tasks sent a second time.
    rows = rows_of(response, answer.get("tasks"))
    return Page(rows, None if answered is None else answered - took - ABOUT)


def _ask(
    client: LabelStudioClient,
    project_id: str,
    conditions: Sequence[dict[str, object]],
    order: str,
    fields: str,
    size: int,
) -> Answer:
    # The query travels as the body of a GET: in the address it would be cut off at 16,000 characters.
    response = client.request(
        "GET",
        "/api/tasks",
        params={"project": project_id, "page": 1, "page_size": size, "fields": "all", "include": fields},
        json={"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": [f"tasks:{order}"]},
    )
    return Answer(response, read_json(response, dict))


class People:
    """Names people by email; the list is asked for when an id appears that is not on it."""

    def __init__(self, client: LabelStudioClient) -> None:
        self._client = client
        self._emails: dict[int, str] = {}

    def name(self, completed_by: object) -> str:
        """Name whoever made an annotation; somebody who is gone is ``user-<id>``."""
        if isinstance(completed_by, dict):
            return str(completed_by.get("email") or f"user-{completed_by.get('id')}")
        if not isinstance(completed_by, int):
            return "nobody"
        if completed_by not in self._emails:
            self._emails |= self._ask()
        return self._emails.setdefault(completed_by, f"user-{completed_by}")

    def _ask(self) -> dict[int, str]:
        users = read_json(self._client.get("/api/users/"), list)
        return {
            user["id"]: str(user["email"])
            for user in users
            if isinstance(user, dict) and is_id(user.get("id")) and user.get("email")
        }
