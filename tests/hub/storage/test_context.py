"""Circulars, annotations and grades of events on both engines."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from hub.model.annotation import Annotation, AnnotationKind, AnnotationState, TargetKind, annotation_id
from hub.model.circular import Circular, StoredCircular
from hub.model.event import assemble
from hub.model.significance import Significance
from hub.science.event_names import keys_of
from hub.storage import annotations, circulars, events, notices, schema
from hub.storage.annotations import Decision
from hub.storage.circulars import Addition
from hub.storage.engine import Store, make_engine
from tests.support.words import T0, notice, stored


def circular(version=1, body="We saw \x00 nothing of ß.", *, is_trusted=True, number=7, **changes):
    said = Circular(circular_id=number, version=version, subject="GRB 260301A: 50% of it", body=body, created_at=T0, **changes)
    return StoredCircular(
        circular=said, digest=f"{number}-{version}", received_at=T0, is_trusted=is_trusted, names=keys_of(["GRB 260301A"])
    )


def annotation(version, hours=0.0, *, ref="2026abc", kind=AnnotationKind.NAME, ra=10.0, dec=-20.0, **changes):
    value = {"name": "AT 2026abc", "big": 2**60}
    target = (TargetKind.POSITION, "AT 2026abc")
    stated_at = T0.plus_s(3600 * hours)
    said = {"source": "TNS", "source_ref": ref, "version": version, "stated_at": stated_at, "kind": kind, "value": value}
    made = Annotation(
        annotation_id=annotation_id(target=target, **said),
        target_kind=target[0],
        target_id=target[1],
        received_at=T0,
        names=("ZTF26abcdefg",),
        ra_deg=ra,
        dec_deg=dec,
        **said,
    )
    return replace(made, **changes)


def test_every_version_of_a_circular_is_kept_and_the_newest_trusted_one_shown(store: Store) -> None:
    with store.transaction() as session:
        assert circulars.add(session, circular(2, "corrected")) is Addition.NEW
        assert circulars.add(session, circular(1)) is Addition.REVISION
        assert circulars.add(session, circular(1, "We saw \x00  nothing\r\nof ß.\n")) is Addition.DUPLICATE
        assert circulars.add(session, circular(9, "forged", is_trusted=False)) is Addition.REVISION
    with store.reading() as session:
        newest = circulars.get(session, 7)
        assert newest is not None
        assert (newest.circular.version, newest.circular.body, newest.names) == (2, "corrected", ("grb260301a",))
        assert [one.circular.version for one in circulars.versions(session, 7)] == [9, 1, 2], "nobody's come first"
        assert [one.digest for one in circulars.of_digest(session, "7-9")] == ["7-9"]
        assert circulars.get(session, 8) is None


def test_words_are_taken_as_they_stand(store: Store) -> None:
    with store.transaction() as session:
        circulars.add(session, circular())
    with store.reading() as session:

        def n(*words):
            return len(circulars.search(session, words=words, limit=9))

        assert n("NOTHING", "50%") == 1
        assert (n("5_%"), n("nothing", "kangaroo")) == (0, 0)


def test_events_are_found_by_any_spelling_of_their_names(store: Store) -> None:
    with store.transaction() as session:
        for name, aliases in (("Fermi-1", ("GRB 260301A",)), ("Swift-2", ("GRB260301A", "x")), ("S260301b", ())):
            said = stored(notice(name, aliases=aliases))
            notices.add(session, said, name)
            events.save(session, assemble(name, [said]))
    with store.reading() as session:
        assert circulars.events_named(session, ["grb260301a", "s260301b", "none"]) == {
            "grb260301a": ["Fermi-1", "Swift-2"],
            "s260301b": ["S260301b"],
        }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_version_is_current_whatever_the_order(store: Store, order) -> None:
    versions = [annotation("a", 0), annotation("b", 1), annotation("c", 2)]
    with store.transaction() as session:
        for index in order:
            assert annotations.add(session, [versions[index]]) == 1
            annotations.find_current(session, "TNS", ["2026abc"])
        assert annotations.add(session, versions) == 0
    with store.reading() as session:
        (shown,) = annotations.search(session, names=["ztf26ABCDEFG"], limit=9)
        assert (shown.version, shown.is_current, shown.value["big"]) == ("c", True, 2**60)
        assert len(annotations.search(session, current_only=False, limit=9)) == 3
        first = annotations.search(session, current_only=False, limit=2)
        rest = annotations.search(session, current_only=False, limit=9, before=annotations.key(first[-1]))
        assert [one.version for one in (*first, *rest)] == ["c", "b", "a"]


def test_what_lies_near_is_found_nearest_first(store: Store) -> None:
    places = {"near": (10.0, -20.0 + 1.0 / 3600), "nearer": (10.0, -20.0 + 0.2 / 3600), "far": (10.0, -20.0 + 3.1 / 3600)}
    with store.transaction() as session:
        annotations.add(session, [annotation("a", ref=ref, ra=ra, dec=dec) for ref, (ra, dec) in places.items()])
        annotations.add(session, [annotation("a", ref="nowhere", ra=None, dec=None)])
    with store.reading() as session:
        assert [one.source_ref for one in annotations.near(session, 10.0, -20.0, 3.0, limit=9)] == ["nearer", "near"]


def test_every_decision_is_kept_and_the_last_one_counts(store: Store) -> None:
    proposal = annotation("a", state=AnnotationState.PROPOSED)
    with store.transaction() as session:
        annotations.add(session, [proposal])
        for state in (AnnotationState.ACCEPTED, AnnotationState.REJECTED, AnnotationState.ACCEPTED):
            decision = Decision(state=state, decided_by="J. Doe", decided_at=T0, note=state.value)
            assert annotations.decide(session, proposal.annotation_id, decision) is not None
        assert annotations.decide(session, "none", decision) is None
        annotations.set_current(session, "TNS", "2026abc", "b")
    with store.reading() as session:
        (shown,) = annotations.search(session, limit=9)
        assert (shown.state, shown.decided_by, shown.note, shown.is_current) == ("accepted", "J. Doe", "accepted", False)
        assert len(annotations.decisions_of(session, proposal.annotation_id)) == 3


def test_an_upgrade_grades_the_events_that_are_there(url: str) -> None:
    engine = make_engine(url)
    schema.upgrade(engine, "0003")
    rows = {
        "low": ("cbc", '{"significant":false}'),
        "significant": ("cbc", '{"significant":true}'),
        "sub_threshold": ("sub_grb", "{}"),
    }
    with engine.begin() as connection:
        for name, (event_class, document) in (rows | {"unstated": ("grb", "{}")}).items():
            connection.execute(
                text(
                    "INSERT INTO events (event_id, messenger, event_class, state, is_live, order_tai_us, document)"
                    " VALUES (:name, 'gw', :class, 'active', true, 0, :document)"
                ),
                {"name": name, "class": event_class, "document": document},
            )
    schema.upgrade(engine)
    with engine.begin() as connection:
        found = dict(connection.execute(text("SELECT event_id, significance FROM events")).all())
    engine.dispose()
    assert found == {name: name for name in Significance}
