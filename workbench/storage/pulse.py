"""A cheap fingerprint of what reports read: as long as it is the same, a reading holds."""

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


def pulse(connection: sa.Connection) -> tuple[int | None, ...]:
    """The newest row of every table that reports are made of, over all projects of the database."""
    newest = (sa.select(sa.func.max(table.c.id)).scalar_subquery() for table in _TABLES)
    return tuple(connection.execute(sa.select(*newest)).one())
