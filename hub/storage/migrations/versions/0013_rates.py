"""What rates are counted from without a look into documents: the false-alarm rate of each event, and whether it was vetoed."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as batch:
        batch.add_column(sa.Column("far_hz", sa.Float(), nullable=True))
        batch.add_column(sa.Column("is_vetoed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("is_answer", sa.Boolean(), nullable=False, server_default=sa.false()))
    events = sa.table(
        "events",
        sa.column("event_id"),
        sa.column("far_hz"),
        sa.column("is_vetoed"),
        sa.column("is_answer"),
        sa.column("document", sa.Text),
    )
    connection = op.get_bind()
    for event_id in connection.scalars(sa.select(events.c.event_id)).all():
        place = events.c.event_id == event_id
        document = json.loads(connection.execute(sa.select(events.c.document).where(place)).scalar_one())
        values = {"far_hz": document.get("far_hz"), "is_vetoed": bool(document.get("vetoes"))}
        values["is_answer"] = bool(document.get("depends_on")) and document.get("messenger") != "em"
        connection.execute(events.update().where(place).values(values))
    with op.batch_alter_table("events") as batch:
        batch.alter_column("is_vetoed", server_default=None)
        batch.alter_column("is_answer", server_default=None)
    _limit_by_the_larger()
    op.create_index(op.f("ix_coincidences_kind_t0_tai_us"), "coincidences", ["kind", "t0_tai_us"], unique=False)


def _limit_by_the_larger() -> None:
    """Write into ``joint_far_hz`` the larger of false-alarm rate and rate of unrelated real events; NULL without either."""
    rows = sa.table(
        "coincidences",
        sa.column("coincidence_id"),
        sa.column("version"),
        sa.column("joint_far_hz"),
        sa.column("document", sa.Text),
    )
    connection = op.get_bind()
    for name, version in connection.execute(sa.select(rows.c.coincidence_id, rows.c.version)).all():
        place = sa.and_(rows.c.coincidence_id == name, rows.c.version == version)
        document = json.loads(connection.execute(sa.select(rows.c.document).where(place)).scalar_one())
        known = {score["statistic"]: score["value"] for score in document.get("scores", ()) if isinstance(score["value"], float)}
        noise, chance = known.get("joint_far", known.get("joint_far_time_only")), known.get("random_association")
        larger = None if noise is None or chance is None else max(noise, chance)
        connection.execute(rows.update().where(place).values(joint_far_hz=larger))


def downgrade() -> None:
    op.drop_index(op.f("ix_coincidences_kind_t0_tai_us"), table_name="coincidences")
    with op.batch_alter_table("events") as batch:
        batch.drop_column("is_answer")
        batch.drop_column("is_vetoed")
        batch.drop_column("far_hz")
