"""Alerts lie in the archive: the table of the versions before it goes, once it is empty or its rows were moved."""

import sqlalchemy as sa
from alembic import context, op

from hub.errors import StorageError

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    left = op.get_bind().execute(sa.text("SELECT 1 FROM alerts LIMIT 1")).first()
    if left is not None and not context.config.attributes.get("alerts_are_moved", False):
        raise StorageError(
            "the alerts of the state database are not in the archive yet: run `mmhub db upgrade`, which moves them"
        )
    op.drop_table("alerts")


def downgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=False),
        sa.Column("dec_deg", sa.Float(), nullable=False),
        sa.Column("mid_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("first_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("n_history", sa.Integer(), nullable=False),
        sa.Column("flux_njy", sa.Float(), nullable=True),
        sa.Column("flux_err_njy", sa.Float(), nullable=True),
        sa.Column("snr", sa.Float(), nullable=True),
        sa.Column("reliability", sa.Float(), nullable=True),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("is_solar_system", sa.Boolean(), nullable=False),
        sa.Column("is_negative", sa.Boolean(), nullable=False),
        sa.Column("is_saturated", sa.Boolean(), nullable=False),
        sa.Column("hpx29", sa.BigInteger(), nullable=False),
        sa.Column("cell", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("survey", "source_id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_cell_mid_tai_us"), ["cell", "mid_tai_us"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_mid_tai_us"), ["mid_tai_us"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_alerts_survey_object_id_mid_tai_us"), ["survey", "object_id", "mid_tai_us"], unique=False
        )
