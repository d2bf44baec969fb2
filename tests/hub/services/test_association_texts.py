"""A text that gives the names of several triggers makes them one burst, whichever comes first."""

import itertools
from pathlib import Path

import pytest

from hub.bootstrap import Hub, open_hub
from hub.model.envelope import Envelope, Trust
from hub.storage import sources
from hub.storage.engine import Store
from tests.support import small_world as world
from tests.support.json_notices import as_bytes, circular
from tests.support.voevents import voevent

FERMI = world.burst(794023391, 1.0, 30, world.BURST_PLACE)
SWIFT = voevent(
    ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1234567-301",
    params={"Packet_Type": 61, "TrigID": 1234567},
    time=world.after(3600.0)[:-1],
    date=world.after(3640)[:19],
    position=(151.5, -19.5, 0.05),
)
BY_FERMI = circular(
    circularId=40001,
    subject="GRB 260301A: Fermi GBM Final Real-time Localization",
    body="Fermi GBM triggered and located GRB 260301A (trigger 794023391.125 / 260301085).",
)
BY_SWIFT = circular(
    circularId=40002,
    subject="GRB 260301A: Swift detection of a burst",
    body="At 03:03:04 UT, the Swift Burst Alert Telescope (BAT) triggered and located GRB 260301A (trigger=1234567).",
)


def take(hub: Hub, payload: bytes, trust: Trust = Trust.TRUSTED) -> None:
    hub.flow.take([Envelope(payload=payload, source="file", received_at=world.NOW, trust=trust)])


def members(store: Store) -> list[tuple[str, ...]]:
    with store.reading() as session:
        return [one.event_ids for one in sources.search(session, limit=None)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_circulars_that_name_two_triggers_by_one_burst_join_them(store: Store, tmp_path: Path, order: tuple[int, ...]) -> None:
    messages = (FERMI, SWIFT, as_bytes(BY_FERMI), as_bytes(BY_SWIFT))
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        for place in order[:-1]:
            take(hub, messages[place])
        assert members(store) == []
        take(hub, messages[order[-1]])
    assert members(store) == [("Fermi-794023391", "Swift-1234567")]
    with store.reading() as session:
        (source,) = sources.search(session, limit=None)
    assert source.links[0].reason == "Fermi-794023391 and Swift-1234567 are both called grb260301a"


def test_a_text_that_nobody_vouches_for_joins_nothing_until_somebody_does(store: Store, tmp_path: Path) -> None:
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        for payload in (FERMI, SWIFT, as_bytes(BY_FERMI)):
            take(hub, payload)
        take(hub, as_bytes(BY_SWIFT), Trust.UNTRUSTED)
        assert members(store) == []
        take(hub, as_bytes(BY_SWIFT))
    assert members(store) == [("Fermi-794023391", "Swift-1234567")]


def test_a_text_about_two_bursts_joins_nothing_and_a_correction_takes_back_what_it_joined(store: Store, tmp_path: Path) -> None:
    two = {**BY_SWIFT, "subject": "GRB 260301A and GRB 260228B: Swift detections"}
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        for payload in (FERMI, SWIFT, as_bytes(BY_FERMI), as_bytes(two)):
            take(hub, payload)
        assert members(store) == []
        take(hub, as_bytes({**BY_SWIFT, "version": 2, "editedOn": 1772340000000}))
        assert members(store) == [("Fermi-794023391", "Swift-1234567")]
        take(hub, as_bytes({**two, "version": 3, "editedOn": 1772350000000}))
        assert members(store) == []
