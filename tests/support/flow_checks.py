"""What must hold of a hub's database whatever happened to it."""

import re
from collections.abc import Collection, Iterable

import voeventparse

from hub.bootstrap import Hub
from hub.model.coincidence import Coincidence, PairState
from hub.model.notice import CiteKind
from hub.storage import coincidences, envelopes, events, jobs, notices, outbox
from hub.storage.outbox import OutboxEntry, OutboxState

OWN = "ivo://example.org/mmhub/"
"""Beginning of everything that a hub with the default settings names."""


def check_books(hub: Hub, n_messages: int) -> None:
    """All messages are accounted for, and nothing waits."""
    with hub.store.reading() as session:
        books = envelopes.counts(session)
        waiting = jobs.take(session, 9)
    assert envelopes.law_holds(books)
    assert sum(one.received for one in books) == n_messages
    assert sum(one.in_flight for one in books) == 0
    assert waiting == []


def check_what_left(hub: Hub) -> None:
    """Every VOEvent is valid and cites what exists, all are on the way or sent, and the newest of each pair says what is so."""
    with hub.store.reading() as session:
        entries = outbox.search(session, limit=None, with_payload=True)
        latest = {
            one.coincidence_id: one for event_id in events.all_ids(session) for one in coincidences.of_event(session, event_id)
        }
        ivorns = [entry.outgoing.ivorn for entry in entries]
        assert len(set(ivorns)) == len(ivorns)
        for entry in entries:
            assert entry.state is not OutboxState.FAILED
            packet = voeventparse.loads(entry.outgoing.payload)
            voeventparse.assert_valid_as_v2_0(packet)
            assert packet.attrib["ivorn"] == entry.outgoing.ivorn
            assert {cited.text for cited in packet.Citations.EventIVORN} == {cite.ivorn for cite in entry.outgoing.cites}
            for cite in entry.outgoing.cites:
                match = re.fullmatch(re.escape(OWN) + r"(coincidence|notice)#(.+)", cite.ivorn)
                if match is None:
                    assert notices.by_ivorn(session, cite.ivorn), f"{cite.ivorn} is cited and nowhere"
                elif match[1] == "notice":
                    assert notices.get(session, match[2]) is not None
                else:
                    assert cite.ivorn in ivorns
                    assert cite.kind is not CiteKind.FOLLOWUP
    said = newest_said(entries)
    superseded = superseded_by_others(entries)
    for coincidence in latest.values():
        check_agreement(coincidence, said.get(coincidence.coincidence_id), superseded)
    assert set(said) <= set(latest)


def newest_said(entries: list[OutboxEntry]) -> dict[str, tuple[int, OutboxEntry]]:
    """Return the newest VOEvent about each coincidence, with the version that it announces."""
    said: dict[str, tuple[int, OutboxEntry]] = {}
    for entry in entries:
        name, _, version = entry.outgoing.ivorn.rpartition("#")[2].rpartition(".v")
        if name not in said or said[name][0] < int(version):
            said[name] = (int(version), entry)
    return said


def superseded_by_others(entries: Iterable[OutboxEntry]) -> set[str]:
    """Return the ivorns of messages of which one about another coincidence took the place."""
    return {
        cite.ivorn
        for entry in entries
        for cite in entry.outgoing.cites
        if cite.kind is CiteKind.SUPERSEDES and cite.ivorn.rpartition(".v")[0] != entry.outgoing.ivorn.rpartition(".v")[0]
    }


def check_agreement(coincidence: Coincidence, said: tuple[int, OutboxEntry] | None, superseded: Collection[str] = ()) -> None:
    """An open live pair is what the newest VOEvent about it says; of any other there is none, or it was retracted or superseded."""
    stands = coincidence.state is PairState.OPEN and coincidence.is_live
    if said is None:
        assert not stands
        return
    version, entry = said
    retracts = any(cite.kind is CiteKind.RETRACTION for cite in entry.outgoing.cites)
    assert (retracts or (not stands and entry.outgoing.ivorn in superseded)) is not stands
    assert version == coincidence.version or not stands
