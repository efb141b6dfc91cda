"""When facts came to be known, what models predicted, why items were chosen, the budget's terms, tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


# Columns are added and never rebuilt: SQLite would copy a table that others refer to.
ADDED = {
    "project": (sa.Column("name_key", sa.String()),),
    "item": (_time("created_at"), _time("removed_at"), sa.Column("removed_from", sa.String())),
    "round": (sa.Column("pool_size", sa.BigInteger()), sa.Column("progress", sa.JSON(none_as_null=True))),
    "selection": (
        sa.Column("proposal", sa.Float()),
        sa.Column("neighbour", sa.String()),
        sa.Column("neighbour_distance", sa.Float()),
        sa.Column("redundancy", sa.Float()),
        sa.Column("x", sa.Float()),
        sa.Column("y", sa.Float()),
    ),
    "annotation": (_time("received_at"), _time("superseded_at")),
    "label": (_time("superseded_at"),),
    "metric": (_time("created_at"),),
    "budget_point": (_time("created_at"),),
}
# What is known of the past: an answer was received when it was given at the earliest. Only what may have an
# end is written a second time: to write NULL where NULL is takes PostgreSQL as long as anything else.
FILLED = (
    "UPDATE annotation SET received_at = updated_at",
    (
        "UPDATE annotation SET superseded_at = (SELECT min(newer.updated_at) FROM annotation AS newer "
        "WHERE newer.project_id = annotation.project_id AND newer.labeler = annotation.labeler "
        "AND newer.external_id = annotation.external_id AND (newer.updated_at > annotation.updated_at "
        "OR (newer.updated_at = annotation.updated_at AND newer.deleted AND NOT annotation.deleted))) "
        "WHERE (project_id, labeler, external_id) IN (SELECT project_id, labeler, external_id "
        "FROM annotation GROUP BY project_id, labeler, external_id HAVING count(*) > 1)"
    ),
    (
        "UPDATE label SET superseded_at = (SELECT newer.created_at FROM label AS newer "
        "WHERE newer.item_id = label.item_id AND newer.revision = label.revision + 1) "
        "WHERE (item_id, revision + 1) IN (SELECT item_id, revision FROM label)"
    ),
    "UPDATE metric SET created_at = (SELECT round.updated_at FROM round WHERE round.id = metric.round_id)",
    (
        "UPDATE budget_point SET created_at = "
        "(SELECT round.updated_at FROM round WHERE round.id = budget_point.round_id)"
    ),
)
INDEXES = (
    ("label", ["item_id", "current"]),
    ("round_move", ["round_id"]),
    ("task_move", ["task_id"]),
    ("task_move", ["at"]),
    ("diagnostic", ["project_id", "name", "id"]),
    ("terms", ["project_id"]),
    ("web_session", ["token_id"]),
)


def _tables() -> dict[str, tuple[sa.schema.SchemaItem, ...]]:
    return {
        "round_move": (
            sa.Column("round_id", sa.Integer(), nullable=False),
            _time("at", nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            sa.Column("failed_from", sa.String()),
            sa.Column("strategy", sa.String()),
            sa.Column("scoring_run_id", sa.Integer()),
            sa.Column("model_run_id", sa.Integer()),
            sa.Column("error", sa.Text()),
            sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_round_move_round_id_round"),
        ),
        "task_move": (
            sa.Column("task_id", sa.Integer(), nullable=False),
            _time("at", nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_move_task_id_task"),
        ),
        "prediction_set": (
            sa.Column("round_id", sa.Integer(), nullable=False),
            sa.Column("arm", sa.String(), nullable=False),
            sa.Column("labels", sa.Integer(), nullable=False),
            sa.Column("n", sa.Integer(), nullable=False),
            sa.Column("items_sha256", sa.String(), nullable=False),
            _time("created_at", nullable=False),
            sa.Column("right", sa.LargeBinary(), nullable=False),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_prediction_set_round_id_round"),
            sa.UniqueConstraint("round_id", "arm", name="uq_prediction_set_round_id_arm"),
        ),
        "pool_map": (
            sa.Column("project_id", sa.Integer(), nullable=False),
            sa.Column("encoder", sa.String(), nullable=False),
            sa.Column("pool_sha256", sa.String(), nullable=False),
            _time("created_at", nullable=False),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_pool_map_project_id_project"),
            sa.UniqueConstraint(
                "project_id", "encoder", "pool_sha256", name="uq_pool_map_project_id_encoder_pool_sha256"
            ),
        ),
        "diagnostic": (
            sa.Column("project_id", sa.Integer(), nullable=False),
            sa.Column("round_id", sa.Integer()),
            sa.Column("name", sa.String(), nullable=False),
            sa.Column("content", sa.JSON(), nullable=False),
            _time("created_at", nullable=False),
            sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_diagnostic_project_id_project"),
            sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_diagnostic_round_id_round"),
        ),
        "terms": (
            sa.Column("project_id", sa.Integer(), nullable=False),
            _time("at", nullable=False),
            sa.Column("source", sa.String(), nullable=False),
            sa.Column("actor", sa.String(), nullable=False),
            sa.Column("content", sa.JSON(), nullable=False),
            sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_terms_project_id_project"),
        ),
        "token": (
            sa.Column("name", sa.String(), nullable=False),
            sa.Column("role", sa.String(), nullable=False),
            sa.Column("digest", sa.String(), nullable=False),
            _time("created_at", nullable=False),
            _time("expires_at"),
            _time("revoked_at"),
            _time("used_at"),
            sa.UniqueConstraint("name", name="uq_token_name"),
            sa.UniqueConstraint("digest", name="uq_token_digest"),
        ),
        "web_session": (
            sa.Column("token_id", sa.Integer(), nullable=False),
            sa.Column("digest", sa.String(), nullable=False),
            _time("created_at", nullable=False),
            _time("expires_at", nullable=False),
            sa.ForeignKeyConstraint(["token_id"], ["token.id"], name="fk_web_session_token_id_token"),
            sa.UniqueConstraint("digest", name="uq_web_session_digest"),
        ),
    }


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column.copy())
    for statement in FILLED:
        op.execute(statement)
    for table, parts in _tables().items():
        key = sa.PrimaryKeyConstraint("id", name=f"pk_{table}")
        op.create_table(table, sa.Column("id", sa.Integer(), nullable=False), *parts, key)
    for table, columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def downgrade() -> None:
    for table, columns in INDEXES:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table_name=table)
    for table in reversed(_tables()):
        op.drop_table(table)
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
