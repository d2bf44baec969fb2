"""The whole schema of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - one statement for each table and index
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

    op.create_table(
        "candidates",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("hypothesis", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "survey", "object_id", "hypothesis", name=op.f("pk_candidates")),
    )
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_candidates_event_id_confirmed_score"), ["event_id", "confirmed", "score"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_candidates_survey_object_id"), ["survey", "object_id"], unique=False)

    op.create_table(
        "coincidence_members",
        sa.Column("coincidence_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("coincidence_id", "kind", "member_id", name=op.f("pk_coincidence_members")),
    )
    with op.batch_alter_table("coincidence_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coincidence_members_member_id"), ["member_id"], unique=False)

    op.create_table(
        "coincidences",
        sa.Column("coincidence_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("t0_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("joint_far_hz", sa.Float(), nullable=True),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("first_created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("coincidence_id", "version", name=op.f("pk_coincidences")),
    )
    with op.batch_alter_table("coincidences", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_coincidences_is_latest_first_created_tai_us_coincidence_id"),
            ["is_latest", "first_created_tai_us", "coincidence_id"],
            unique=False,
        )

    op.create_table(
        "contexts",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_contexts")),
    )
    with op.batch_alter_table("contexts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contexts_kind"), ["kind"], unique=False)

    op.create_table(
        "events",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("messenger", sa.String(), nullable=False),
        sa.Column("event_class", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("t0_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("first_t0_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("last_t0_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("order_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_events_first_t0_tai_us_last_t0_tai_us"), ["first_t0_tai_us", "last_t0_tai_us"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_events_order_tai_us_event_id"), ["order_tai_us", "event_id"], unique=False)

    op.create_table(
        "intents",
        sa.Column("intent_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("coincidence_id", sa.String(), nullable=True),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_intents")),
    )
    with op.batch_alter_table("intents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_intents_coincidence_id"), ["coincidence_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_intents_created_tai_us_intent_id"), ["created_tai_us", "intent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_intents_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_intents_state"), ["state"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_jobs")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_jobs_kind_key")),
    )
    op.create_table(
        "localizations",
        sa.Column("localization_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("localization_id", name=op.f("pk_localizations")),
    )
    op.create_table(
        "notices",
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("ivorn", sa.String(), nullable=True),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("is_trusted", sa.Boolean(), nullable=False),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_digest"), ["digest"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_identity"), ["identity"], unique=False)
        batch_op.create_index(batch_op.f("ix_notices_ivorn"), ["ivorn"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ivorn", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("cites", sa.Text(), nullable=False),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_outbox")),
        sa.UniqueConstraint("ivorn", "destination", name=op.f("uq_outbox_ivorn_destination")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_state_due_tai_us"), ["state", "due_tai_us"], unique=False)

    op.create_table(
        "packets",
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("survey", "source_id", name=op.f("pk_packets")),
    )
    op.create_table(
        "raw_messages",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("position", sa.String(), nullable=True),
        sa.Column("topic", sa.String(), nullable=True),
        sa.Column("trust", sa.String(), nullable=False),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_raw_messages")),
    )
    op.create_table(
        "source_counts",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), nullable=False),
        sa.Column("dead_letters", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_counts")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=True),
        sa.Column("adapter_version", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("last_tai_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["raw_messages.digest"], name=op.f("fk_dead_letters_digest_raw_messages")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_dead_letters")),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dead_letters_last_tai_us"), ["last_tai_us"], unique=False)

    op.create_table(
        "event_aliases",
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.event_id"], name=op.f("fk_event_aliases_event_id_events"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alias", "event_id", name=op.f("pk_event_aliases")),
    )
    with op.batch_alter_table("event_aliases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_aliases_event_id"), ["event_id"], unique=False)

    op.create_table(
        "receptions",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("position", sa.String(), nullable=True),
        sa.Column("topic", sa.String(), nullable=True),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("trust", sa.String(), nullable=False),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["raw_messages.digest"], name=op.f("fk_receptions_digest_raw_messages"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", "source", name=op.f("pk_receptions")),
    )
    with op.batch_alter_table("receptions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receptions_in_flight"), ["in_flight"], unique=False)

    op.create_table(
        "transitions",
        sa.Column("intent_id", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["intent_id"], ["intents.intent_id"], name=op.f("fk_transitions_intent_id_intents")),
        sa.PrimaryKeyConstraint("intent_id", "network", "number", name=op.f("pk_transitions")),
    )


def downgrade() -> None:  # noqa: PLR0915 - one statement for each table and index
    op.drop_table("transitions")
    with op.batch_alter_table("receptions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receptions_in_flight"))

    op.drop_table("receptions")
    with op.batch_alter_table("event_aliases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_aliases_event_id"))

    op.drop_table("event_aliases")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dead_letters_last_tai_us"))

    op.drop_table("dead_letters")
    op.drop_table("source_counts")
    op.drop_table("raw_messages")
    op.drop_table("packets")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_state_due_tai_us"))

    op.drop_table("outbox")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notices_ivorn"))
        batch_op.drop_index(batch_op.f("ix_notices_identity"))
        batch_op.drop_index(batch_op.f("ix_notices_event_id"))
        batch_op.drop_index(batch_op.f("ix_notices_digest"))

    op.drop_table("notices")
    op.drop_table("localizations")
    op.drop_table("jobs")
    with op.batch_alter_table("intents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_intents_state"))
        batch_op.drop_index(batch_op.f("ix_intents_event_id"))
        batch_op.drop_index(batch_op.f("ix_intents_created_tai_us_intent_id"))
        batch_op.drop_index(batch_op.f("ix_intents_coincidence_id"))

    op.drop_table("intents")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_order_tai_us_event_id"))
        batch_op.drop_index(batch_op.f("ix_events_first_t0_tai_us_last_t0_tai_us"))

    op.drop_table("events")
    with op.batch_alter_table("contexts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contexts_kind"))

    op.drop_table("contexts")
    with op.batch_alter_table("coincidences", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_coincidences_is_latest_first_created_tai_us_coincidence_id"))

    op.drop_table("coincidences")
    with op.batch_alter_table("coincidence_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_coincidence_members_member_id"))

    op.drop_table("coincidence_members")
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_candidates_survey_object_id"))
        batch_op.drop_index(batch_op.f("ix_candidates_event_id_confirmed_score"))

    op.drop_table("candidates")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_survey_object_id_mid_tai_us"))
        batch_op.drop_index(batch_op.f("ix_alerts_mid_tai_us"))
        batch_op.drop_index(batch_op.f("ix_alerts_cell_mid_tai_us"))

    op.drop_table("alerts")
