"""Versions that a newer one has replaced, and since when that is known here."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from workbench.storage.statements import chunked
from workbench.storage.tables import annotation


def supersede(
    connection: sa.Connection, now: datetime, project_id: int, labeler: str, external_ids: Iterable[str]
) -> None:
    """Mark all versions of these annotations but the newest of each, if they are not marked yet.

    The newest is the one that changed last; of two at the same moment the deletion.
    """
    newer = annotation.alias()
    later = sa.or_(
        newer.c.updated_at > annotation.c.updated_at,
        sa.and_(
            newer.c.updated_at == annotation.c.updated_at, newer.c.deleted, sa.not_(annotation.c.deleted)
        ),
    )
    same = sa.and_(
        newer.c.project_id == annotation.c.project_id,
        newer.c.labeler == annotation.c.labeler,
        newer.c.external_id == annotation.c.external_id,
    )
    for chunk in chunked(external_ids):
        connection.execute(
            annotation.update()
            .where(
                annotation.c.project_id == project_id,
                annotation.c.labeler == labeler,
                annotation.c.external_id.in_(chunk),
                annotation.c.superseded_at.is_(None),
                sa.exists().where(same, later),
            )
            .values(superseded_at=now)
        )
