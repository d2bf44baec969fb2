"""Context through the whole flow: circulars, registries and proposals meet events and objects in whatever order they come."""

import itertools
import json

import pytest

from hub.bootstrap import open_hub
from hub.errors import InvalidRequest, NotFound
from hub.model.annotation import Annotation, AnnotationKind, AnnotationState, TargetKind, annotation_id
from hub.model.envelope import Envelope, Trust
from hub.services import annotations, circulars, queries
from hub.services.annotation_bodies import of_object
from hub.storage import contexts, envelopes, outbox
from hub.storage.envelopes import law_holds
from tests.support.json_notices import as_bytes, circular
from tests.support.small_world import NOW, OBJECTS, T0, Ticking, alerts, fresh_sqlite, notices, settings_in
from tests.support.tns_tables import table, zipped

BODY = """The field of the burst was observed.

We detect a source at RA = 10:16:00.0, Dec = -20:18:00.0 with an uncertainty of 0.5 arcsec,
at a redshift z = 0.0123. It is AT2026abc.
"""
TEXT_FORM = b"""TITLE:   GCN CIRCULAR
NUMBER:  40001
SUBJECT: GRB 260301A: nothing seen
DATE:    26/03/01 01:53:20 GMT
FROM:    A. Nobody

We looked and saw nothing.
"""


@pytest.fixture
def hub(tmp_path, made, skymaps):
    with (
        fresh_sqlite(tmp_path, made) as store,
        open_hub(settings_in(tmp_path), store, clock=Ticking(), skymaps=skymaps) as opened,
    ):
        yield opened


def bring(hub, payload, *, topic=None, trust=Trust.TRUSTED, source="file"):
    envelope = Envelope(payload=payload, source=source, received_at=NOW, topic=topic, trust=trust)
    return hub.flow.take([envelope]).outcomes[0]


def said(**changes):
    return as_bytes(circular(**({"body": BODY} | changes)))


def merger(hub):
    sent = next(one for one in notices() if one.name == "merger update")
    hub.flow.take([sent.envelope])


def about_merger(**changes):
    return said(eventId="LIGO/Virgo/KAGRA S260301b", subject="LIGO/Virgo/KAGRA S260301b: a candidate", **changes)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_circular_correction_and_event_meet_in_any_order(hub, order):
    steps = (
        lambda: merger(hub),
        lambda: bring(hub, about_merger()),
        lambda: bring(hub, about_merger(version=2, editedOn=1772340000000, body="The source was an asteroid.")),
    )
    for step in order:
        steps[step]()
    with hub.store.reading() as session:
        (listed,) = circulars.page(session, event_name="s260301B", limit=9).bodies
        assert (listed["circular_id"], listed["version"], listed["event_ids"]) == (40001, 2, ["S260301b"])
        assert circulars.one(session, 40001)["body"] == "The source was an asteroid."
        assert [one["version"] for one in circulars.versions(session, 40001)] == [1, 2]
        assert [one["is_latest"] for one in circulars.versions(session, 40001)] == [False, True]
        assert annotations.page(session, limit=99).bodies == [], "the correction takes its proposals back"
        older = annotations.page(session, with_older=True, limit=99).bodies
        assert sorted(one["kind"] for one in older) == ["name", "position", "redshift"]
        assert not any(one["is_current"] for one in older)


def test_the_same_circular_in_another_wrapping_is_a_duplicate(hub):
    first = bring(hub, as_bytes(circular()))
    again = bring(hub, as_bytes(circular(bibcode="2026GCN.40001....1N")))
    mail = bring(hub, TEXT_FORM)
    assert [one.state.value for one in (first, again, mail)] == ["stored", "duplicate", "duplicate"]
    with hub.store.reading() as session:
        assert len(circulars.versions(session, 40001)) == 1
        assert law_holds(envelopes.counts(session))


def test_a_circular_without_a_number_is_kept_as_bytes_alone(hub):
    assert bring(hub, said(circularId=None)).state.value == "stored"
    with hub.store.reading() as session:
        assert circulars.page(session, limit=9).bodies == []
        assert [one.kind for one in contexts.listing(session)] == ["circular"]


def test_circulars_are_found_by_words_event_and_time_page_by_page(hub):
    for number in range(7):
        bring(
            hub,
            said(circularId=41000 + number, subject=f"GRB 26030{number}A: 100% sure", createdOn=1772330000000 + number * 1000),
        )
    with hub.store.reading() as session:

        def numbers(**wanted):
            return [one["circular_id"] - 41000 for one in circulars.page(session, **({"limit": 9} | wanted)).bodies]

        assert numbers() == [6, 5, 4, 3, 2, 1, 0]
        assert numbers(text="SOURCE 100%") == [6, 5, 4, 3, 2, 1, 0]
        assert numbers(text="100_") == []
        assert numbers(text="260303a") == [3]
        assert numbers(since=T0.from_unix_s(1772330005), limit=9) == [6, 5]
        assert numbers(until=T0.from_unix_s(1772330001)) == [1, 0]
        first = circulars.page(session, limit=3)
        assert first.last == (41004,)
        rest = circulars.page(session, limit=99, before=first.last)
        assert [one["circular_id"] - 41000 for one in rest.bodies] == [3, 2, 1, 0]
        with pytest.raises(NotFound):
            circulars.one(session, 5)


def test_nothing_follows_from_a_proposal_until_a_person_accepts_it(hub):
    merger(hub)
    bring(hub, about_merger())
    with hub.store.reading() as session:
        assert queries.event(session, "S260301b")["annotations"] == []
        proposed = annotations.page(session, event_name="S260301b", state=AnnotationState.PROPOSED, limit=9).bodies
    redshift = next(one for one in proposed if one["kind"] == "redshift")
    assert redshift["provenance"]["quote"].startswith("at a redshift z = 0.0123")
    assert (redshift["provenance"]["circular_id"], redshift["source_ref"]) == (40001, "40001")
    with hub.store.transaction() as session:
        decided = annotations.decide(
            session, redshift["annotation_id"], AnnotationState.ACCEPTED, by="J. Doe", note="seen", at=NOW
        )
    assert (decided["state"], decided["decided_by"], decided["note"]) == ("accepted", "J. Doe", "seen")
    bring(hub, about_merger(version=2, body="We take that back."))
    with hub.store.reading() as session:
        (shown,) = queries.event(session, "S260301b")["annotations"]
        assert (shown["value"], shown["is_current"]) == ({"z": 0.0123}, False), "what a person accepted stays"
    with hub.store.transaction() as session:
        again = annotations.decide(session, redshift["annotation_id"], AnnotationState.REJECTED, by="B. Roe", at=NOW)
        assert [(one["state"], one["by"]) for one in again["decisions"]] == [("accepted", "J. Doe"), ("rejected", "B. Roe")]
        assert queries.event(session, "S260301b")["annotations"] == []


def test_a_decision_needs_a_name_and_a_proposal(hub):
    bring(hub, table({}))
    with hub.store.transaction() as session:
        stated = annotations.page(session, source="TNS", limit=1).bodies[0]["annotation_id"]
        with pytest.raises(InvalidRequest, match="TNS states this itself"):
            annotations.decide(session, stated, AnnotationState.ACCEPTED, by="J. Doe", at=NOW)
        with pytest.raises(InvalidRequest, match="name of the person"):
            annotations.decide(session, stated, AnnotationState.ACCEPTED, by=" ", at=NOW)
        with pytest.raises(NotFound):
            annotations.decide(session, "none", AnnotationState.ACCEPTED, by="J. Doe", at=NOW)


def test_a_circular_by_nobody_proposes_nothing_and_replaces_nothing(hub):
    forged = said(version=9, body="The redshift z = 9.9 is certain.")
    bring(hub, said())
    bring(hub, forged, trust=Trust.UNTRUSTED, source="street")
    with hub.store.reading() as session:
        assert circulars.one(session, 40001)["version"] == 1
        assert {one["value"].get("z") for one in annotations.page(session, limit=9).bodies} == {0.0123, None}
    bring(hub, forged)
    with hub.store.reading() as session:
        assert circulars.one(session, 40001)["version"] == 9, "once the archive itself says so, it counts"
        assert {one["value"].get("z") for one in annotations.page(session, limit=9).bodies} == {9.9}


def test_an_entry_of_tns_finds_the_candidate_by_place_and_by_name(hub):
    for sent in (*notices(), *alerts()):
        hub.flow.take([sent.envelope])
    ra, dec = OBJECTS[101]
    near = {"ra": str(ra + 2.0 / 3600), "declination": str(dec)}
    named = {"name": "2026abd", "ra": "10.0", "internal_names": "LSST:313000000000000103", "lastmodified": "2026-03-02 02:00:00"}
    far = {"name": "2026abe", "ra": str(ra), "declination": str(dec + 4.0 / 3600)}
    assert bring(hub, zipped(table(near, named, far))).state.value == "stored"
    with hub.store.reading() as session:
        shown = {
            one["object_id"]: {(a["kind"], a["target_id"]) for a in one["annotations"]}
            for one in queries.candidate_page(session, event_name="S260301b", limit=99).bodies
        }
    kinds = ("name", "classification", "redshift")
    assert shown["313000000000000101"] == {(kind, "SN 2026abc") for kind in kinds}
    assert shown["313000000000000103"] == {(kind, "SN 2026abd") for kind in kinds}
    assert shown["313000000000000102"] == set()


def test_the_newest_version_of_an_entry_of_tns_counts_in_any_order(hub):
    older = table({"name_prefix": "AT", "type": "", "lastmodified": "2026-03-01 20:00:00"})
    newer = table({"type": "SN II", "redshift": "", "lastmodified": "2026-03-03 20:00:00"})
    middle = table({})
    for payload in (newer, older, middle, newer):
        bring(hub, payload)
    with hub.store.reading() as session:
        said_now = {one["kind"]: one["value"] for one in of_object(session, "ZTF", "ZTF26abcdefg", 0.0, 0.0)}
        assert said_now["name"]["name"] == "SN 2026abc"
        assert said_now["classification"] == {"class": "SN II"}
        assert "redshift" not in said_now, "the newest entry takes it back"
        (counts,) = [one for one in envelopes.counts(session) if one.source == "file"]
        assert (counts.received, counts.stored, counts.duplicates) == (4, 3, 1)
        assert law_holds([counts])


def test_a_table_is_kept_only_where_some_of_it_was_refused(hub):
    whole, broken = table({}), table({"name": "2026abd"}, {"ra": "x"})
    for payload in (whole, broken):
        bring(hub, payload)
    with hub.store.reading() as session:
        digests = [Envelope(payload=one, source="x", received_at=NOW).digest for one in (whole, broken)]
        assert [envelopes.raw(session, digest) is not None for digest in digests] == [False, True]
        summary = next(one.summary for one in contexts.listing(session) if one.digest == digests[1])
        assert (summary["n_refused"], summary["first_refusals"]) == (1, ["line 4: 2026abc has no place on the sky"])


def test_a_table_by_nobody_is_refused(hub):
    outcome = bring(hub, table({}), trust=Trust.UNTRUSTED, source="street")
    assert outcome.state.value == "dead"
    assert "trusted source" in outcome.reason


def test_a_brokers_classification_shows_beside_the_object(hub):
    def statement(name, at):
        value = {"class": name, "probability": 0.9}
        target = (TargetKind.OBJECT, "LSST:313000000000000101")
        ref = {"source": "Fink", "source_ref": "313000000000000101/rf", "version": "1.2", "stated_at": at}
        return Annotation(
            annotation_id=annotation_id(**ref, target=target, kind=AnnotationKind.CLASSIFICATION, value=value),
            target_kind=target[0],
            target_id=target[1],
            kind=AnnotationKind.CLASSIFICATION,
            value=value,
            received_at=NOW,
            **ref,
        )

    with hub.store.transaction() as session:
        late, early = statement("KN", T0.plus_s(60)), statement("SN", T0)
        assert annotations.record(session, [late]) == 1
        assert annotations.record(session, [early, late]) == 1
    with hub.store.reading() as session:
        (shown,) = of_object(session, "LSST", "313000000000000101", 0.0, 0.0)
        assert (shown["value"]["class"], shown["source"], shown["version"]) == ("KN", "Fink", "1.2")
        assert of_object(session, "ZTF", "313000000000000101", 0.0, 0.0) == [], "another survey's object of this number"


def test_no_context_leads_to_an_announcement(hub):
    for payload in (about_merger(), table({}), json.dumps({"x": 1}).encode()):
        bring(hub, payload)
    with hub.store.reading() as session:
        assert outbox.search(session, limit=9) == []
