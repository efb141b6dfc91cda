"""A cheap fingerprint of what reports read: as long as it is the same, a reading holds."""

from datetime import datetime

import sqlalchemy as sa

from workbench.storage.tables import (
    annotation,
    budget_point,
    diagnostic,
    event,
    item,
    label,
    metric,
    model_run,
    pool_map,
    pool_shard,
    prediction_set,
    project,
    round_move,
    selection,
    task_move,
    terms,
)

#: Whatever changes leaves a new row in one of these, and the newest id is found without reading the table.
_TABLES = (
    project,
    pool_shard,
    item,
    round_move,
    selection,
    task_move,
    annotation,
    label,
    model_run,
    metric,
    budget_point,
    prediction_set,
    pool_map,
    diagnostic,
    terms,
    event,
)
#: When the rows of a table came to be known.
_STAMPS = (
    project.c.created_at,
    item.c.created_at,
    round_move.c.at,
    task_move.c.at,
    annotation.c.received_at,
    label.c.created_at,
    metric.c.created_at,
    budget_point.c.created_at,
    prediction_set.c.created_at,
    pool_map.c.created_at,
    diagnostic.c.created_at,
    terms.c.at,
    event.c.at,
)
#: The same, of what rounds leave behind: few rows, so that the latest of all can be looked for.
_ROUNDS = (
    round_move.c.at,
    metric.c.created_at,
    budget_point.c.created_at,
    prediction_set.c.created_at,
    diagnostic.c.created_at,
    terms.c.at,
)


def latest_of_rounds(connection: sa.Connection) -> datetime | None:
    """The latest time at which a round left anything; in the future where a clock was set back since."""
    latest = (sa.select(sa.func.max(stamp)).scalar_subquery() for stamp in _ROUNDS)
    found = connection.execute(sa.select(*latest)).one()
    return max((stamp for stamp in found if stamp is not None), default=None)


def pulse(connection: sa.Connection) -> tuple[int | None, ...]:
    """The newest row of every table that reports are made of, over all projects of the database."""
    newest = (sa.select(sa.func.max(table.c.id)).scalar_subquery() for table in _TABLES)
    return tuple(connection.execute(sa.select(*newest)).one())


def last_stamp(connection: sa.Connection) -> datetime | None:
    """When the newest row that reports are made of came to be known; None where there is none."""
    newest = (
        sa.select(stamp).order_by(stamp.table.c.id.desc()).limit(1).scalar_subquery() for stamp in _STAMPS
    )
    found = connection.execute(sa.select(*newest)).one()
    return max((stamp for stamp in found if stamp is not None), default=None)
