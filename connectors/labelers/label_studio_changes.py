"""Reading tasks from Label Studio in the order of their last change, so that no change is passed over."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from connectors.labelers.label_studio_format import read_moment, write_moment
from connectors.labelers.label_studio_http import LabelStudioClient
from connectors.labelers.label_studio_reading import PAGE, Page, Row, condition, page_of, tasks_by_id

#: The list of fields also thins out what is inside an annotation, so it names those fields too.
WITH_ANNOTATIONS: Final = (
    "id,data,annotations,updated_at,created_at,result,completed_by,was_cancelled,lead_time,ground_truth,"
    "parent_prediction,task"
)
NEXT: Final = timedelta(microseconds=1)


def tasks_by_change(
    client: LabelStudioClient, project_id: str, since: datetime | None, *, page_size: int = PAGE
) -> Iterator[Row]:
    """Stream tasks with their annotations in the order of their last change.

    A task that changes meanwhile moves behind the page being read and is read again. When more tasks than
    a page changed at the very same moment, those of that moment are read by their ids.
    """
    cursor, size, seen = since, page_size, set[tuple[int, str]]()
    while True:
        conditions = [] if cursor is None else [_changed("greater_or_equal", cursor)]
        page = page_of(client, project_id, conditions, "updated_at", WITH_ANNOTATIONS, size)
        yield from (row for row in page.rows if _mark(row) not in seen)
        if len(page.rows) < size:
            return
        seen = {_mark(row) for row in page.rows}
        reached = _reached(page, cursor)
        if cursor is None or reached is None or reached > cursor:
            cursor, size = reached, page_size if reached else size * 2
        elif {read_moment(row.get("updated_at")) for row in page.rows} == {cursor}:
            at_once = [_changed("less_or_equal", cursor), *conditions]
            rows = tasks_by_id(client, project_id, at_once, fields=WITH_ANNOTATIONS, page_size=page_size)
            yield from (row for row in rows if _mark(row) not in seen)
            cursor, size = cursor + NEXT, page_size
        else:
            size *= 2


def _reached(page: Page, cursor: datetime | None) -> datetime | None:
    """Up to where the changes have been read.

    Label Studio first chooses the tasks of a page and then reads them: one that was changed in between shows
    its new moment, and what lies between its old and its new one is not on this page. So only those moments
    count that had passed when the page was asked for.
    """
    moments = [read_moment(row.get("updated_at")) for row in page.rows]
    old = [moment for moment in moments if page.asked_at is None or moment < page.asked_at]
    return max([*([] if cursor is None else [cursor]), *old], default=None)


def _mark(row: Row) -> tuple[int, str]:
    return row["id"], str(row.get("updated_at"))


def _changed(operator: str, moment: datetime) -> dict[str, object]:
    return condition("updated_at", operator, "Datetime", write_moment(moment))
