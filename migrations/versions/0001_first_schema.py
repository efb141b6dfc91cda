"""The first schema: projects, pool, rounds, annotations, labels, budget."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.create_table(
        "labeler_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("labeler", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("cursor", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_labeler_link_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labeler_link")),
        sa.UniqueConstraint("project_id", "labeler", name=op.f("uq_labeler_link_project_id_labeler")),
    )
    op.create_table(
        "pool_shard",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_pool_shard_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool_shard")),
        sa.UniqueConstraint("project_id", "number", name=op.f("uq_pool_shard_project_id_number")),
        sa.UniqueConstraint("project_id", "sha256", name=op.f("uq_pool_shard_project_id_sha256")),
    )
    op.create_table(
        "round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failed_from", sa.String(), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=True),
        sa.Column("scoring_run_id", sa.Integer(), nullable=True),
        sa.Column("model_run_id", sa.Integer(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_round_project_id_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
        sa.UniqueConstraint("project_id", "number", name=op.f("uq_round_project_id_number")),
    )
    op.create_table(
        "budget_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("annotations", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("compute_seconds", sa.Float(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_budget_point_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_point")),
        sa.UniqueConstraint("round_id", "metric", name=op.f("uq_budget_point_round_id_metric")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_event_project_id_project")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_event_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("pool_shard_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("known_label", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pool_shard_id"], ["pool_shard.id"], name=op.f("fk_item_pool_shard_id_pool_shard")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_item_project_id_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
        sa.UniqueConstraint("project_id", "key", name=op.f("uq_item_project_id_key")),
    )
    op.create_index("ix_item_project_id_sha256", "item", ["project_id", "sha256"], unique=False)
    op.create_index("ix_item_project_id_split", "item", ["project_id", "split"], unique=False)
    op.create_table(
        "model_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("posterior", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("data_hash", sa.String(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_model_run_project_id_project")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_model_run_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_run")),
        sa.UniqueConstraint(
            "project_id",
            "round_id",
            "data_hash",
            "posterior",
            name=op.f("uq_model_run_project_id_round_id_data_hash_posterior"),
        ),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_label_item_id_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("item_id", "revision", name=op.f("uq_label_item_id_revision")),
    )
    op.create_index("ix_label_current", "label", ["current"], unique=False)
    op.create_table(
        "metric",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_run_id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_run_id"], ["model_run.id"], name=op.f("fk_metric_model_run_id_model_run")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_metric_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric")),
        sa.UniqueConstraint(
            "model_run_id",
            "round_id",
            "split",
            "name",
            name=op.f("uq_metric_model_run_id_round_id_split_name"),
        ),
    )
    op.create_table(
        "selection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("predictive_entropy", sa.Float(), nullable=True),
        sa.Column("expected_entropy", sa.Float(), nullable=True),
        sa.Column("mutual_information", sa.Float(), nullable=True),
        sa.Column("predicted", sa.String(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("propensity", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_selection_item_id_item")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_selection_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selection")),
        sa.UniqueConstraint("round_id", "item_id", name=op.f("uq_selection_round_id_item_id")),
        sa.UniqueConstraint("round_id", "rank", name=op.f("uq_selection_round_id_rank")),
    )
    op.create_index(op.f("ix_selection_item_id"), "selection", ["item_id"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("labeler", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_task_item_id_item")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_task_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("labeler", "round_id", "item_id", name=op.f("uq_task_labeler_round_id_item_id")),
    )
    op.create_index(op.f("ix_task_item_id"), "task", ["item_id"], unique=False)
    op.create_table(
        "annotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("labeler", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raw", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_annotation_item_id_item")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_annotation_project_id_project")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_annotation_task_id_task")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
        sa.UniqueConstraint(
            "project_id",
            "labeler",
            "external_id",
            "updated_at",
            "deleted",
            name=op.f("uq_annotation_project_id_labeler_external_id_updated_at_deleted"),
        ),
    )
    op.create_index(op.f("ix_annotation_item_id"), "annotation", ["item_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_annotation_item_id"), table_name="annotation")
    op.drop_table("annotation")
    op.drop_index(op.f("ix_task_item_id"), table_name="task")
    op.drop_table("task")
    op.drop_index(op.f("ix_selection_item_id"), table_name="selection")
    op.drop_table("selection")
    op.drop_table("metric")
    op.drop_index("ix_label_current", table_name="label")
    op.drop_table("label")
    op.drop_table("model_run")
    op.drop_index("ix_item_project_id_split", table_name="item")
    op.drop_index("ix_item_project_id_sha256", table_name="item")
    op.drop_table("item")
    op.drop_table("event")
    op.drop_table("budget_point")
    op.drop_table("round")
    op.drop_table("pool_shard")
    op.drop_table("labeler_link")
    op.drop_table("project")
