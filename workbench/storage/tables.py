"""The tables, as SQLAlchemy sees them. They are made by the migrations alone; a test holds both equal."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A time without a zone: {value!r}. Times in the database are aware.")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give UTC back; SQLite forgets the zone."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _to(
    target: str, *, name: str | None = None, nullable: bool = False, index: bool = False
) -> sa.Column[int]:
    column = name or f"{target}_id"
    return sa.Column(column, sa.Integer, sa.ForeignKey(f"{target}.id"), nullable=nullable, index=index)


project = sa.Table(
    "project",
    metadata,
    _id(),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("uid", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("classes", sa.JSON, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

labeler_link = sa.Table(
    "labeler_link",
    metadata,
    _id(),
    _to("project"),
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
    _id(),
    _to("project"),
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
    _id(),
    _to("project"),
    sa.Column("key", sa.String, nullable=False),
    _to("pool_shard"),
    sa.Column("row", sa.BigInteger, nullable=False),
    sa.Column("split", sa.String, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("known_label", sa.String),
    sa.UniqueConstraint("project_id", "key"),
    sa.Index("ix_item_project_id_split", "project_id", "split"),
    sa.Index("ix_item_project_id_sha256", "project_id", "sha256"),
)

round_ = sa.Table(
    "round",
    metadata,
    _id(),
    _to("project"),
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
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "number"),
)

model_run = sa.Table(
    "model_run",
    metadata,
    _id(),
    _to("project"),
    _to("round"),
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

selection = sa.Table(
    "selection",
    metadata,
    _id(),
    _to("round"),
    _to("item", index=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("predictive_entropy", sa.Float),
    sa.Column("expected_entropy", sa.Float),
    sa.Column("mutual_information", sa.Float),
    sa.Column("predicted", sa.String),
    sa.Column("confidence", sa.Float),
    sa.Column("propensity", sa.Float),
    sa.UniqueConstraint("round_id", "item_id"),
    sa.UniqueConstraint("round_id", "rank"),
)

task = sa.Table(
    "task",
    metadata,
    _id(),
    _to("round"),
    _to("item", index=True),
    sa.Column("labeler", sa.String, nullable=False),
    sa.Column("external_id", sa.String),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("overlap", sa.Integer),
    sa.Column("blind", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("labeler", "round_id", "item_id"),
)

annotation = sa.Table(
    "annotation",
    metadata,
    _id(),
    _to("project"),
    _to("task"),
    _to("item", index=True),
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
    sa.UniqueConstraint("project_id", "labeler", "external_id", "updated_at", "deleted"),
)

label = sa.Table(
    "label",
    metadata,
    _id(),
    _to("item"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("value", sa.String),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("method", sa.String, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("item_id", "revision"),
    sa.Index("ix_label_current", "current"),
)

metric = sa.Table(
    "metric",
    metadata,
    _id(),
    _to("model_run"),
    _to("round"),
    sa.Column("split", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("high", sa.Float, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.UniqueConstraint("model_run_id", "round_id", "split", "name"),
)

budget_point = sa.Table(
    "budget_point",
    metadata,
    _id(),
    _to("round"),
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
    sa.UniqueConstraint("round_id", "metric"),
)

event = sa.Table(
    "event",
    metadata,
    _id(),
    _to("project"),
    _to("round", nullable=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("actor", sa.String, nullable=False, server_default="workbench"),
    sa.Index("ix_event_project_id_id", "project_id", "id"),
)

schedule = sa.Table(
    "schedule",
    metadata,
    _id(),
    _to("project"),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("next_fire_at", UtcDateTime),
    sa.Column("next_look_at", UtcDateTime, nullable=False),
    sa.Column("wanted_at", UtcDateTime),
    sa.Column("last_started_at", UtcDateTime),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id"),
)

worker = sa.Table(
    "worker",
    metadata,
    _id(),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("doing", sa.Text),
)
