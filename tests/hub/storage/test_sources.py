"""Sources in the database: members, versions, words, and what rates are counted from."""

from dataclasses import replace

from hub.model.event import Event, assemble
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind, EventClass, Notice, Role, Stage
from hub.model.source import Link, LinkKind, Source, SourceMember, Word, WordKind
from hub.storage import events, notices, sources
from hub.storage.engine import Store
from tests.support.words import DAY_S, T0, grb, notice, stored


def saved(store: Store, *messages: Notice, is_trusted: bool = True) -> Event:
    """Store notices of one event."""
    event_id = messages[0].event_key
    assert event_id is not None
    all_of_it = [stored(one, is_trusted=is_trusted) for one in messages]
    event = assemble(event_id, all_of_it)
    with store.transaction() as session:
        for one in all_of_it:
            notices.add(session, one, event_id)
        events.save(session, event)
    return event


def swift(event_key: str = "Swift-9", **changes) -> Notice:
    return grb(event_key, **{"mission": "Swift", "instrument": "BAT", "t0": T0.plus_s(2.5), **changes})


def source_of(*members: Event) -> Source:
    ordered = sorted(members, key=lambda one: (one.t0, one.event_id))
    return Source(
        source_id=ordered[0].event_id,
        members=tuple(
            SourceMember(
                event_id=one.event_id,
                mission=one.mission,
                event_class=one.event_class,
                t0=one.t0,
                duration_s=None,
                localization_id=None,
            )
            for one in ordered
        ),
        links=tuple(
            Link(first=ordered[0].event_id, second=one.event_id, kind=LinkKind.TIME, reason="at once") for one in ordered[1:]
        ),
        aliases=(),
        t0=ordered[0].t0,
        duration_s=None,
        localization_id=None,
        is_live=True,
    )


def times(store: Store, start: Instant = T0.plus_s(-DAY_S), end: Instant = T0.plus_s(DAY_S)):
    with store.reading() as session:
        return sources.times_of_sources(session, [EventClass.GRB, EventClass.SUB_GRB], start, end)


def test_events_count_as_sources_of_their_own_until_they_are_one(store: Store) -> None:
    fermi, other = saved(store, grb()), saved(store, swift())
    saved(store, notice())
    assert times(store) == [
        (T0.plus_s(1.7).tai_us, "Fermi", EventClass.GRB, "Fermi-1"),
        (T0.plus_s(2.5).tai_us, "Swift", EventClass.GRB, "Swift-9"),
    ]
    with store.transaction() as session:
        sources.save(session, source_of(fermi, other), "joined", T0)
    assert [(mission, source) for _, mission, _, source in times(store)] == [("Fermi", "Fermi-1"), ("Swift", "Fermi-1")]


def test_only_real_events_that_stand_inside_the_span_are_counted(store: Store) -> None:
    saved(store, grb("Fermi-1"))
    saved(store, grb("Fermi-2", t0=T0.plus_s(2 * DAY_S)))
    saved(store, grb("Fermi-3", role=Role.TEST, is_live=False))
    saved(store, grb("Fermi-4"), is_trusted=False)
    saved(store, grb("Fermi-5"), grb("Fermi-5", stage=Stage.RETRACTION, issued_at=T0.plus_s(900)))
    assert [source for *_, source in times(store)] == ["Fermi-1"]
    assert [source for *_, source in times(store, T0.plus_s(1.7), T0.plus_s(2 * DAY_S))] == ["Fermi-1", "Fermi-2"]


def test_a_source_has_versions_and_its_members_one_source(store: Store) -> None:
    one, two, three = saved(store, grb()), saved(store, swift()), saved(store, swift("SVOM-1", mission="SVOM"))
    with store.transaction() as session:
        sources.save(session, source_of(one, two), "joined", T0)
        sources.save(session, source_of(one, two, three), "SVOM-1 joined", T0.plus_s(1))
    with store.reading() as session:
        assert [v.change for v in sources.history(session, "Fermi-1")] == ["joined", "SVOM-1 joined"]
        assert sources.source_ids(session, ["Fermi-1", "SVOM-1", "Swift-9", "S1"]) == dict.fromkeys(
            ["Fermi-1", "SVOM-1", "Swift-9"], "Fermi-1"
        )
        assert sources.members(session, ["Fermi-1"]) == {"Fermi-1": ["Fermi-1", "SVOM-1", "Swift-9"]}
        newest = sources.latest(session, "Fermi-1")
        assert newest is not None
        assert (newest.version, newest.source) == (2, source_of(one, two, three))
        assert sources.latest_of(session, ["Fermi-1", "Swift-9"]) == {"Fermi-1": newest}
        assert sources.search(session, limit=9) == [newest.source]
    with store.transaction() as session:
        sources.save(session, source_of(one), "all left", T0.plus_s(2))
    with store.reading() as session:
        assert sources.search(session, limit=9) == []
        assert sources.source_ids(session, ["Fermi-1", "Swift-9"]) == {}
        assert len(sources.history(session, "Fermi-1")) == 3


def test_listings_of_sources_go_on_after_any_of_them(store: Store) -> None:
    with store.transaction() as session:
        for day in range(3):
            pair = [
                assemble(f"{name}-{day}", [stored(grb(f"{name}-{day}", mission=name, t0=T0.plus_s(day * DAY_S)))])
                for name in ("Fermi", "Swift")
            ]
            sources.save(session, source_of(*pair), "joined", T0)
    with store.reading() as session:
        first, *rest = sources.search(session, limit=9)
        assert [one.source_id for one in (first, *rest)] == ["Fermi-2", "Fermi-1", "Fermi-0"]
        assert sources.search(session, limit=9, before=sources.key(first)) == rest


def test_who_cites_whom_is_known_whichever_came_first(store: Store) -> None:
    by_ivorn = (Citation(ivorn="ivo://test/Fermi-1#0", kind=CiteKind.FOLLOWUP),)
    saved(store, swift("Swift-1", cites=by_ivorn))
    saved(store, swift("SVOM-1", mission="SVOM", depends_on=("bn1",)))
    saved(store, swift("EP-1", mission="EinsteinProbe", depends_on=("Fermi-1", "S260301a")))
    with store.reading() as session:
        assert sources.citing(session, ["Fermi-1"]) == {"EP-1"}
    saved(store, grb("Fermi-1", aliases=("bn1",)))
    everybody = ["Swift-1", "SVOM-1", "EP-1", "Fermi-1"]
    with store.reading() as session:
        assert sources.citing(session, ["Fermi-1"]) == {"Swift-1", "SVOM-1", "EP-1"}
        assert sources.cited_by(session, everybody) == {name: {"Fermi-1"} for name in ("Swift-1", "SVOM-1", "EP-1")}
        assert sources.cited_by(session, ["Fermi-1"]) == {}


def test_events_near_a_time_are_found_by_any_of_their_times(store: Store) -> None:
    saved(store, grb("Fermi-1"), grb("Fermi-1", t0=T0.plus_s(400), issued_at=T0.plus_s(900)))
    saved(store, grb("Fermi-2", t0=T0.plus_s(4000)))
    saved(store, notice())
    with store.reading() as session:
        assert sources.near(session, [(T0.plus_s(-5), T0.plus_s(5), "Swift")]) == {"Fermi-1"}
        assert sources.near(session, [(T0.plus_s(-5), T0.plus_s(5), "Fermi")]) == set()
        later = [(T0.plus_s(200), T0.plus_s(300), "Swift"), (T0.plus_s(3999), T0.plus_s(4001), "Swift")]
        assert sources.near(session, later) == {"Fermi-1", "Fermi-2"}


def test_words_keep_their_order_and_stay_when_they_are_taken_back(store: Store) -> None:
    said = Word(
        number=0, kind=WordKind.JOIN, first="Fermi-1", second="Swift-9", said_by="A. Person", said_at=T0, reason="same burst"
    )
    with store.transaction() as session:
        sources.associate(session)
        first = sources.say(session, said)
        second = sources.say(session, replace(said, kind=WordKind.SPLIT, second="SVOM-1"))
        sources.amend(session, replace(first, undone_by="B. Other", undone_at=T0.plus_s(5), undone_because="a slip"))
    with store.reading() as session:
        assert [one.number for one in sources.words_about(session, ["Fermi-1"])] == [1, 2]
        assert sources.words_about(session, ["SVOM-1"]) == [second]
        assert sources.words_about(session, []) == []
        again = sources.word(session, 1)
        assert again is not None
        assert (again.holds, again.undone_by, again.reason) == (False, "B. Other", "same burst")
        assert sources.word(session, 3) is None
