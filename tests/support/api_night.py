"""A small database with one of everything, written by the storage functions, and a client of the API on it."""

import contextlib

from starlette.testclient import TestClient

from hub.api.app import create_app
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.envelope import Envelope, Trust
from hub.model.event import StoredNotice, assemble
from hub.model.followup import Intent, RequestState, Transition, Visibility, intent_id
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind, EventClass, Messenger, Notice, Role, Stage
from hub.model.outgoing import Outgoing
from hub.model.sky import Circle, StatedPosition
from hub.science.localization import localization_from_skymap
from hub.storage import candidates, coincidences, deadletters, envelopes, events, followup, localizations, notices, outbox
from hub.storage.engine import open_store, upgrade
from tests.support.followup import NOW, make_candidate
from tests.support.skymaps import gaussian_map

T0 = Instant.from_utc_iso("2017-08-17T12:41:04.4Z")
XML = b'<?xml version="1.0"?><VOEvent/>'
OBJECT_ID = "170123456789012345"


def localization():
    return localization_from_skymap(gaussian_map(197.45, -23.38, 3.0, top_nside=4, rounds=2))


def notice(name, *, messenger=Messenger.GW, stage=Stage.INITIAL, issued_s=60.0, role=Role.OBSERVATION, **more):
    values = {
        "identity": f"{name}|{stage}|{issued_s}",
        "format": "voevent-2.0",
        "ivorn": f"ivo://example/{name}#{stage}",
        "stream": "test",
        "mission": "LVK" if messenger is Messenger.GW else "Fermi",
        "instrument": None,
        "messenger": messenger,
        "role": role,
        "stage": stage,
        "event_class": EventClass.CBC if messenger is Messenger.GW else EventClass.GRB,
        "event_key": name,
        "t0": T0,
        "issued_at": T0.plus_s(issued_s),
        "far_hz": 1e-12,
        "is_live": role is Role.OBSERVATION,
    }
    return Notice(**{**values, **more})


def receive(session, payload, *, media_type=None, source="gcn", outcome=envelopes.MessageState.STORED):
    envelope = Envelope(payload=payload, source=source, received_at=NOW, media_type=media_type, trust=Trust.TRUSTED)
    envelopes.receive(session, envelope)
    envelopes.finish(session, envelope.digest, source, outcome)
    return envelope


def add_event(session, said, *, media_type="application/xml", localization_id=None):
    """Store some notices of an event, each with bytes of its own."""
    stored = []
    for number, one in enumerate(said):
        envelope = receive(session, XML + str((one.identity, number)).encode(), media_type=media_type)
        stored.append(
            StoredNotice(
                notice_id=notices.notice_id(one.identity, envelope.digest),
                notice=one,
                received_at=NOW,
                is_trusted=True,
                digest=envelope.digest,
                localization_id=localization_id,
            )
        )
        notices.add(session, stored[-1], one.event_key)
    event = assemble(said[0].event_key, stored)
    events.save(session, event)
    return event


def coincidence(version, *, state=PairState.OPEN):
    members = (Member(kind=MemberKind.EVENT, id="S170817a"), Member(kind=MemberKind.OBJECT, id=f"LSST:{OBJECT_ID}"))
    return Coincidence(
        coincidence_id=coincidence_id("gw-optical", members),
        kind="gw-optical",
        hypothesis="kilonova",
        members=members,
        state=state,
        version=version,
        scores=(
            Score(
                statistic="rank",
                version=1,
                value=5.5,
                unit="1",
                inputs={"source_id": 170123456789012345, "delay_d": float("nan")},
            ),
            Score(statistic="level_2d", version=1, value=0.4, unit="1"),
            Score(statistic="joint_far", version=1, value=None, unit="Hz", inputs={"why": "no rate"}),
        ),
        reasons=("it fades",),
        localization_ids=(),
        is_live=True,
        t0=T0,
        created_at=NOW.plus_s(60 * version),
    )


def pair(version=1):
    members = (Member(kind=MemberKind.EVENT, id="Fermi-524666471"), Member(kind=MemberKind.EVENT, id="S170817a"))
    return Coincidence(
        coincidence_id=coincidence_id("gw-grb", members),
        kind="gw-grb",
        hypothesis="gw-grb",
        members=members,
        state=PairState.OPEN,
        version=version,
        scores=(
            Score(statistic="joint_far", version=1, value=2e-17, unit="Hz"),
            Score(statistic="random_association", version=1, value=5e-17, unit="Hz"),
        ),
        reasons=(),
        localization_ids=(),
        is_live=True,
        t0=T0,
        created_at=NOW,
    )


def fill(store):
    """Write one of everything."""
    place = localization()
    with store.transaction() as session:
        localizations.save(session, place)
        properties = {"candid": 2**60, "odd": float("inf"), "search": "AllSky"}
        first = notice(
            "S170817a",
            aliases=("GW170817", "GRB 170817A / x"),
            classification={"BNS": 0.99, "HasNS": None},
            properties=properties,
        )
        update = notice(
            "S170817a", stage=Stage.UPDATE, issued_s=3600, cites=(Citation(ivorn=first.ivorn, kind=CiteKind.SUPERSEDES),)
        )
        add_event(session, [first, update], localization_id=place.localization_id)
        position = StatedPosition(
            ra_deg=176.8, dec_deg=-39.8, region=Circle(radius_deg=17.4), containment=0.683, systematic_included=False
        )
        add_event(
            session, [notice("Fermi-524666471", messenger=Messenger.EM, position=position)], media_type="text/html\r\nX-Evil: 1"
        )
        add_event(session, [notice("MS170817a", role=Role.TEST, t0=T0.plus_s(10))])
        for version in (1, 2):
            coincidences.add(session, coincidence(version))
        coincidences.add(session, pair())
        for number in range(7):
            candidates.save_all(session, [make_candidate("S170817a", str(int(OBJECT_ID) + number), score=5.0 - number // 2)])
        intent = Intent(
            intent_id=intent_id(
                event_id="S170817a", target="x", network="simulated", instrument="i", purpose="kilonova", policy_version=1
            ),
            event_id="S170817a",
            coincidence_id=coincidence(1).coincidence_id,
            target=f"LSST:{OBJECT_ID}",
            ra_deg=197.45,
            dec_deg=-23.38,
            network="simulated",
            instrument="i",
            purpose="kilonova",
            policy_version=1,
            window_start=NOW,
            window_end=NOW.plus_s(86_400),
            exposures=({"filter": "g", "seconds": 60.0, "count": 2},),
            max_airmass=2.0,
            reason="kilonova candidate",
            visibility=(
                Visibility(
                    site="CTIO",
                    is_observable=True,
                    window_start=NOW,
                    window_end=NOW.plus_s(60),
                    best_airmass=1.5,
                    reason="observable",
                ),
                Visibility(
                    site="SAAO", is_observable=False, window_start=None, window_end=None, best_airmass=None, reason="never"
                ),
            ),
            created_at=NOW,
        )
        followup.add_intent(session, intent)
        for number, state in enumerate((RequestState.DRAFT, RequestState.APPROVED), start=1):
            followup.append(
                session, Transition(intent_id=intent.intent_id, network="simulated", number=number, state=state, at=NOW)
            )
        for version in (1, 2):
            ivorn = f"ivo://example.org/mmhub/coincidence#{coincidence(1).coincidence_id}.v{version}"
            cites = (Citation(ivorn=first.ivorn, kind=CiteKind.FOLLOWUP),)
            outbox.put(
                session,
                Outgoing(
                    ivorn=ivorn,
                    media_type="application/xml",
                    payload=XML,
                    destination="file",
                    role=Role.OBSERVATION,
                    cites=cites,
                    created_at=NOW,
                ),
            )
        refused = receive(session, b"\x00junk", outcome=envelopes.MessageState.DEAD)
        deadletters.add(session, refused, reason="not a message", format=None, adapter_version="0", at=NOW)


@contextlib.contextmanager
def api(folder, *, filled=True, url=None, **options):
    """Give a client, within the application's lifespan, and its store; options are those of the application."""
    url = url or f"sqlite:///{folder / 'state.sqlite'}"
    upgrade(url)
    store = open_store(url)
    if filled:
        fill(store)
    with TestClient(
        create_app(store, closes_store=True, **options), raise_server_exceptions=False, base_url="http://hub.test"
    ) as client:
        client.headers.pop("accept-encoding", None)
        yield client, store
