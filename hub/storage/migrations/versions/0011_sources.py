"""Bursts that several missions saw: members and versions, what persons said of them, what events cite, the mission of each.

What the hub knew before is associated as its events change; ``mmhub rematch`` does it for all.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as batch:
        batch.add_column(sa.Column("mission", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "event_citations",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("cited", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.event_id"], name=op.f("fk_event_citations_event_id_events"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "cited", name=op.f("pk_event_citations")),
    )
    op.create_index(op.f("ix_event_citations_cited"), "event_citations", ["cited"], unique=False)
    _fill()
    with op.batch_alter_table("events") as batch:
        batch.alter_column("mission", server_default=None)
    op.create_table(
        "source_members",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_source_members")),
    )
    op.create_index(op.f("ix_source_members_source_id"), "source_members", ["source_id"], unique=False)
    op.create_table(
        "source_versions",
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("n_members", sa.Integer(), nullable=False),
        sa.Column("order_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "version", name=op.f("pk_source_versions")),
    )
    op.create_index(
        op.f("ix_source_versions_is_latest_order_tai_us_source_id"),
        "source_versions",
        ["is_latest", "order_tai_us", "source_id"],
        unique=False,
    )
    op.create_table(
        "source_words",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_source_words")),
    )
    op.create_index(op.f("ix_source_words_first"), "source_words", ["first"], unique=False)
    op.create_index(op.f("ix_source_words_second"), "source_words", ["second"], unique=False)


def downgrade() -> None:
    for name in ("source_words", "source_versions", "source_members", "event_citations"):
        op.drop_table(name)
    with op.batch_alter_table("events") as batch:
        batch.drop_column("mission")


def _fill() -> None:
    """Write the mission of each event, and what the electromagnetic ones cite, as their documents say."""
    events = sa.table("events", sa.column("event_id"), sa.column("mission"), sa.column("document", sa.Text))
    citations = sa.table("event_citations", sa.column("event_id"), sa.column("cited"))
    connection = op.get_bind()
    for event_id in connection.scalars(sa.select(events.c.event_id)).all():
        place = events.c.event_id == event_id
        document = json.loads(connection.execute(sa.select(events.c.document).where(place)).scalar_one())
        connection.execute(events.update().where(place).values(mission=document.get("mission", "")))
        for cited in sorted(_cited(document)) if document.get("messenger") == "em" else ():
            connection.execute(citations.insert().values(event_id=event_id, cited=cited))


def _cited(document: dict) -> set[str]:  # type: ignore[type-arg]
    notices = [version["stored"]["notice"] for version in document["versions"]]
    named = {name for notice in notices for name in notice["depends_on"]}
    return named | {cite["ivorn"] for notice in notices for cite in notice["cites"]}
