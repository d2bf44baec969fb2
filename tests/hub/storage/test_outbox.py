"""The outbox: written once, due in order, tried again, searched."""

from dataclasses import replace

import pytest

from hub.model.notice import Citation, CiteKind, Role
from hub.model.outgoing import Outgoing, Subject
from hub.storage import outbox
from hub.storage.engine import Store
from hub.storage.outbox import OutboxState
from tests.support.words import T0


def message(number: int, destination: str = "file") -> Outgoing:
    return Outgoing(
        ivorn=f"ivo://x/coincidence#{number}",
        media_type="application/xml",
        payload=b"\x00<\xff>",
        destination=destination,
        role=Role.TEST,
        cites=(Citation(ivorn="ivo://x/y#é", kind=CiteKind.RETRACTION),),
        created_at=T0.plus_s(number),
    )


def due(store: Store, seconds: float, limit: int = 99, destination: str = "file") -> list[str]:
    with store.reading() as session:
        return [entry.outgoing.ivorn[-1] for entry in outbox.due(session, destination, T0.plus_s(seconds), limit)]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction() as session:
        for number in (1, 3, 2):
            assert outbox.put(session, message(number))
    return store


def test_a_message_is_written_once_for_each_destination(filled: Store) -> None:
    with filled.transaction() as session:
        assert not outbox.put(session, message(1))
        assert outbox.put(session, message(1, "mail"))
        first = outbox.get(session, message(1).ivorn)
        other = outbox.get(session, message(1).ivorn, "mail")
        assert first is not None
        assert other is not None
        assert (first.outgoing, other.outgoing) == (message(1), message(1, "mail"))
        assert outbox.get(session, "nowhere") is None


def test_what_is_due_comes_in_the_order_of_writing_and_nothing_overtakes(filled: Store) -> None:
    assert due(filled, 0.5) == []
    assert due(filled, 3) == ["1", "3", "2"]
    assert due(filled, 2) == ["1"]  # the third was written before the second and has to wait
    assert due(filled, 3, limit=2) == ["1", "3"]


def test_a_failure_waits_and_a_second_destination_is_untouched(filled: Store) -> None:
    with filled.transaction() as session:
        outbox.put(session, message(1, "mail"))
        outbox.mark_failed(session, message(1), "no answer", retry_at=T0.plus_s(50))
        outbox.mark_failed(session, message(3), "refused", retry_at=None)
        outbox.mark_sent(session, message(2), T0.plus_s(9))
    assert (due(filled, 49), due(filled, 50)) == ([], ["1"])
    assert due(filled, 49, destination="mail") == ["1"]
    with filled.reading() as session:
        states = {entry.outgoing.ivorn[-1] + entry.outgoing.destination: entry for entry in outbox.search(session, limit=None)}
    assert (states["1file"].state, states["1file"].tries, states["1file"].error) == (OutboxState.WAITING, 1, "no answer")
    assert (states["1mail"].tries, states["1mail"].error) == (0, "")
    assert (states["3file"].state, states["3file"].error) == (OutboxState.FAILED, "refused")
    assert (states["2file"].state, states["2file"].sent_at) == (OutboxState.SENT, T0.plus_s(9))


def test_the_backlog_counts_each_destination_and_says_what_hinders_it(filled: Store) -> None:
    with filled.transaction() as session:
        outbox.put(session, message(1, "mail"))
        outbox.mark_sent(session, message(1, "mail"), T0.plus_s(5))
        outbox.mark_failed(session, message(1), "no answer", retry_at=T0.plus_s(50))
        outbox.mark_failed(session, message(2), "refused", retry_at=None)
    with filled.reading() as session:
        file, mail = outbox.backlog(session)
    assert (file.destination, file.waiting, file.sent, file.failed) == ("file", 2, 0, 1)
    assert (file.oldest_waiting, file.last_sent, file.error) == (T0.plus_s(1), None, "no answer")
    assert (mail.destination, mail.waiting, mail.sent, mail.failed) == ("mail", 0, 1, 0)
    assert (mail.oldest_waiting, mail.last_sent, mail.error) == (None, T0.plus_s(5), "")


def test_what_came_back_is_marked_for_its_destination_and_the_first_time_counts(filled: Store) -> None:
    with filled.transaction() as session:
        outbox.put(session, message(1, "mail"))
        for one in (message(1), message(1, "mail"), message(2)):
            outbox.mark_sent(session, one, T0.plus_s(5))
        for later_s in (6, 7):
            outbox.mark_echoed(session, outbox.destinations_of(session, message(1).ivorn, ["mail"]), T0.plus_s(later_s))
    with filled.reading() as session:
        assert [entry.echoed_at for entry in outbox.destinations_of(session, message(1).ivorn)] == [None, T0.plus_s(6)]
        assert [e.outgoing.ivorn[-1] for e in outbox.unechoed(session, "file", T0, T0.plus_s(6))] == ["1", "2"]
        assert outbox.unechoed(session, "file", T0, T0.plus_s(5)) == []
        assert outbox.unechoed(session, "file", T0.plus_s(6), T0.plus_s(9)) == []
        assert outbox.unechoed(session, "mail", T0, T0.plus_s(9)) == []


def test_a_person_sends_again_or_takes_out_what_was_not_sent(filled: Store) -> None:
    with filled.transaction() as session:
        outbox.mark_sent(session, message(1), T0)
        outbox.mark_failed(session, message(2), "refused", retry_at=None)
    with filled.reading() as session:
        sequences = {entry.outgoing.ivorn[-1]: entry.sequence for entry in outbox.search(session)}
    every = sorted(sequences.values())
    with filled.transaction() as session:
        assert outbox.drop(session, [sequences["3"]]) == 1
        assert outbox.drop(session, every) == 1
    assert due(filled, 99) == []
    with filled.transaction() as session:
        assert outbox.retry(session, every, T0.plus_s(70)) == 2
    assert (due(filled, 69), due(filled, 70)) == ([], ["3", "2"])
    with filled.reading() as session:
        assert outbox.destinations_told(session, [message(1).ivorn, "nowhere"]) == {"file"}
        assert outbox.search(session, state=OutboxState.WAITING)[0].error == ""


def test_listings_go_backwards_page_by_page_without_payloads(filled: Store) -> None:
    with filled.reading() as session:
        first = outbox.search(session, limit=2)
        rest = outbox.search(session, limit=2, before=first[-1].sequence)
        assert [entry.outgoing.ivorn[-1] for entry in (*first, *rest)] == ["2", "3", "1"]
        assert {entry.outgoing.payload for entry in first} == {b""}
        assert outbox.search(session, with_payload=True, limit=1)[0].outgoing == message(2)
        assert outbox.search(session, state=OutboxState.SENT) == outbox.search(session, destination="mail") == []
        assert len(outbox.search(session, state=OutboxState.WAITING, destination="file")) == 3


def test_a_name_is_the_same_in_any_case_and_the_hubs_own_goes_once(filled: Store) -> None:
    loud = replace(message(1), ivorn=message(1).ivorn.upper())
    with filled.transaction() as session:
        assert not outbox.put(session, loud)
        assert outbox.get(session, loud.ivorn).outgoing.ivorn == message(1).ivorn
        assert [entry.outgoing.ivorn for entry in outbox.destinations_of(session, loud.ivorn)] == [message(1).ivorn]
        assert outbox.destinations_told(session, [loud.ivorn]) == {"file"}


def test_messages_of_others_under_one_name_are_told_apart_by_content(filled: Store) -> None:
    first, second = (replace(message(9), subject=Subject.NOTICE, payload=payload) for payload in (b"<a/>", b"<b/>"))
    with filled.transaction() as session:
        assert [outbox.put(session, one) for one in (first, second, first)] == [True, True, False]
        outbox.mark_sent(session, second, T0.plus_s(5))
        assert [entry.sent_at for entry in outbox.destinations_of(session, first.ivorn)] == [None, T0.plus_s(5)]
        assert len(outbox.contents(session, first.ivorn.upper(), "file")) == 2
