"""The tables, as SQLAlchemy sees them. They are made by the migrations alone; a test holds both equal."""

from workbench.storage.result_tables import (
    budget_point,
    diagnostic,
    event,
    metric,
    model_run,
    pool_map,
    prediction_set,
    terms,
)
from workbench.storage.schema import UtcDateTime, metadata
from workbench.storage.service_tables import (
    schedule,
    token,
    web_session,
    worker,
)
from workbench.storage.work_tables import (
    annotation,
    item,
    label,
    labeler_link,
    pool_shard,
    project,
    round_,
    round_move,
    selection,
    task,
    task_move,
)

__all__ = [
    "UtcDateTime",
    "annotation",
    "budget_point",
    "diagnostic",
    "event",
    "item",
    "label",
    "labeler_link",
    "metadata",
    "metric",
    "model_run",
    "pool_map",
    "pool_shard",
    "prediction_set",
    "project",
    "round_",
    "round_move",
    "schedule",
    "selection",
    "task",
    "task_move",
    "terms",
    "token",
    "web_session",
    "worker",
]
