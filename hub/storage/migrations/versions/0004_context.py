"""Context: circulars with their names, annotations with their decisions, the significance of events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "circulars",
        sa.Column("circular_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("submitter", sa.String(), nullable=True),
        sa.Column("event_name", sa.String(), nullable=True),
        sa.Column("text_format", sa.String(), nullable=False),
        sa.Column("bibcode", sa.String(), nullable=True),
        sa.Column("edited_by", sa.String(), nullable=True),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("edited_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("is_trusted", sa.Boolean(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("circular_id", "version", "content", name=op.f("pk_circulars")),
    )
    with op.batch_alter_table("circulars", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_circulars_created_tai_us"), ["created_tai_us"], unique=False)
        batch_op.create_index(batch_op.f("ix_circulars_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_circulars_is_latest_circular_id"), ["is_latest", "circular_id"], unique=False)

    op.create_table(
        "circular_names",
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("circular_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name_key", "circular_id", "version", "content", name=op.f("pk_circular_names")),
    )
    op.create_table(
        "annotations",
        sa.Column("annotation_id", sa.String(), nullable=False),
        sa.Column("target_kind", sa.String(), nullable=False),
        sa.Column("target_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_ref", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("order_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("annotation_id", name=op.f("pk_annotations")),
    )
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annotations_cell"), ["cell"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_annotations_order_tai_us_annotation_id"), ["order_tai_us", "annotation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_annotations_source_source_ref"), ["source", "source_ref"], unique=False)
        batch_op.create_index(batch_op.f("ix_annotations_state"), ["state"], unique=False)

    op.create_table(
        "annotation_names",
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("annotation_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["annotation_id"],
            ["annotations.annotation_id"],
            name=op.f("fk_annotation_names_annotation_id_annotations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name_key", "annotation_id", name=op.f("pk_annotation_names")),
    )
    with op.batch_alter_table("annotation_names", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annotation_names_annotation_id"), ["annotation_id"], unique=False)

    op.create_table(
        "annotation_decisions",
        sa.Column("annotation_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["annotation_id"],
            ["annotations.annotation_id"],
            name=op.f("fk_annotation_decisions_annotation_id_annotations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("annotation_id", "number", name=op.f("pk_annotation_decisions")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("significance", sa.String(), nullable=False, server_default="unstated"))
    # What the documents say already; a find that is below the threshold as a whole comes last, and counts.
    events = sa.table("events", sa.column("document", sa.Text), sa.column("event_class"), sa.column("significance"))
    for grade, condition in (
        ("significant", events.c.document.contains('"significant":true', autoescape=True)),
        ("low", events.c.document.contains('"significant":false', autoescape=True)),
        ("sub_threshold", events.c.event_class.in_(["sub_grb", "sub_grb_targeted"])),
    ):
        op.execute(events.update().where(condition).values(significance=grade))
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.alter_column("significance", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("significance")

    op.drop_table("annotation_decisions")
    with op.batch_alter_table("annotation_names", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_annotation_names_annotation_id"))

    op.drop_table("annotation_names")
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_annotations_state"))
        batch_op.drop_index(batch_op.f("ix_annotations_source_source_ref"))
        batch_op.drop_index(batch_op.f("ix_annotations_order_tai_us_annotation_id"))
        batch_op.drop_index(batch_op.f("ix_annotations_cell"))

    op.drop_table("annotations")
    op.drop_table("circular_names")
    with op.batch_alter_table("circulars", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_circulars_is_latest_circular_id"))
        batch_op.drop_index(batch_op.f("ix_circulars_digest"))
        batch_op.drop_index(batch_op.f("ix_circulars_created_tai_us"))

    op.drop_table("circulars")
