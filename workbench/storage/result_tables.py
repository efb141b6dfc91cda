"""The tables of what was reached: models, metrics, budget points, and what reports are made of."""

import sqlalchemy as sa

from workbench.storage.schema import UtcDateTime, key, metadata, to

model_run = sa.Table(
    "model_run",
    metadata,
    key(),
    to("project"),
    to("round"),
    sa.Column("posterior", sa.String, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("data_hash", sa.String, nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("uri", sa.String, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "round_id", "data_hash", "posterior"),
)

metric = sa.Table(
    "metric",
    metadata,
    key(),
    to("model_run"),
    to("round"),
    sa.Column("split", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("high", sa.Float, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime),
    sa.UniqueConstraint("model_run_id", "round_id", "split", "name"),
)

budget_point = sa.Table(
    "budget_point",
    metadata,
    key(),
    to("round"),
    sa.Column("metric", sa.String, nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("annotations", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("cost", sa.Float, nullable=False),
    sa.Column("compute_seconds", sa.Float, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime),
    sa.UniqueConstraint("round_id", "metric"),
)

prediction_set = sa.Table(
    "prediction_set",
    metadata,
    key(),
    to("round"),
    sa.Column("arm", sa.String, nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("items_sha256", sa.String, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # Curves read this small column of every round; what follows is read for one round at a time.
    sa.Column("right", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("round_id", "arm"),
)

pool_map = sa.Table(
    "pool_map",
    metadata,
    key(),
    to("project"),
    sa.Column("encoder", sa.String, nullable=False),
    sa.Column("pool_sha256", sa.String, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("project_id", "encoder", "pool_sha256"),
)

diagnostic = sa.Table(
    "diagnostic",
    metadata,
    key(),
    to("project"),
    to("round", nullable=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_diagnostic_project_id_name_id", "project_id", "name", "id"),
)

terms = sa.Table(
    "terms",
    metadata,
    key(),
    to("project", index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
)

event = sa.Table(
    "event",
    metadata,
    key(),
    to("project"),
    to("round", nullable=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("actor", sa.String, nullable=False, server_default="workbench"),
    sa.Index("ix_event_project_id_id", "project_id", "id"),
)
