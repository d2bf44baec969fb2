"""Visits that do not tell where all of the camera looked, in which band or how deep: what they may have searched is not known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.science.footprint import positions_of
from hub.science.footprint_camera import from_plane
from hub.services import searched
from hub.storage.engine import Store
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, Hub
from tests.support.searched import DEC, FIRST, RA
from tests.support.visits import LSSTCAM, TOPIC, camera_rows, pointing

WHERE = pointing(RA, DEC)
DAY = 0.05
"""When the visit was made, between two others."""


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    hub = Hub(store, tmp_path / "archive")
    hub.full(-1)
    return hub


def visits(hub: Hub, *, per_detector: float = 20.0, **more: Any) -> None:
    """Let a visit come between two others."""
    at = FIRST.plus_s(DAY * DAY_S).tai_us
    hub.visit(0)
    own = {"per_detector": per_detector, "visit": 2017081799901, "mid_tai_us": at, "topic": TOPIC} | more
    hub.rows(camera_rows(np.random.default_rng(3), WHERE, offset=hub.offset, **own))
    hub.visit(0.1)
    hub.visit(1)
    hub.update()


def only(*detectors: int) -> list[int]:
    """Return all detectors but some."""
    return [number for number in range(len(LSSTCAM)) if number not in detectors]


def at(hub: Hub, detector: int, part: float = 0.0, **more: Any) -> dict[str, Any]:
    """Ask about a place in a detector, some part of its half size from its middle."""
    half = LSSTCAM.half_sizes[detector]
    place = np.array([LSSTCAM.centres[detector] + part * half])
    ra, dec = positions_of(from_plane(WHERE.towards, WHERE.turn * np.conj(place)))
    with hub.store.reading() as session:
        return searched.at_position(
            session,
            hub.folder,
            ra_deg=float(ra[0]),
            dec_deg=float(dec[0]),
            start=FIRST.plus_s(0.02 * DAY_S),
            end=FIRST.plus_s(0.08 * DAY_S),
            **more,
        )


def told(found: dict[str, Any]) -> tuple[str, int, int]:
    return found["coverage"], found["n_visits"], found["n_without_footprint"]


def share(hub: Hub, **more: Any) -> dict[str, Any]:
    begin, until = FIRST.plus_s(0.02 * DAY_S), FIRST.plus_s(0.08 * DAY_S)
    with hub.store.reading() as session:
        return searched.of_event(session, hub.folder, "S170817a", start=begin, end=until, now=until, **more)


@pytest.mark.parametrize(("alive", "per_detector"), [((94, 95, 96), 20.0), ((94, 95, 96, 97, 98), 53.0), ((94,), 2.0)])
def test_near_a_visit_of_few_detectors_a_place_that_no_footprint_holds_is_known_in_part(
    hub: Hub, alive: tuple[int, ...], per_detector: float
) -> None:
    visits(hub, per_detector=per_detector, missing=only(*alive))
    corner = at(hub, 94, 0.88)
    assert told(corner) == ("partial", 0, 1)
    assert corner["surveys"][0]["coverage"] == "partial"
    assert "whether this place was searched is not known" in corner["remarks"][-1]
    assert told(at(hub, 0)) == ("partial", 0, 1)
    found = share(hub)
    assert found["coverage"] == "partial"
    assert "more may have been searched" in found["remarks"][-1]


def test_a_place_that_a_hull_holds_was_searched_and_one_out_of_reach_was_not(hub: Hub) -> None:
    visits(hub, per_detector=53.0, missing=only(94, 95, 96))
    assert told(at(hub, 94)) == ("known", 1, 0)
    assert told(at(hub, 94, 60.0)) == ("known", 0, 0)


def test_a_camera_whose_alerts_do_not_fit_the_table_may_have_looked_anywhere_near(hub: Hub) -> None:
    at_us = FIRST.plus_s(DAY * DAY_S).tai_us
    rows = camera_rows(
        np.random.default_rng(3), WHERE, per_detector=8.0, visit=2017081799901, mid_tai_us=at_us, topic=TOPIC, offset=0
    )
    shuffled = np.random.default_rng(4).permutation(len(LSSTCAM))[rows["detector"].to_numpy()]
    rows = rows.set_column(rows.schema.get_field_index("detector"), "detector", [shuffled.astype(np.int32)])
    hub.rows(rows)
    for day in (0.1, 1):
        hub.visit(day)
    hub.update()
    found = share(hub)
    assert (found["coverage"], found["n_visits"]) == ("partial", 1)


def test_a_detector_that_sent_nothing_far_from_those_that_did_leaves_a_doubt(hub: Hub) -> None:
    visits(hub, per_detector=53.0, missing=only(*range(81, 99)))
    assert told(at(hub, 94)) == ("known", 1, 0)
    silent = at(hub, 20)
    assert (silent["coverage"], silent["n_visits"], [one["detector"] for one in silent["silent"]]) == ("partial", 0, [20])


@pytest.mark.parametrize("band", ["i", "r"])
def test_a_visit_that_does_not_say_its_band_leaves_a_doubt_about_every_band(hub: Hub, band: str) -> None:
    visits(hub, band="")
    assert told(at(hub, 94)) == ("known", 1, 0)
    found = at(hub, 94, band=band)
    assert (found["coverage"], found["n_visits"], found["n_without_band"]) == ("partial", 0, 1)
    assert found["remarks"] == [f"a visit of this place did not say the band: whether it was {band} is not known"]
    of_map = share(hub, band=band)
    assert (of_map["coverage"], of_map["n_visits"]) == ("partial", 0)
    assert of_map["n_without_band"] > 100


def test_a_visit_in_another_band_leaves_no_doubt(hub: Hub) -> None:
    visits(hub, band="g")
    assert told(at(hub, 94, band="i")) == ("known", 0, 0)


@pytest.mark.parametrize("error", [float("nan"), 0.0])
def test_a_visit_that_does_not_say_its_depth_leaves_a_doubt_about_every_depth(hub: Hub, error: float) -> None:
    visits(hub, error=error)
    every, deep = share(hub), share(hub, depth_ab=20.0)
    assert (every["coverage"], every["n_visits"]) == ("known", 1)
    assert (deep["coverage"], deep["n_visits"], deep["n_too_shallow"]) == ("partial", 0, 0)
    assert deep["n_without_depth"] > 100
    assert deep["remarks"] == ["a visit did not say how deep it went"]
