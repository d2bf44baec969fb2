"""Which coincidence took over what was announced of another one.

A burst of several missions is announced by one of its triggers; where another one takes its place, so does the message.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("announced", sa.Column("superseded_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("announced", "superseded_by")
