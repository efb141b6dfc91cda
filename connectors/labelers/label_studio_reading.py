"""Reading tasks from Label Studio, page by page, so that nothing is lost while people work.

Pages are never numbered: rows move while they are read. Each page asks for what comes after the last one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_answers import Refusal, not_label_studio, read_json
from connectors.labelers.label_studio_format import MOMENT, read_moment
from connectors.labelers.label_studio_http import LabelStudioClient

Row = dict[str, Any]

NOT_FOUND: Final = 404
PAGE: Final = 200
PAGE_OF_IDS: Final = 2000
#: The list of fields also thins out what is inside an annotation, so it names those fields too.
WITH_ANNOTATIONS: Final = (
    "id,data,annotations,updated_at,created_at,result,completed_by,was_cancelled,lead_time,ground_truth,"
    "parent_prediction,task"
)
WITH_COUNTS: Final = "id,data,total_annotations,cancelled_annotations"
WITH_OVERLAP: Final = "id,overlap,is_labeled,total_annotations"


def project_by_id(client: LabelStudioClient, project_id: str) -> Row:
    """Read a project with all its settings.

    Raises:
        LabelerRefused: There is none with this id.
    """
    with naming_project(project_id):
        response = client.get(f"/api/projects/{number(project_id)}/")
        project = read_json(response, dict)
        # Taken for a project, an answer without an id would have another one made in its place.
        if "id" not in project:
            raise not_label_studio(response)
        return project


def projects_titled(client: LabelStudioClient, title: str) -> Iterator[Row]:
    """Stream the projects with exactly this title."""
    page: int | None = 1
    while page is not None:
        response = client.get("/api/projects/", params={"title": title, "page": page})
        answer = read_json(response, dict)
        # Read as "there is none", an answer without a list would have the project made a second time.
        if not isinstance(answer.get("results"), list):
            raise not_label_studio(response)
        yield from (row for row in answer["results"] if row.get("title") == title)
        page = page + 1 if answer.get("next") else None


def server_time(client: LabelStudioClient) -> datetime | None:
    """Read the clock that stamps every answer; None when there is no stamp."""
    try:
        moment = parsedate_to_datetime(client.get("/api/version").headers.get("date", ""))
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


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
    return int(_ask(client, project_id, conditions, "id", "id", 1).get("total") or 0)


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
        rows = _page(client, project_id, [*conditions, after], "id", fields, page_size)
        yield from rows
        if len(rows) < page_size:
            return
        last = rows[-1]["id"]


def serve_as_often_as(
    client: LabelStudioClient, project_id: str, overlaps: Mapping[str, int], *, page_size: int = PAGE
) -> None:
    """Write how many answers each task is to get, where that differs; those that are gone are left out.

    Whether a task has enough answers is written too: a change of the number alone serves it to nobody.
    """
    ids = sorted(number(key) for key in overlaps)
    for start in range(0, len(ids), page_size):
        wanted = condition("id", "in_list", "List", ids[start : start + page_size])
        for row in _page(client, project_id, [wanted], "id", WITH_OVERLAP, page_size):
            overlap = overlaps[str(row["id"])]
            values = {"overlap": overlap, "is_labeled": (row.get("total_annotations") or 0) >= overlap}
            if any(row.get(name) != value for name, value in values.items()):
                _write_task(client, str(row["id"]), values)


def _write_task(client: LabelStudioClient, task_id: str, values: Row) -> None:
    try:
        client.patch(f"/api/tasks/{task_id}/", json=values, extensions={"repeatable": True})
    except Refusal as refusal:
        if refusal.status != NOT_FOUND:
            raise


def tasks_by_change(
    client: LabelStudioClient, project_id: str, since: datetime | None, *, page_size: int = PAGE
) -> Iterator[Row]:
    """Stream tasks with their annotations in the order of their last change.

    A task that changes meanwhile moves behind the page being read and is read again. When more tasks than
    a page changed at the very same moment, the page grows until it reaches beyond that moment.
    """
    cursor, size, seen = since, page_size, set[tuple[int, str]]()
    while True:
        conditions = [] if cursor is None else [_changed_since(cursor)]
        rows = _page(client, project_id, conditions, "updated_at", WITH_ANNOTATIONS, size)
        yield from (row for row in rows if _mark(row) not in seen)
        if len(rows) < size:
            return
        newest = read_moment(rows[-1]["updated_at"])
        size = size * 2 if newest == cursor else page_size
        cursor, seen = newest, {_mark(row) for row in rows}


def _mark(row: Row) -> tuple[int, str]:
    return row["id"], row["updated_at"]


def _changed_since(moment: datetime) -> dict[str, object]:
    text = moment.astimezone(UTC).strftime(MOMENT)
    return condition("updated_at", "greater_or_equal", "Datetime", text)


def _page(
    client: LabelStudioClient,
    project_id: str,
    conditions: Sequence[dict[str, object]],
    order: str,
    fields: str,
    size: int,
) -> list[Row]:
    tasks: list[Row] = _ask(client, project_id, conditions, order, fields, size)["tasks"]
    return tasks


def _ask(
    client: LabelStudioClient,
    project_id: str,
    conditions: Sequence[dict[str, object]],
    order: str,
    fields: str,
    size: int,
) -> Row:
    # The query travels as the body of a GET: in the address it would be cut off at 16,000 characters.
    response = client.request(
        "GET",
        "/api/tasks",
        params={"project": project_id, "page": 1, "page_size": size, "fields": "all", "include": fields},
        json={"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": [f"tasks:{order}"]},
    )
    answer = read_json(response, dict)
    # Read as "there are none", an answer without a list would have tasks sent a second time.
    if not isinstance(answer.get("tasks"), list):
        raise not_label_studio(response)
    return answer


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
        return {user["id"]: user["email"] for user in users if isinstance(user, dict) and user.get("email")}
