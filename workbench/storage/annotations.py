"""Annotations, append-only, and the labels that follow from them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from workbench.domain.adjudication import QUEUE, is_queue
from workbench.domain.consensus import Consensus
from workbench.domain.records import Annotation, Label, LabelStatus, Reason, Split, TaskState
from workbench.storage.corrections import note_corrections, note_refusals, refused_news
from workbench.storage.statements import chunked, insert_missing
from workbench.storage.superseding import supersede
from workbench.storage.tables import annotation, item, label, round_, selection, task


class Example(NamedTuple):
    """A labeled item, ready to be learnt from."""

    key: str
    payload: dict[str, Any]
    label: str


class Revision(NamedTuple):
    """The next revision of an item's label."""

    item_id: int
    number: int
    consensus: Consensus


#: An annotation without the labeler's own record of it.
BRIEF = (
    annotation.c.external_id,
    annotation.c.task_id,
    annotation.c.item_id,
    annotation.c.annotator,
    annotation.c.label,
    annotation.c.problem,
    annotation.c.skipped,
    annotation.c.deleted,
    annotation.c.seconds,
    annotation.c.created_at,
    annotation.c.updated_at,
    annotation.c.labeler.endswith(QUEUE).label("adjudicates"),
)
_BRIEF = sa.select(*BRIEF)
_ALL_LABELS = sa.select(label, item.c.key.label("item_key")).join(item, item.c.id == label.c.item_id)


class Annotations:
    """Annotations and labels."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str = "workbench") -> None:
        self._connection = connection
        self._now = now
        self._actor = actor

    def add(self, project_id: int, labeler: str, versions: Sequence[Annotation]) -> int:
        """Keep versions that are not known yet; says how many were new."""
        rows = [
            {
                "project_id": project_id,
                "labeler": labeler,
                "external_id": a.external_id,
                "task_id": a.task_id,
                "item_id": a.item_id,
                "annotator": a.annotator,
                "label": a.label,
                "problem": a.problem,
                "skipped": a.skipped,
                "deleted": a.deleted,
                "seconds": a.seconds,
                "created_at": a.created_at,
                "updated_at": a.updated_at,
                "raw": dict(a.raw),
                "received_at": self._now,
            }
            for a in versions
        ]
        refused = refused_news(self._connection, labeler, versions)
        note_refusals(self._connection, self._now, self._actor, project_id, refused)
        added = insert_missing(self._connection, annotation, rows)
        if added:
            supersede(self._connection, self._now, project_id, labeler, {a.external_id for a in versions})
        return added

    def of_items(self, item_ids: Iterable[int]) -> dict[int, list[Annotation]]:
        """All versions of all annotations of some items, by item."""
        found: dict[int, list[Annotation]] = {}
        for chunk in chunked(item_ids):
            rows = self._connection.execute(
                sa.select(annotation).where(annotation.c.item_id.in_(chunk)).order_by(annotation.c.id)
            )
            for row in rows:
                found.setdefault(row.item_id, []).append(_annotation(row))
        return found

    def brief_of_items(self, item_ids: Iterable[int]) -> dict[int, list[Annotation]]:
        """The same without the labelers' own records, which take longer to read than all the rest."""
        found: dict[int, list[Annotation]] = {}
        for chunk in chunked(item_ids):
            rows = self._connection.execute(
                _BRIEF.where(annotation.c.item_id.in_(chunk)).order_by(annotation.c.id)
            )
            for row in rows.mappings():
                found.setdefault(row["item_id"], []).append(Annotation(**row))
        return found

    def all(self, project_id: int) -> list[Annotation]:
        """Every version of every annotation of a project."""
        rows = self._connection.execute(
            sa.select(annotation).where(annotation.c.project_id == project_id).order_by(annotation.c.id)
        )
        return [_annotation(row) for row in rows]

    def label_of(self, item_ids: Iterable[int]) -> dict[int, Label]:
        """The current label of each item that has or had one."""
        found: dict[int, Label] = {}
        for chunk in chunked(item_ids):
            rows = self._connection.execute(_ALL_LABELS.where(label.c.item_id.in_(chunk)))
            # Asked for in the query, the database may take the index on it and read every label there is.
            found.update({row.item_id: to_label(row) for row in rows if row.current})
        return found

    def labels(self, project_id: int) -> list[Label]:
        """The current label of every item that has or had one, by key."""
        rows = self._connection.execute(_labels().where(item.c.project_id == project_id).order_by(item.c.key))
        return [to_label(row) for row in rows]

    def revise(self, item_id: int, revision: int, consensus: Consensus, *, method: str) -> None:
        """Write a new revision of an item's label and make it the current one."""
        self.revise_all([Revision(item_id, revision, consensus)], method=method)

    def revise_all(self, revisions: Sequence[Revision], *, method: str) -> None:
        """Write new revisions of several items' labels and make them the current ones."""
        again = {found.item_id: found.consensus for found in revisions if found.number > 1}
        note_corrections(self._connection, self._now, self._actor, again, method)
        for chunk in chunked(found.item_id for found in revisions if found.number > 1):
            self._connection.execute(
                label.update()
                .where(label.c.item_id.in_(chunk), label.c.superseded_at.is_(None))
                .values(current=False, superseded_at=self._now)
            )
        rows = [
            {
                "item_id": found.item_id,
                "revision": found.number,
                "value": found.consensus.value,
                "status": found.consensus.status,
                "confidence": found.consensus.confidence,
                "method": method,
                "annotations": list(found.consensus.annotations),
                "current": True,
                "created_at": self._now,
            }
            for found in revisions
        ]
        if rows:
            self._connection.execute(label.insert(), rows)

    def training_set(self, project_id: int, *, control: bool = False) -> list[Example]:
        """Every agreed label of a pool item, by key. Held-out items never get in here.

        Args:
            control: Only of items that were labeled because they were drawn at random.
        """
        drawn = item.c.id.in_(_drawn_at_random(project_id)) if control else sa.true()
        rows = self._connection.execute(
            sa.select(item.c.key, item.c.payload, label.c.value)
            .join(label, label.c.item_id == item.c.id)
            .where(
                item.c.project_id == project_id,
                item.c.split == Split.POOL,
                label.c.current.is_(True),
                label.c.status == LabelStatus.AGREED,
                drawn,
            )
            .order_by(item.c.key)
        )
        return [Example(row.key, row.payload, row.value) for row in rows]


def _drawn_at_random(project_id: int) -> sa.Select[Any]:
    """Items of the random shares, but for those that went back to the pool unlabeled.

    Such a one may be chosen for its score later, and its label then stands for no random draw.
    """
    of_pick = sa.and_(task.c.round_id == selection.c.round_id, task.c.item_id == selection.c.item_id)
    return (
        sa.select(selection.c.item_id)
        .join(task, of_pick)
        .join(round_, round_.c.id == selection.c.round_id)
        .where(
            round_.c.project_id == project_id,
            selection.c.reason == Reason.CONTROL,
            task.c.state.not_in([TaskState.CANCELLED, TaskState.WITHDRAWN]),
        )
    )


def _labels() -> sa.Select[Any]:
    return _ALL_LABELS.where(label.c.current.is_(True))


def to_label(row: Any) -> Label:
    """A row of the label table, with its item's key, as a record."""
    return Label(
        item_id=row.item_id,
        item_key=row.item_key,
        revision=row.revision,
        value=row.value,
        status=LabelStatus(row.status),
        confidence=row.confidence,
        method=row.method,
        annotations=tuple(row.annotations),
        created_at=row.created_at,
    )


def _annotation(row: Any) -> Annotation:
    return Annotation(
        external_id=row.external_id,
        task_id=row.task_id,
        item_id=row.item_id,
        annotator=row.annotator,
        label=row.label,
        problem=row.problem,
        skipped=row.skipped,
        deleted=row.deleted,
        seconds=row.seconds,
        created_at=row.created_at,
        updated_at=row.updated_at,
        adjudicates=is_queue(row.labeler),
        raw=row.raw,
    )
