"""What a VOEvent about a pair says of it: names, place, citations."""

import pytest
import voeventparse

from hub.model.notice import CiteKind, Stage
from hub.model.sky import Circle, StatedPosition
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, peak_ra_deg=130.0, peak_dec_deg=20.0)
NEAR = localization(gaussian_map(134.0, 21.0, 5.0), area90_deg2=100.0, peak_ra_deg=134.0, peak_dec_deg=21.0)


def place_of(payload: bytes) -> tuple[float, float, float]:
    position = voeventparse.get_event_position(voeventparse.loads(payload))
    return position.ra, position.dec, position.err


def test_the_ivorn_says_which_version_of_which_pair(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    (pair,), (sent,) = desk.pairs(), desk.sent()
    assert sent.ivorn == f"ivo://example.org/mmhub/coincidence#{pair.coincidence_id}.v1"
    packet = voeventparse.loads(sent.payload)
    assert voeventparse.valid_as_v2_0(packet)
    assert (packet.attrib["ivorn"], packet.attrib["role"]) == (sent.ivorn, "observation")


def test_the_place_is_that_of_the_smaller_map_or_of_the_object(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    ra, dec, radius = place_of(desk.sent()[0].payload)
    assert (ra, dec) == pytest.approx((134.0, 21.0))
    assert radius == pytest.approx((100.0 / 3.141592653589793) ** 0.5, rel=1e-6)
    desk.show(alerts({"days": 0.5, "flux_njy": 20_000.0}, {"days": 1.5, "flux_njy": 8_000.0}, {"days": 2.5, "flux_njy": 4_000.0}))
    found = [one for one in desk.sent() if place_of(one.payload)[:2] == pytest.approx((130.0, 20.0))]
    assert found
    assert place_of(found[0].payload)[2] == pytest.approx(1 / 3600.0)


def test_a_stated_position_is_preferred_to_the_peak_of_its_map(store: Store) -> None:
    desk = Desk(store)
    stated = StatedPosition(ra_deg=133.5, dec_deg=21.5, region=Circle(radius_deg=3.0))
    desk.tell(notice(), HERE)
    desk.tell(grb(position=stated), NEAR)
    assert place_of(desk.sent()[0].payload)[:2] == pytest.approx((133.5, 21.5))


def test_without_any_map_there_is_no_place(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice())
    desk.tell(grb())
    (sent,) = desk.sent()
    assert b"Position2D" not in sent.payload
    assert voeventparse.valid_as_v2_0(voeventparse.loads(sent.payload))


def test_a_member_without_an_ivorn_is_cited_by_our_name_of_its_notice(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(ivorn=None), HERE)
    desk.tell(grb(), NEAR)
    cited = [cite.ivorn for cite in desk.sent()[0].cites]
    assert cited[0].startswith("ivo://example.org/mmhub/notice#")
    assert cited[1] == "ivo://test/Fermi-1#0"


def test_the_ivorn_of_an_untrusted_notice_is_not_cited_beside_trusted_ones(store: Store) -> None:
    desk = Desk(store)
    desk.tell(grb(), NEAR)
    forged = grb(ivorn="ivo://elsewhere/forged#1", issued_at=T0.plus_s(700), stage=Stage.UPDATE)
    desk.tell(forged, NEAR, is_trusted=False)
    desk.tell(notice(), HERE)
    assert {cite.ivorn for cite in desk.sent()[0].cites} == {"ivo://test/S260301a#0", "ivo://test/Fermi-1#0"}
    assert {cite.kind for cite in desk.sent()[0].cites} == {CiteKind.FOLLOWUP}
