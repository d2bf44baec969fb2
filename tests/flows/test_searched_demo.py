"""The demo's night through the decoder, the archive and the ledger: what its telescope searched is what was put in."""

from dataclasses import replace

import numpy as np
import pytest

from hub import config
from hub.archive import visits_file
from hub.archive.history import ArchiveHistory
from hub.archive.visits_ledger import VisitLedger
from hub.bootstrap import open_decoder
from hub.demo.night import build_night
from hub.demo.published import KILONOVA_DEC_DEG, KILONOVA_RA_DEG
from hub.demo.visits import DEPTH_5SIGMA_AB, TOO
from hub.model.alert import Words
from hub.model.instant import Instant
from hub.model.visit import ab_mag
from hub.resources import read_text
from hub.science.footprint import Halves, areas_deg2, holding
from hub.science.footprint_camera import load_cameras

TOPIC = "lsst-alerts"
NOW = Instant.from_utc_iso("2017-08-22T12:00:00Z")


@pytest.fixture(scope="module")
def night():
    return build_night(4, 6000)


def by_topic(batch):
    return replace(batch, provenance=replace(batch.provenance, topic=Words.constant(TOPIC, len(batch))))


@pytest.fixture(scope="module")
def ledgers(night, tmp_path_factory):
    history = ArchiveHistory(tmp_path_factory.mktemp("demo") / "archive")
    decoder = open_decoder(config.load([], {"hub.data_dir": str(tmp_path_factory.mktemp("data"))}).settings)
    rows = night.alert_rows.tolist()
    for begin in range(0, len(rows), 1000):
        decoded = decoder.decode_packets([night.writer.packet(row) for row in rows[begin : begin + 1000]])
        assert decoded.refused == ()
        for batch in decoded.batches:
            history.append(by_topic(batch))
    cameras = load_cameras(read_text("conf/cameras.toml"))
    assert VisitLedger(history, cameras, quiet_s=0.0).update({"LSST": {TOPIC}}, NOW) == night.truth.n_visits
    return visits_file.read_nights(history.folder, visits_file.nights(history.folder))


def test_every_visit_and_alert_of_the_night_is_in_the_ledger(night, ledgers):
    catalogue = night.writer.catalogue
    assert ledgers.n_alerts.sum() == night.truth.n_alerts
    assert set(ledgers.visit.tolist()) == set(catalogue.visit[night.alert_rows].tolist())


def test_the_depth_is_what_the_telescope_reached(ledgers):
    bands = np.array(ledgers.band.texts())
    for band in sorted(set(bands)):
        own = ledgers.take(bands == band)
        assert np.average(ab_mag(own.depth_njy), weights=own.n_alerts) == pytest.approx(DEPTH_5SIGMA_AB[band], abs=0.1)


def test_the_place_of_the_kilonova_was_searched_for_it_in_every_night_after_the_merger(ledgers):
    at_it = ledgers.take(holding(Halves.of(ledgers.polygons), KILONOVA_RA_DEG, KILONOVA_DEC_DEG))
    nights = {Instant(mid).to_utc_iso()[:10] for mid in at_it.mid_tai_us.tolist()}
    assert {"2017-08-17", "2017-08-18", "2017-08-19", "2017-08-20"} - nights == set()
    assert set(at_it.band.texts()) == {"i", "g"}
    assert TOO in at_it.reason.texts()


def test_hulls_stay_within_the_simulated_squares_and_cover_most_of_them(night, ledgers):
    assert "outline" not in ledgers.footprint.texts()  # the demo's camera is a plain grid
    areas = areas_deg2(ledgers.polygons)
    by_visit = {visit: areas[ledgers.visit == visit].sum() for visit in set(ledgers.visit.tolist())}
    assert max(by_visit.values()) < 1.05 * night.truth.area_deg2
    assert np.median(list(by_visit.values())) > 0.4 * night.truth.area_deg2
