"""The tables of those who run it: schedules, workers, tokens, sessions."""

import sqlalchemy as sa

from workbench.storage.schema import UtcDateTime, key, metadata, to

schedule = sa.Table(
    "schedule",
    metadata,
    key(),
    to("project"),
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
    key(),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("doing", sa.Text),
)

token = sa.Table(
    "token",
    metadata,
    key(),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("used_at", UtcDateTime),
)

web_session = sa.Table(
    "web_session",
    metadata,
    key(),
    to("token", index=True),
    sa.Column("digest", sa.String, nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)
