"""Notices by identity and content."""

import pytest

from hub.model.notice import Stage
from hub.storage import notices
from hub.storage.engine import Store
from hub.storage.notices import Addition
from tests.support.words import T0, notice, stored


def test_a_notice_is_new_then_a_duplicate_and_with_other_bytes_a_revision(store: Store) -> None:
    first = stored(notice(identity="n"))
    other = stored(notice(identity="n", far_hz=2e-9))
    with store.transaction() as session:
        found = [notices.add(session, one, "S260301a") for one in (first, first, other, other)]
    assert found == [Addition.NEW, Addition.DUPLICATE, Addition.REVISION, Addition.DUPLICATE]
    with store.reading() as session:
        assert notices.get(session, first.notice_id) == first
        assert notices.get(session, "nowhere") is None
        assert {one.notice_id for one in notices.by_ivorn(session, "ivo://test/S260301a#0")} == {first.notice_id, other.notice_id}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_event_has_its_notices_in_order_of_issue(store: Store, order: tuple[int, ...]) -> None:
    said = [
        stored(notice(identity="a", issued_at=T0.plus_s(1))),
        stored(notice(identity="b", issued_at=T0.plus_s(2))),
        stored(notice(identity="c", issued_at=T0.plus_s(3), stage=Stage.RETRACTION)),
    ]
    with store.transaction() as session:
        for index in order:
            notices.add(session, said[index], "S260301a")
        notices.add(session, stored(notice("S2", identity="d")), "S2")
        notices.add(session, stored(notice(identity="e", event_key=None)), None)
    with store.reading() as session:
        assert notices.of_event(session, "S260301a") == said


def test_bytes_become_trusted_in_every_event_that_they_speak_of(store: Store) -> None:
    doubted = stored(notice(identity="a"), is_trusted=False)
    with store.transaction() as session:
        notices.add(session, doubted, "S260301a")
    with store.transaction() as session:
        assert notices.trust(session, "0" * 64) == []
        assert notices.trust(session, doubted.digest) == ["S260301a"]
        assert notices.trust(session, doubted.digest) == []
    with store.reading() as session:
        assert notices.of_event(session, "S260301a")[0].is_trusted


def test_any_text_that_a_notice_may_hold_comes_back(store: Store) -> None:
    odd = "δ \u2028 \U0001f30c \x00 ' \" \\ %"
    one = stored(notice(identity="a", extra={"comment": odd, odd[:3]: [odd]}, vetoes=(odd,)))
    with store.transaction() as session:
        notices.add(session, one, "S260301a")
    with store.reading() as session:
        assert notices.get(session, one.notice_id) == one


def test_the_id_of_a_notice_is_the_same_on_every_hub() -> None:
    assert notices.notice_id("igwn|S1|INITIAL|x", "ab") == notices.notice_id("igwn|S1|INITIAL|x", "ab")
    assert notices.notice_id("a", "bc") != notices.notice_id("ab", "c")


def test_one_name_in_two_spellings_is_one_notice_with_a_revision(store: Store) -> None:
    quiet = stored(notice(identity="ivo://a.example/s#x|observation", ivorn="ivo://a.example/s#x"))
    loud = stored(notice(identity="IVO://A.example/s#X|observation", ivorn="IVO://A.example/s#X", far_hz=2e-9))
    with store.transaction() as session:
        assert [notices.add(session, one, "S260301a") for one in (quiet, loud)] == [Addition.NEW, Addition.REVISION]
