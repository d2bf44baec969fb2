"""A correlation on a database of its own, told of notices and shown alerts without any wire format."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.model.alert import AlertBatch
from hub.model.coincidence import Coincidence
from hub.model.event import assemble
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.model.outgoing import Outgoing
from hub.model.sky import Localization, LocalizationSource
from hub.ports import Announcement
from hub.resources import read_text
from hub.science.onset import VisitsBefore
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import Rules, load_rules
from hub.services.announcement import Announcements, AnnouncementSettings
from hub.services.association import Association
from hub.services.correlation import EVENT_JOB, Correlation, CorrelationReport
from hub.services.followup import FollowupService
from hub.services.maps import MapCache
from hub.services.routes import Route
from hub.storage import coincidences, events, jobs, localizations, notices, outbox
from hub.storage.engine import Store
from tests.support.histories import history_of
from tests.support.words import T0, stored

AUTHORITY = "example.org/mmhub"
RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))


class FailingRenderer(VoeventRenderer):
    """Renders as ever, unless it is broken."""

    def __init__(self) -> None:
        self.is_broken = False

    def render(self, announcement: Announcement) -> bytes:
        if self.is_broken:
            raise ValueError("cannot be rendered")
        return super().render(announcement)


class Desk:
    """The correlation with what a test needs around it."""

    def __init__(
        self,
        store: Store,
        *,
        enabled: bool = True,
        routes: Sequence[Route] | None = None,
        rules: Rules = RULES,
        followups: FollowupService | None = None,
        visits: VisitsBefore | None = None,
        ranking: Ranking = DEFAULT,
    ) -> None:
        self.store = store
        self.renderer = FailingRenderer()
        self.history = history_of(store)
        self.now = T0.plus_s(1000.0)
        self.correlation = Correlation(
            store=store,
            history=self.history,
            rules=rules,
            maps=MapCache(),
            announcements=Announcements(
                settings=AnnouncementSettings(authority=AUTHORITY, enabled=enabled),
                routes=[Route(destination="file", renderer=self.renderer)] if routes is None else routes,
            ),
            followups=followups,
            clock=self.clock,
            visits=visits,
            ranking=ranking,
        )

        self.association = Association(policy=rules.association, maps=MapCache(), clock=self.clock)

    def clock(self):
        self.now = self.now.plus_s(1.0)
        return self.now

    def tell(
        self,
        message: Notice,
        place: Localization | None = None,
        *,
        is_trusted: bool = True,
        run: bool = True,
        received_at: Instant | None = None,
    ) -> None:
        """Store a notice as intake does, and correlate its event."""
        event_id = message.event_key
        assert event_id is not None
        one = stored(message, place.localization_id if place else None, is_trusted=is_trusted)
        is_placeless = place is not None and place.source is LocalizationSource.WHOLE_SKY
        one = replace(one, received_at=received_at or one.received_at, is_placeless=is_placeless)
        with self.store.transaction() as session:
            if place is not None:
                localizations.save(session, place)
            notices.add(session, replace(one, notice_id=notices.notice_id(message.identity, one.digest)), event_id)
            events.save(session, assemble(event_id, notices.of_event(session, event_id)))
            jobs.put(session, EVENT_JOB, event_id)
        if run:
            self.correlation.run_jobs()

    def show(self, batch: AlertBatch, payloads: list[bytes] | None = None) -> CorrelationReport:
        """Store alerts as intake does, and match them."""
        self.history.append(batch)
        return self.correlation.on_alerts(batch, payloads)

    def sent(self) -> list[Outgoing]:
        """Return everything in the outbox, the oldest first."""
        with self.store.reading() as session:
            return [entry.outgoing for entry in outbox.search(session, limit=None, with_payload=True)][::-1]

    def words(self) -> list[str]:
        """Return for each message its version and what it does to the one before: ``v2 supersedes v1``."""
        said = []
        for one in self.sent():
            version = one.ivorn.rpartition(".")[2]
            earlier = [c for c in one.cites if "coincidence#" in c.ivorn]
            said.append(" ".join([version, *(f"{c.kind.value} {c.ivorn.rpartition('.')[2]}" for c in earlier)]))
        return said

    def pairs(self) -> list[Coincidence]:
        """Return the latest version of every coincidence."""
        with self.store.reading() as session:
            return coincidences.search(session, limit=None)

    def waiting(self) -> list[str]:
        """Return the events with an open job."""
        with self.store.reading() as session:
            return [job.key for job in jobs.take(session, 99)]
