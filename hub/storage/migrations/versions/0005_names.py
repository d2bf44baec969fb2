"""Outgoing names compared without case, other authors' messages told apart by content; until when sources were heard."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ivorn_key", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("content", sa.String(), nullable=False, server_default=""))
    outbox = sa.table(
        "outbox",
        sa.column("sequence"),
        sa.column("ivorn"),
        sa.column("subject"),
        sa.column("payload", sa.LargeBinary),
        sa.column("ivorn_key"),
        sa.column("content"),
    )
    connection = op.get_bind()
    for sequence, ivorn, subject in connection.execute(sa.select(outbox.c.sequence, outbox.c.ivorn, outbox.c.subject)).all():
        place = outbox.c.sequence == sequence
        # Names that differed in case only may be there twice; the content, or else the row, keeps them apart.
        if subject == "notice":
            payload = connection.execute(sa.select(outbox.c.payload).where(place)).scalar_one()
            content = hashlib.sha256(payload).hexdigest()
        else:
            content = ""
        connection.execute(outbox.update().where(place).values(ivorn_key=ivorn.strip().lower(), content=content))
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.alter_column("ivorn_key", server_default=None)
        batch_op.alter_column("content", server_default=None)
        batch_op.drop_constraint(batch_op.f("uq_outbox_ivorn_destination"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_outbox_ivorn_key_destination_content"), ["ivorn_key", "destination", "content"]
        )
    notices = sa.table("notices", sa.column("identity"), sa.column("ivorn"))
    op.execute(notices.update().where(notices.c.ivorn.is_not(None)).values(identity=sa.func.lower(notices.c.identity)))
    op.create_table(
        "heard",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("until_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_heard")),
    )


def downgrade() -> None:
    op.drop_table("heard")
    # An older hub sends one message of a name to a destination; what it would not have sent it need not know of.
    op.execute(
        "DELETE FROM outbox WHERE EXISTS (SELECT 1 FROM outbox AS first WHERE first.ivorn = outbox.ivorn"
        " AND first.destination = outbox.destination AND first.sequence < outbox.sequence)"
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_outbox_ivorn_key_destination_content"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_outbox_ivorn_destination"), ["ivorn", "destination"])
        batch_op.drop_column("content")
        batch_op.drop_column("ivorn_key")
