"""A storm of mock alerts and retractions among a few real ones: no mock is announced, no mock is followed up, the real ones go on.

The pipelines of LVK send such storms when they are tried out (mock superevents ``MS...``, the search ``MDC``); a hub that wakes
people for one of them is switched off.
"""

import json
import random

import pytest

from hub.bootstrap import open_hub
from hub.model.envelope import Envelope, Trust
from hub.model.notice import Role
from hub.storage import envelopes, events, followup, outbox
from hub.storage.envelopes import law_holds
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.small_world import FIRST_PLACE, NOW, Ticking, after, alerts, burst, fresh_sqlite, merger, notices, settings_in

N_MOCKS = 500
N_RETRACTIONS = 30
N_WITH_MAP = 10
HOUR_S = 3600.0


def letters(number):
    """Return the ending of a superevent's name: a, b ... z, aa ..."""
    text = ""
    while number >= 0:
        text = chr(97 + number % 26) + text
        number = number // 26 - 1
    return text


def mock(number, seconds):
    """Return a mock superevent at some seconds after the real merger; every third is one by its search alone."""
    is_mdc = number % 3 == 0
    event_id = f"{'S' if is_mdc else 'MS'}260301{letters(number + (700 if is_mdc else 30))}"
    changes = {"superevent_id": event_id, "alert_type": "PRELIMINARY", "time_created": after(seconds + 120)[:19] + "Z"}
    place = FIRST_PLACE if number < N_WITH_MAP else None
    event = json.loads(merger(event_id, "PRELIMINARY", seconds + 120, place or FIRST_PLACE, time=after(seconds)))["event"]
    if place is None:
        event = {name: value for name, value in event.items() if name != "skymap"}
    if is_mdc:
        event |= {"search": "MDC"}
    return event_id, as_bytes(igwn_alert(**changes) | {"event": event})


def storm():
    """Return the messages of an hour: event times spread over it, retractions of some of the mocks, injected bursts among them."""
    chosen = random.Random(20260301)
    sent = []
    for number in range(N_MOCKS):
        seconds = HOUR_S * number / N_MOCKS - HOUR_S / 2
        event_id, payload = mock(number, seconds)
        sent.append((seconds, payload, "igwn.gwalert"))
        if number % (N_MOCKS // N_RETRACTIONS) == 0 and number < N_RETRACTIONS * (N_MOCKS // N_RETRACTIONS):
            retraction = merger(event_id, "RETRACTION", seconds + 600, None)
            sent.append((seconds + 600 + chosen.random(), retraction, "igwn.gwalert"))
    # A test of the burst mission's too, right on top of a mock merger and of the real one.
    sent.append((3.0, burst(794099999, 2.5, 60, (151.0, -19.0, 3.0), alert_tense="test"), "gcn.notices.fermi.gbm"))
    return [
        Envelope(payload=payload, source="storm", received_at=NOW, topic=topic, trust=Trust.TRUSTED)
        for _, payload, topic in sorted(sent, key=lambda one: one[0])
    ]


def real():
    return [one.envelope for one in (*notices(), *alerts())]


def play(folder, made, skymaps, sent):
    """Take messages in, 100 at a time, send what follows, and return what a person would see."""
    folder.mkdir()
    with (
        fresh_sqlite(folder, made) as store,
        open_hub(settings_in(folder, with_followup=True), store, clock=Ticking(), skymaps=skymaps) as hub,
    ):
        for start in range(0, len(sent), 100):
            hub.flow.take(sent[start : start + 100])
            hub.flow.step()
        while hub.flow.step():
            pass
        with store.reading() as session:
            assert law_holds(envelopes.counts(session))
            found = events.search(session, limit=10_000)
            return {
                "events": {one.event_id: one for one in found},
                "outgoing": outbox.search(session, limit=10_000, with_payload=True),
                "requests": followup.search(session, limit=10_000),
            }


def interleaved(first, second):
    """Mix two sequences evenly, each in its own order."""
    keyed = [
        ((index + 0.5) / len(some), which, one) for which, some in enumerate((first, second)) for index, one in enumerate(some)
    ]
    return [one for *_, one in sorted(keyed, key=lambda entry: entry[:2])]


@pytest.mark.slow
def test_a_storm_of_mocks_passes_without_a_live_announcement_and_the_real_ones_go_on(tmp_path, made, skymaps):
    weather = storm()
    assert len(weather) == N_MOCKS + N_RETRACTIONS + 1
    alone = play(tmp_path / "alone", made, skymaps, real())
    mixed = play(tmp_path / "mixed", made, skymaps, interleaved(real(), weather))

    mocks = {name: event for name, event in mixed["events"].items() if name not in alone["events"]}
    # A retraction names no search: that of a mock whose id looks real is a shell without time or place, and nothing follows from it.
    shells = {name for name, event in mocks.items() if not event.content}
    assert len(mocks) - len(shells) == N_MOCKS + 1
    assert {event.role for name, event in mocks.items() if name not in shells} == {Role.TEST}
    assert not any(event.is_live for name, event in mocks.items() if name not in shells)
    assert all(mocks[name].t0 is None and mocks[name].localization_id is None for name in shells)
    assert sum(event.state.value == "retracted" for event in mocks.values()) == N_RETRACTIONS

    for outgoing in mixed["outgoing"]:
        text = outgoing.outgoing.payload.decode()
        assert not any(f'"{name}"' in text or f">{name}<" in text for name in mocks), "a mock was announced"
    said = sorted(one.outgoing.role.value for one in mixed["outgoing"])
    assert "observation" in said, "the real ones are announced, or this test shows nothing"
    followed = {one.intent.event_id for one in mixed["requests"]}
    assert followed, "a real one is followed up, or this test shows nothing"
    assert followed <= set(alone["events"])
    for name, event in alone["events"].items():
        assert mixed["events"][name] == event, "a real event is as if there had been no storm"
