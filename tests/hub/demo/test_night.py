import hashlib

import numpy as np
import pytest

from hub.demo import bursts, gravitational_wave
from hub.demo.night import build_night
from hub.demo.published import GW_T0, KILONOVA_DEC_DEG, KILONOVA_RA_DEG, kilonova_flux_njy
from hub.demo.visits import ALERTS_PER_DEG2, DEPTH_5SIGMA_AB
from hub.model.envelope import Trust
from hub.model.instant import Instant

ALERTS = 1500


def digest(night):
    sha = hashlib.sha256()
    for envelope in night.envelopes():
        sha.update(envelope.digest.encode() + str(envelope.received_at.tai_us).encode())
    return sha.hexdigest()


def counterpart_records(night, records):
    return [r for r in records if str(r["diaSource"]["diaObjectId"]) == night.truth.counterpart_object_id]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = (digest(build_night(seed, 60)) for seed in (3, 3, 4))
    assert first == again != other


def test_a_night_can_be_played_twice(night, envelopes):
    assert next(iter(night.envelopes())).digest == envelopes[0].digest


def test_messages_come_in_order_of_arrival_with_unique_positions(night, envelopes):
    times = [envelope.received_at for envelope in envelopes]
    assert times == sorted(times)
    assert len({envelope.position for envelope in envelopes}) == len(envelopes) == len(night)
    assert {envelope.trust for envelope in envelopes} == {Trust.TRUSTED}


def test_no_message_arrives_before_it_could_have_been_made(packets, records):
    for envelope, record in zip(packets, records, strict=True):
        delay = envelope.received_at.minus(Instant.from_mjd_tai(record["diaSource"]["midpointMjdTai"]))
        assert 59 < delay < 96
        assert record["diaSource"]["timeProcessedMjdTai"] < envelope.received_at.mjd_tai


def test_the_counts_are_as_told_and_enough(night, records):
    truth = night.truth
    assert truth.n_alerts == len(records) == sum(truth.alerts_by_kind.values())
    assert truth.n_unrelated_alerts == truth.n_alerts - len(truth.counterpart_source_ids) >= ALERTS
    assert truth.n_unrelated_alerts < 1.3 * ALERTS


def test_the_density_per_visit_is_that_of_a_real_visit(night):
    truth = night.truth
    assert truth.n_alerts / truth.n_visits / truth.area_deg2 == pytest.approx(ALERTS_PER_DEG2, rel=0.15)


@pytest.mark.parametrize("seed", [1, 2])
def test_even_a_tiny_night_has_its_alerts_and_its_counterpart(seed):
    truth = build_night(seed, 1).truth
    assert truth.n_unrelated_alerts >= 1
    assert len(truth.counterpart_source_ids) == 8


def test_too_many_or_no_alerts_are_refused():
    with pytest.raises(ValueError, match="at most"):
        build_night(1, 10**7)
    with pytest.raises(ValueError, match="at least one"):
        build_night(1, 0)


def test_the_counterpart_follows_the_published_light_curve(night, records):
    seen = counterpart_records(night, records)
    assert [str(r["diaSourceId"]) for r in seen] == list(night.truth.counterpart_source_ids)
    first = seen[0]["diaSource"]
    assert Instant.from_mjd_tai(first["midpointMjdTai"]).to_utc_iso().startswith("2017-08-17T23:33:00")
    for record in seen:
        source = record["diaSource"]
        days = source["midpointMjdTai"] - GW_T0.mjd_tai
        expected = float(kilonova_flux_njy(np.array([days]), source["band"])[0])
        assert abs(source["psfFlux"] - expected) < 6 * source["psfFluxErr"]
        assert record["diaObject"]["firstDiaSourceMjdTai"] == first["midpointMjdTai"]
        assert np.hypot(source["ra"] - 197.450354, source["dec"] + 23.381484) < 1 / 3600
        limit = 3631e9 * 10 ** (-0.4 * DEPTH_5SIGMA_AB[source["band"]]) / 5
        assert source["psfFluxErr"] >= 0.99 * limit
    assert seen[0]["prvDiaSources"] is None
    assert [r["diaSource"]["band"] for r in seen] == ["i", "g"] * 4


def test_the_counterpart_is_neither_at_the_peak_nor_outside_the_region():
    maps = [banana for seed in range(20) for banana in gravitational_wave.maps(np.random.default_rng(seed))]
    levels = [banana.level_at(KILONOVA_RA_DEG, KILONOVA_DEC_DEG) for banana in maps]
    assert all(0.1 <= level <= 0.9 for level in levels)
    assert 0.4 < np.mean(levels) < 0.6


def test_alerts_come_before_and_after_the_notices_that_concern_them(envelopes, night):
    def arrival(topic, number):
        return [e.received_at for e in envelopes if e.topic == topic][number]

    alerts = [e.received_at for e in envelopes if e.topic.startswith("lsst")]
    for moment in (
        GW_T0,
        arrival("igwn.gwalert", 0),
        arrival("igwn.gwalert", 2),
        arrival("gcn.classic.voevent.FERMI_GBM_FIN_POS", 0),
    ):
        assert min(alerts) < moment < max(alerts)
    # The update of the map comes when a part of the first night's alerts has been matched with the map before.
    first_night = [moment for moment in alerts if 0 < moment.minus(arrival("igwn.gwalert", 1)) < 30_000]
    assert min(first_night) < arrival("igwn.gwalert", 2) < max(first_night)


def test_fields_elsewhere_have_nothing_to_do_with_the_gravitational_wave(records):
    far = [r for r in records if r["observation_reason"] == "wide survey" and abs(r["diaSource"]["ra"] - 197.45) > 60]
    assert len(far) > 100
    assert {r["target_name"] for r in records if r["observation_reason"] == "target of opportunity"} >= {
        "S170817ht 1",
        "S170817ht 8",
    }


def test_the_false_burst_has_a_candidate_seen_again_that_begins_after_it(night, records):
    seen = [r for r in records if str(r["diaSource"]["diaObjectId"]) == night.truth.decoy_object_id]
    assert len(seen) == 4
    first = Instant.from_mjd_tai(seen[0]["diaSource"]["midpointMjdTai"])
    assert 0 < first.minus(bursts.FALSE_T0) < 2 * 3600
    fluxes = [r["diaSource"]["psfFlux"] for r in seen]
    assert fluxes[0] > 1.5 * fluxes[2]
    assert night.truth.kind_of_object[night.truth.decoy_object_id] == "dwarf nova"


def test_the_brightest_artefact_of_many_seeds_overflows_nothing():
    night = build_night(19)  # holds a false detection with a signal to noise over 700; warnings are errors
    catalogue = night.writer.catalogue
    assert np.max(np.abs(catalogue.flux_njy) / catalogue.error_njy) > 700
