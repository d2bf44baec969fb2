"""Live streams: destinations of their own pace, positions, incidents, components, held letters."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_streams",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("since_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_streams")),
    )
    op.create_table(
        "components",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("instance", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("alarms", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("since_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "instance", name=op.f("pk_components")),
    )
    op.create_table(
        "incidents",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "subject", name=op.f("pk_incidents")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incidents_at_tai_us"), ["at_tai_us"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "stream_positions",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "topic", "partition", name=op.f("pk_stream_positions")),
    )
    for name in ("raw_messages", "receptions"):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(sa.Column("alert_stream", sa.String(), nullable=True))
    op.create_index(op.f("ix_raw_messages_state_digest"), "raw_messages", ["state", "digest"], unique=False)

    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="refused"))
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.alter_column("kind", server_default=None)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.String(), nullable=False, server_default="coincidence"))
        batch_op.add_column(sa.Column("key", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("echoed_tai_us", sa.BigInteger(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_outbox_state_due_tai_us"))
        batch_op.create_index(
            batch_op.f("ix_outbox_destination_state_due_tai_us"), ["destination", "state", "due_tai_us"], unique=False
        )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.alter_column("subject", server_default=None)
        batch_op.alter_column("key", server_default=None)
    # The one destination of before was a folder under this name.
    op.execute("UPDATE outbox SET destination = 'voevents' WHERE destination = 'file'")


def downgrade() -> None:
    op.execute("UPDATE outbox SET destination = 'file' WHERE destination = 'voevents'")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_destination_state_due_tai_us"))
        batch_op.create_index(batch_op.f("ix_outbox_state_due_tai_us"), ["state", "due_tai_us"], unique=False)
        batch_op.drop_column("echoed_tai_us")
        batch_op.drop_column("key")
        batch_op.drop_column("subject")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_column("kind")
    op.drop_index(op.f("ix_raw_messages_state_digest"), table_name="raw_messages")
    for name in ("receptions", "raw_messages"):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.drop_column("alert_stream")
    op.drop_table("stream_positions")
    op.drop_table("leases")
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incidents_at_tai_us"))

    op.drop_table("incidents")
    op.drop_table("components")
    op.drop_table("alert_streams")
