"""Importing tasks into Label Studio: one request, all or none, never repeated by itself.

Plain REST: the SDK walks through every field of every task before it sends them.
"""

from collections.abc import Sequence
from typing import Final

from connectors.errors import LabelerRefused, OutcomeUnknown
from connectors.labelers.checks import check_size, check_tasks
from connectors.labelers.label_config import Control
from connectors.labelers.label_studio_answers import Refusal, fields_of, position_at_fault, unreadable
from connectors.labelers.label_studio_format import make_task
from connectors.labelers.label_studio_http import LabelStudioClient
from connectors.labelers.label_studio_reading import NOT_FOUND, is_id, no_project, number
from connectors.labelers.records import OutgoingTask, TaskId

#: Label Studio itself refuses bodies above 250 MiB with a misleading error.
LARGEST_BODY: Final = 100_000_000


def check_batch(tasks: Sequence[OutgoingTask]) -> None:
    """Refuse what Label Studio would not take, before anything is asked of it.

    Raises:
        LabelerRefused: A text that databases do not keep, or too much for one request.
    """
    check_tasks(tasks)
    check_size(tasks, LARGEST_BODY)


def import_tasks(
    client: LabelStudioClient, control: Control, project_id: str, tasks: Sequence[OutgoingTask]
) -> list[TaskId]:
    """Import tasks in the given order; ids come back in request order.

    Raises:
        OutcomeUnknown: The request was sent, and nobody knows what became of it.
        LabelerRefused: A task can not be taken; nothing was saved.
    """
    try:
        answer = client.post(
            f"/api/projects/{number(project_id)}/import",
            params={"return_task_ids": "true"},
            json=[make_task(control, task) for task in tasks],
        )
    except Refusal as refusal:
        raise _refused(refusal, project_id, tasks) from refusal
    found = fields_of(answer).get("task_ids")
    ids = [key for key in found if is_id(key)] if isinstance(found, list) else []
    if len(set(ids)) != len(tasks):
        raise OutcomeUnknown(
            f"Label Studio answered with {len(ids)} ids for {len(tasks)} tasks. Look before sending again."
        )
    return [
        TaskId(task_id=str(found), item_key=task.item_key, round_key=task.round_key)
        for found, task in zip(ids, tasks, strict=True)
    ]


def act(client: LabelStudioClient, project_id: str, action: str, task_ids: Sequence[int]) -> None:
    """Have Label Studio do something with tasks; one that is gone is no error, and twice is once.

    Raises:
        OutcomeUnknown: Nobody knows whether it was done.
    """
    answer = client.post(
        "/api/dm/actions",
        params={"id": action, "project": project_id},
        json={"selectedItems": {"all": False, "included": list(task_ids)}},
        extensions={"repeatable": True},
    )
    if "processed_items" not in fields_of(answer):
        raise unreadable(answer)


def _refused(refusal: Refusal, project_id: str, tasks: Sequence[OutgoingTask]) -> LabelerRefused:
    if refusal.status == NOT_FOUND:
        return no_project(project_id)
    position = position_at_fault(refusal)
    if position is None or position >= len(tasks):
        return refusal
    return LabelerRefused(
        f"Label Studio refused the whole batch because of item {tasks[position].item_key!r}. "
        "Nothing was saved. The labeling interface may have changed: check its $variable."
    )
