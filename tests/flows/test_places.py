"""Where and when notices say that something was, from their bytes to the pair: ellipses, errors by axis, times to come, central times."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.bootstrap import Hub, create_database, open_hub
from hub.config import load
from hub.model.coincidence import Coincidence, PairState
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.sky import Localization, LocalizationSource
from hub.ports import SkymapReader
from hub.science.healpix import area_sr, centres
from hub.science.skymap_fits import to_fits
from hub.storage import coincidences, events, localizations
from tests.support.json_notices import as_bytes, chime, gbm, guano, igwn_alert, lvk_track_search
from tests.support.skymaps import gaussian_map
from tests.support.voevents import voevent

GW_TIME = Instant.from_utc_iso("2026-03-01T02:03:04.250Z")
MAP = base64.b64encode(to_fits(gaussian_map(101.0, -20.0, 5.0))).decode()


class Desk:
    """A hub of our own whose clock stands still."""

    def __init__(self, hub: Hub, now: Instant) -> None:
        self.hub = hub
        self.now = now

    def take(self, payload: bytes) -> str:
        envelope = Envelope(payload=payload, source="file", received_at=self.now, trust=Trust.TRUSTED)
        (outcome,) = self.hub.flow.take([envelope]).outcomes
        assert outcome.event_id is not None, outcome.reason
        return outcome.event_id

    def place(self, event_id: str) -> Localization:
        with self.hub.store.reading() as session:
            event = events.get(session, event_id)
            assert event is not None
            assert event.localization_id is not None
            found = localizations.get(session, event.localization_id)
        assert found is not None
        return found

    def pair(self, *event_ids: str) -> Coincidence:
        with self.hub.store.reading() as session:
            found = [one for one in coincidences.of_events(session, event_ids[0]) if {m.id for m in one.members} == {*event_ids}]
        (one,) = found
        return one


@pytest.fixture
def desk(tmp_path: Path, skymaps: SkymapReader) -> Iterator[Desk]:
    settings = load((), {"hub.data_dir": str(tmp_path)}).settings
    moment = GW_TIME.plus_s(-30.0)
    with create_database(settings) as store, open_hub(settings, store, clock=lambda: moment, skymaps=skymaps) as hub:
        yield Desk(hub, moment)


def merger(**changes: Any) -> bytes:
    alert = igwn_alert(**changes)
    return as_bytes(alert | {"event": alert["event"] | {"skymap": MAP}})


def inside(place: Localization, ra_deg: float, dec_deg: float, east_deg: float, north_deg: float) -> float:
    """Return the probability inside an ellipse along right ascension and declination."""
    skymap = place.skymap
    ra, dec = centres(skymap.lo, skymap.hi)
    east = (ra - ra_deg) * np.cos(np.radians(dec_deg))
    is_in = (east / east_deg) ** 2 + ((dec - dec_deg) / north_deg) ** 2 <= 1.0
    return float((skymap.probdensity * area_sr(skymap.lo, skymap.hi))[is_in].sum())


def test_an_ellipse_of_a_notice_becomes_a_map_that_holds_what_it_states(desk: Desk) -> None:
    """Half axes 3 and 1.5 degrees, the longer one along right ascension, 90 % inside as the schema has it."""
    place = desk.place(desk.take(as_bytes(chime(ra_dec_error=[3.0, 1.5, 90.0]))))
    assert place.source is LocalizationSource.ELLIPSE
    assert inside(place, 101.0, -19.0, 3.0, 1.5) == pytest.approx(0.9, abs=0.02)
    assert inside(place, 101.0, -19.0, 1.5, 3.0) < 0.75  # and not along declination


def test_errors_that_differ_by_axis_become_a_map_of_two_widths(desk: Desk) -> None:
    text = voevent(ivorn="ivo://test.org/ours#1", params={}, time="2026-03-01T02:03:06", position=(101.0, -19.0, 2.0))
    text = text.replace(b"<Error2Radius>2.0</Error2Radius>", b"<Error2><C1>3.0</C1><C2>1.0</C2></Error2>")
    assert b"<Error2>" in text
    place = desk.place(desk.take(text))
    assert place.source is LocalizationSource.ASYMMETRIC
    assert inside(place, 101.0, -19.0, 3.0, 1.0) > 1.5 * inside(place, 101.0, -19.0, 1.0, 3.0)


def test_an_early_warning_is_paired_before_its_time_has_come(desk: Desk) -> None:
    event_id = desk.take(merger(alert_type="EARLYWARNING"))
    burst = desk.take(as_bytes(gbm()))
    pair = desk.pair(event_id, burst)
    assert pair.state is PairState.OPEN
    assert pair.created_at < GW_TIME
    assert pair.score("delay") == pytest.approx(1.75)
    assert pair.joint_rates is not None
    assert pair.joint_rates.noise_hz is not None


def test_a_targeted_trigger_counts_from_the_middle_of_its_interval(desk: Desk) -> None:
    event_id = desk.take(merger())
    found = desk.take(as_bytes(guano(healpix_file=MAP, follow_up_event="S260301b", follow_up_type="GW", rate_duration=4.0)))
    pair = desk.pair(event_id, found)
    assert (pair.hypothesis, pair.state) == ("gw-sub-grb-targeted-swift", PairState.OPEN)
    assert pair.score("delay") == pytest.approx(1.25 + 2.0)
    (rate,) = (one for one in pair.scores if one.statistic == "joint_far_time_only")
    assert rate.inputs["method"] == "targeted"


def test_what_the_observatory_published_of_the_pair_stands_beside_ours(desk: Desk) -> None:
    burst = desk.take(as_bytes(gbm()))
    stated = {
        "gcn_notice_id": 794023391,
        "ivorn": None,
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference": 1.75,
        "time_coincidence_far": 3e-13,
        "time_sky_position_coincidence_far": 4e-15,
    }
    event_id = desk.take(merger(alert_type="UPDATE", external_coinc=stated))
    pair = desk.pair(event_id, burst)
    ours = pair.score("joint_far")
    assert ours is not None
    assert pair.score("published_joint_far") == 4e-15
    assert pair.score("published_joint_far_ratio") == pytest.approx(ours / 4e-15)
    assert any(reason.startswith("LVK published joint_far = 4e-15 Hz; ours is") for reason in pair.reasons)


def test_icecubes_search_around_the_event_is_taken_by_its_own_probability(desk: Desk) -> None:
    event_id = desk.take(merger())
    search = desk.take(as_bytes(lvk_track_search()))
    pair = desk.pair(event_id, search)
    assert pair.state is PairState.OPEN
    assert pair.score("published_pval_generic") == 0.02
    assert pair.score("joint_far") == pair.score("random_association")  # p times the rate of searched events, no second term
    assert pair.score("joint_far") is not None
