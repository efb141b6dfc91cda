"""What becomes of labels and answers after the fact, for the audit trail: corrections and refusals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.consensus import Consensus
from workbench.domain.records import Annotation, LabelStatus, NewEvent
from workbench.storage.diary import write_events
from workbench.storage.statements import chunked
from workbench.storage.tables import annotation, item, label, task

REASONS = {
    "empty": "nothing is chosen",
    "unknown-label": "it names a label that is none of the classes",
    "several-labels": "it names several labels where one is expected",
    "malformed": "it is no answer to the question",
}
#: Where one annotator's word is what changed the label. Elsewhere other items had a say in it.
BY_ANNOTATORS = frozenset({"majority", "adjudicated", "adjudication"})


def note_corrections(
    connection: sa.Connection, now: datetime, actor: str, revised: Mapping[int, Consensus], method: str
) -> None:
    """Tell which labels say something else now, from what to what, and by whom.

    Called before the new revisions are written.
    """
    for chunk in chunked(revised):
        rows = connection.execute(
            sa.select(item.c.id, item.c.key, item.c.project_id, label.c.value, label.c.status)
            .join(label, label.c.item_id == item.c.id)
            .where(item.c.id.in_(chunk), label.c.current.is_(True))
            .order_by(item.c.id)
        ).all()
        changed = [row for row in rows if _said(row.value, row.status) != _now(revised[row.id])]
        newest = _newest(connection, [row.id for row in changed])
        for row in changed:
            event = _correction(row, revised[row.id], newest.get(row.id), method)
            write_events(connection, row.project_id, now, actor, [event])


def note_refusals(
    connection: sa.Connection, now: datetime, actor: str, project_id: int, refused: Sequence[Annotation]
) -> None:
    """Tell which answers were kept but can not become a label, and why."""
    facts: dict[int, Any] = {}
    for chunk in chunked({a.task_id for a in refused}):
        rows = connection.execute(
            sa.select(task.c.id, task.c.round_id, item.c.key)
            .join(item, item.c.id == task.c.item_id)
            .where(task.c.id.in_(chunk))
        )
        facts.update({row.id: row for row in rows})
    events = [
        NewEvent(
            kind="annotation-refused",
            message=f"'{facts[a.task_id].key}': {REASONS.get(str(a.problem), str(a.problem))}",
            round_id=facts[a.task_id].round_id,
            actor=a.annotator,
        )
        for a in refused
    ]
    write_events(connection, project_id, now, actor, events)


def refused_news(connection: sa.Connection, labeler: str, versions: Sequence[Annotation]) -> list[Annotation]:
    """Of new answers, those that can not become a label and were not known before."""
    refused = [a for a in versions if a.problem is not None and not a.deleted]
    known: set[tuple[str, datetime]] = set()
    for chunk in chunked({a.external_id for a in refused}):
        rows = connection.execute(
            sa.select(annotation.c.external_id, annotation.c.updated_at).where(
                annotation.c.labeler == labeler, annotation.c.external_id.in_(chunk)
            )
        )
        known.update((row.external_id, row.updated_at) for row in rows)
    return [a for a in refused if (a.external_id, a.updated_at) not in known]


def _newest(connection: sa.Connection, item_ids: Sequence[int]) -> dict[int, Any]:
    """The newest version of any annotation of each item."""
    rows = connection.execute(
        sa.select(annotation.c.item_id, annotation.c.annotator, annotation.c.deleted, task.c.round_id)
        .join(task, task.c.id == annotation.c.task_id)
        .where(annotation.c.item_id.in_(item_ids))
        .order_by(annotation.c.updated_at, annotation.c.id)
    )
    return {row.item_id: row for row in rows}


def _correction(row: Any, consensus: Consensus, newest: Any, method: str) -> NewEvent:
    personal = method in BY_ANNOTATORS and newest is not None
    words = f"'{row.key}': {_said(row.value, row.status)} → {_now(consensus)}"
    if personal and newest.deleted:
        words += ", because an annotation was deleted"
    return NewEvent(
        kind="label-revised",
        message=words if personal else f"{words}, by {method}",
        round_id=newest.round_id if newest is not None else None,
        actor=newest.annotator if personal else None,
    )


def _now(consensus: Consensus) -> str:
    return _said(consensus.value, consensus.status)


def _said(value: str | None, status: str) -> str:
    return f"'{value}'" if status == LabelStatus.AGREED else str(status)
