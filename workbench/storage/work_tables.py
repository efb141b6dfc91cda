"""The tables of the work itself: projects, pools, rounds, tasks, annotations, labels, and when they moved."""

import sqlalchemy as sa

from workbench.storage.schema import UtcDateTime, key, metadata, to

project = sa.Table(
    "project",
    metadata,
    key(),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("uid", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("classes", sa.JSON, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # What people's made-up names follow from; made when somebody first reads who may not see the real ones.
    sa.Column("name_key", sa.String),
)

labeler_link = sa.Table(
    "labeler_link",
    metadata,
    key(),
    to("project"),
    sa.Column("labeler", sa.String, nullable=False),
    sa.Column("external_id", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("cursor", UtcDateTime),
    sa.Column("woken_at", UtcDateTime),
    sa.Column("away_since", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcDateTime),
    sa.Column("last_error", sa.Text),
    sa.UniqueConstraint("project_id", "labeler"),
)

pool_shard = sa.Table(
    "pool_shard",
    metadata,
    key(),
    to("project"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("uri", sa.String, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "sha256"),
    sa.UniqueConstraint("project_id", "number"),
)

item = sa.Table(
    "item",
    metadata,
    key(),
    to("project"),
    sa.Column("key", sa.String, nullable=False),
    to("pool_shard"),
    sa.Column("row", sa.BigInteger, nullable=False),
    sa.Column("split", sa.String, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("known_label", sa.String),
    sa.Column("created_at", UtcDateTime),
    sa.Column("removed_at", UtcDateTime),
    sa.Column("removed_from", sa.String),
    sa.UniqueConstraint("project_id", "key"),
    sa.Index("ix_item_project_id_split", "project_id", "split"),
    sa.Index("ix_item_project_id_sha256", "project_id", "sha256"),
)

round_ = sa.Table(
    "round",
    metadata,
    key(),
    to("project"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("failed_from", sa.String),
    sa.Column("batch_size", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("strategy", sa.String),
    sa.Column("scoring_run_id", sa.Integer),
    sa.Column("model_run_id", sa.Integer),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.String),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("error", sa.Text),
    sa.Column("released_at", UtcDateTime),
    sa.Column("pool_size", sa.BigInteger),
    sa.Column("progress", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "number"),
)

round_move = sa.Table(
    "round_move",
    metadata,
    key(),
    to("round", index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("failed_from", sa.String),
    sa.Column("strategy", sa.String),
    sa.Column("scoring_run_id", sa.Integer),
    sa.Column("model_run_id", sa.Integer),
    sa.Column("error", sa.Text),
)

selection = sa.Table(
    "selection",
    metadata,
    key(),
    to("round"),
    to("item", index=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("predictive_entropy", sa.Float),
    sa.Column("expected_entropy", sa.Float),
    sa.Column("mutual_information", sa.Float),
    sa.Column("predicted", sa.String),
    sa.Column("confidence", sa.Float),
    sa.Column("propensity", sa.Float),
    sa.Column("proposal", sa.Float),
    sa.Column("neighbour", sa.String),
    sa.Column("neighbour_distance", sa.Float),
    sa.Column("redundancy", sa.Float),
    sa.Column("x", sa.Float),
    sa.Column("y", sa.Float),
    sa.UniqueConstraint("round_id", "item_id"),
    sa.UniqueConstraint("round_id", "rank"),
)

task = sa.Table(
    "task",
    metadata,
    key(),
    to("round"),
    to("item", index=True),
    sa.Column("labeler", sa.String, nullable=False),
    sa.Column("external_id", sa.String),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("overlap", sa.Integer),
    sa.Column("blind", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("labeler", "round_id", "item_id"),
)

task_move = sa.Table(
    "task_move",
    metadata,
    key(),
    to("task", index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Index("ix_task_move_at", "at"),
)

annotation = sa.Table(
    "annotation",
    metadata,
    key(),
    to("project"),
    to("task"),
    to("item", index=True),
    sa.Column("labeler", sa.String, nullable=False),
    sa.Column("external_id", sa.String, nullable=False),
    sa.Column("annotator", sa.String, nullable=False),
    sa.Column("label", sa.String),
    sa.Column("problem", sa.String),
    sa.Column("skipped", sa.Boolean, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("seconds", sa.Float),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("raw", sa.JSON, nullable=False),
    sa.Column("received_at", UtcDateTime),
    sa.Column("superseded_at", UtcDateTime),
    sa.UniqueConstraint("project_id", "labeler", "external_id", "updated_at", "deleted"),
)

label = sa.Table(
    "label",
    metadata,
    key(),
    to("item"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("value", sa.String),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("method", sa.String, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("superseded_at", UtcDateTime),
    sa.UniqueConstraint("item_id", "revision"),
    sa.Index("ix_label_current", "current"),
    # Without it SQLite goes through all current labels for each of the tasks that wait.
    sa.Index("ix_label_item_id_current", "item_id", "current"),
)
