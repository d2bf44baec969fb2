"""Which topic a place belongs to: one that was made anew under the same name is another."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("stream_positions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic_id", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("stream_positions", schema=None) as batch_op:
        batch_op.alter_column("topic_id", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("stream_positions", schema=None) as batch_op:
        batch_op.drop_column("topic_id")
