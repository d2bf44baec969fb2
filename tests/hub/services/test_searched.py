import numpy as np
import pytest

from hub.archive import visits_file
from hub.archive.layout import night_name, night_of
from hub.errors import InvalidRequest, NotFound
from hub.model.coverage import SelectionKind
from hub.model.visit import ab_mag
from hub.ports import Incident
from hub.science.footprint import Halves, unit_vectors
from hub.services import searched
from hub.services.archive_care import ArchiveCare
from hub.storage import incidents
from tests.support.api_night import T0, fill, localization
from tests.support.searched import DEAD, DEC, FIRST, LOST, RA, SPACING_S, hears, night, number

NIGHT = night_of(FIRST.tai_us)
LATER = FIRST.plus_s(5 * SPACING_S)
"""Middle of the last visit: it may go on, and what comes after it is not known."""

BEFORE = LATER.plus_s(-1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return night(tmp_path_factory.mktemp("archive")).folder


@pytest.fixture
def hub(store):
    fill(store)
    hears(store)
    return store


def at(store, archive, ra=RA, dec=DEC, **more):
    with store.reading() as session:
        values = {"start": T0, "end": BEFORE, "limit": 100} | more
        return searched.at_position(session, archive, ra_deg=ra, dec_deg=dec, **values)


def of(store, archive, name="S170817a", **more):
    with store.reading() as session:
        return searched.of_event(session, archive, name, now=LATER, **more)


def page(store, archive, **more):
    with store.reading() as session:
        return searched.visit_page(session, archive, **{"night": None, "limit": 100, **more})


def test_a_position_knows_when_it_was_last_searched_how_deep_and_in_which_bands(hub, archive):
    found = at(hub, archive)
    assert found["coverage"] == "known"
    times = [one["mid_at"] for one in found["visits"]]
    assert times == sorted(times, reverse=True)
    assert found["last"] == found["visits"][0]
    assert found["last"]["visit"] in {str(number(k)) for k in range(5)}
    assert {one["footprint"] for one in found["visits"]} == {"outline"}
    depths = {one["band"]: one["deepest_ab"] for one in found["bands"]}
    assert depths["g"] == pytest.approx(float(ab_mag(250.0)))
    assert depths["r"] == pytest.approx(float(ab_mag(500.0)))
    assert found["n_visits"] == sum(one["n_visits"] for one in found["bands"]) == len(found["visits"])


def test_band_and_window_choose_visits(hub, archive):
    everything = at(hub, archive)
    green = at(hub, archive, band="g")
    assert {one["band"] for one in green["visits"]} == {"g"}
    assert green["visits"] == [one for one in everything["visits"] if one["band"] == "g"]
    early = at(hub, archive, end=FIRST.plus_s(SPACING_S * 1.5))
    assert early["visits"] == [one for one in everything["visits"] if int(one["visit"]) <= number(1)]
    for ask in (at, of):
        with pytest.raises(InvalidRequest, match="has a band 'q': LSST has g, i, r, u, y, z"):
            ask(hub, archive, band="q")
    assert (at(hub, archive, band="u")["coverage"], at(hub, archive, band="u")["last"]) == ("known", None)
    assert at(hub, archive, limit=1)["n_visits"] == everything["n_visits"]
    assert len(at(hub, archive, limit=1)["visits"]) == 1


def test_a_position_outside_of_every_visit_was_not_searched_and_that_is_known(hub, archive):
    found = at(hub, archive, ra=10.0, dec=50.0)
    assert (found["coverage"], found["n_visits"], found["last"]) == ("known", 0, None)


@pytest.mark.parametrize("survey", [None, "LSST"])
def test_from_a_filtered_stream_the_coverage_is_unknown(store, archive, survey):
    fill(store)
    hears(store, SelectionKind.FILTERED, name="fink-lsst")
    for found in (at(store, archive, survey=survey), of(store, archive, survey=survey)):
        assert found["coverage"] == "unknown"
        assert "only through filters (fink-lsst)" in found["reason"]
        assert found["visits"] == []
    assert of(store, archive)["searched_prob"] is None
    bodies, said = page(store, archive)
    assert bodies.bodies == []
    assert [one.is_known for one in said] == [False]


def test_of_a_survey_that_nobody_hears_the_coverage_is_unknown(store, archive):
    fill(store)
    assert at(store, archive)["reason"] == "no source of this hub listens to the alerts of a survey"
    assert at(store, archive, survey="ZTF")["reason"] == "no source of this hub listens to ZTF"
    hears(store)
    assert at(store, archive, survey="ZTF")["coverage"] == "unknown"
    assert at(store, archive)["coverage"] == "known"


def test_beside_a_full_stream_a_filtered_survey_stays_unknown(hub, archive):
    hears(hub, SelectionKind.FILTERED, survey="ZTF", name="fink-ztf")
    found = at(hub, archive)
    assert found["coverage"] == "known"
    assert {one["survey"]: one["coverage"] for one in found["surveys"]} == {"LSST": "known", "ZTF": "unknown"}


def test_a_full_stream_whose_packets_name_no_visit_leaves_the_coverage_unknown(hub, archive, tmp_path):
    hears(hub, survey="ZTF", name="ztf")
    ztf, lsst = at(hub, archive, survey="ZTF"), at(hub, archive)
    assert ztf["coverage"] == "unknown"
    assert "no visit of ZTF is in the ledger" in ztf["reason"]
    assert lsst["coverage"] == "known"
    assert "no visit of LSST is in the ledger" in of(hub, tmp_path)["reason"]


def monte_carlo(archive, chosen, n=20_000):
    """Return the part of random positions of the map that a chosen row of the ledger holds."""
    skymap = localization().skymap
    rng = np.random.default_rng(3)
    from hub.science.healpix import area_sr, centres

    mass = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    rows = rng.choice(len(mass), n, p=mass / mass.sum())
    pixels = skymap.lo[rows] + (rng.random(n) * (skymap.hi - skymap.lo)[rows]).astype(np.int64)
    points = unit_vectors(*centres(pixels, pixels + 1))
    visits = visits_file.read(archive, NIGHT)
    halves = Halves.of(visits.polygons)
    found = np.zeros(n, dtype=bool)
    for k in np.flatnonzero(chosen(visits)).tolist():
        near = np.flatnonzero(points @ halves.centre[k] >= np.cos(halves.radius[k]) - 1e-9)
        found[near] |= (points[near] @ halves.normals[halves.first[k] : halves.first[k + 1]].T >= 0).all(axis=1)
    return found.mean()


def test_the_share_of_a_map_counts_each_place_once(hub, archive):
    found = of(hub, archive)
    expected = monte_carlo(archive, lambda visits: visits.visit > 0)
    assert found["searched_prob"] == pytest.approx(expected, abs=0.015)
    assert 0.1 < found["searched_prob"] < 0.9
    assert found["searched_prob"] == pytest.approx(found["visits"][-1]["searched_prob"])
    shares = [one["searched_prob"] for one in found["visits"]]
    assert shares == sorted(shares)
    assert found["n_visits"] == 6


def test_only_detectors_that_reach_the_depth_count_and_only_by_the_time(hub, archive):
    deep = of(hub, archive, depth_ab=25.0)
    assert {one["band"] for one in deep["visits"]} == {"g"}
    expected = monte_carlo(archive, lambda visits: ab_mag(visits.depth_njy) >= 25.0)
    assert deep["searched_prob"] == pytest.approx(expected, abs=0.015)
    assert deep["n_too_shallow"] > 0
    assert of(hub, archive, depth_ab=30.0)["searched_prob"] == 0
    until = FIRST.plus_s(SPACING_S * 1.5)
    early = of(hub, archive, end=until)
    expected = monte_carlo(archive, lambda visits: visits.mid_tai_us <= until.tai_us)
    assert early["searched_prob"] == pytest.approx(expected, abs=0.015)
    assert of(hub, archive, end=T0.plus_s(60))["searched_prob"] == 0
    assert of(hub, archive, band="r")["searched_prob"] < of(hub, archive)["searched_prob"]


def test_programmes_share_what_was_searched(hub, archive):
    found = of(hub, archive)
    names = {(one["observation_reason"], one["target_name"]): one for one in found["programmes"]}
    assert set(names) == {("science", "lowdust"), ("too", "S170817a")}
    assert sum(one["gain"] for one in found["programmes"]) == pytest.approx(found["searched_prob"])
    assert [one["n_visits"] for one in names.values()] == [4, 2]


def test_a_detector_that_is_missing_is_named_and_a_dead_one_is_not(hub, archive):
    bodies, _ = page(hub, archive)
    by_visit = {one["visit"]: one for one in bodies.bodies}
    lost = by_visit[str(number(LOST[0]))]
    assert lost["missing"] == [LOST[1]]
    assert (lost["n_detectors"], lost["n_expected"], lost["expected_by"]) == (187, 188, "neighbours")
    assert all(one["missing"] == [] for name, one in by_visit.items() if one is not lost)
    assert all(DEAD not in one["missing"] for one in by_visit.values())
    assert of(hub, archive)["n_incomplete"] == 1
    only, _ = page(hub, archive, incomplete_only=True)
    assert only.bodies == [lost]
    assert lost["area_deg2"] == pytest.approx(9.43, abs=0.05)


def test_pages_of_visits_together_are_the_night(hub, archive):
    whole = page(hub, archive)[0].bodies
    assert [one["mid_at"] for one in whole] == sorted((one["mid_at"] for one in whole), reverse=True)
    collected, last = [], None
    while True:
        part, _ = page(hub, archive, limit=4, before=last)
        collected += part.bodies
        last = part.last
        if last is None:
            break
    assert collected == whole
    assert page(hub, archive, night=searched.night_named("2017-08-17"))[0].bodies == whole
    assert page(hub, archive, night=searched.night_named("2017-08-18"))[0].bodies == []
    assert night_name(NIGHT) == "2017-08-17" == whole[0]["night"]


def test_what_was_not_heard_is_said_with_the_answer(hub, archive):
    assert at(hub, archive)["remarks"] == []
    with hub.transaction() as session:
        gap = Incident(kind="gap", subject="t/0/5-9", text="offsets 5 to 9 of t/0 were lost")
        incidents.record(session, "rubin", gap, FIRST.plus_s(60))
        incidents.record(session, "else", gap, FIRST.plus_s(60))
    lost = at(hub, archive)
    assert lost["coverage"] == "partial"
    before, within = lost["remarks"]
    assert before.startswith("LSST is heard in full since 2017-08-18T00:1")
    assert within == "alerts were lost, so a visit may look unsearched: offsets 5 to 9 of t/0 were lost"
    assert lost["n_visits"] > 0


def test_before_the_first_alert_and_after_the_latest_visit_nothing_is_known(hub, archive):
    early, late = at(hub, archive, start=T0.plus_s(-86400)), at(hub, archive, end=LATER.plus_s(86400))
    assert [early["coverage"], late["coverage"]] == ["partial", "partial"]
    assert early["remarks"] == [
        "LSST is heard in full since 2017-08-17T12:41:04.400000Z: where it searched before that is not known"
    ]
    goes_on, after = late["remarks"]
    assert goes_on == (
        "partition 0 of lsst-alerts was read to 2017-08-18T00:14:09.400000Z only: whether that visit was over is not known"
    )
    assert after.startswith("LSST was heard in full until 2017-08-18T00:14:09.400000Z: where it searched after that is not known")
    (survey,) = late["surveys"]
    assert [part["reason"] for part in survey["unheard"]] == [goes_on, after]
    for start, end in ((T0.plus_s(-9e5), T0.plus_s(-86400)), (LATER.plus_s(86400), LATER.plus_s(172800))):
        beyond = at(hub, archive, start=start, end=end)
        assert (beyond["coverage"], beyond["last"]) == ("unknown", None)
        assert "not known" in beyond["reason"]
        assert of(hub, archive, start=start, end=end)["searched_prob"] is None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (lambda hub, archive: at(hub, archive, start=LATER, end=T0), "ends before it begins"),
        (lambda hub, archive: at(hub, archive, start=T0.plus_s(-1e9)), "longer than 400 days"),
        (lambda hub, archive: of(hub, archive, start=T0.plus_s(-1e7), end=LATER), "longer than 60 days"),
        (lambda hub, archive: of(hub, archive, "Fermi-524666471"), "has no localization"),
        (lambda *_: searched.night_named("tonight"), "a night is the date"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_a_sentence(hub, archive, question, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        question(hub, archive)


def test_an_event_that_is_not_there_is_not_found(hub, archive):
    with pytest.raises(NotFound):
        of(hub, archive, "S000000z")


def test_looking_after_the_archive_writes_the_ledger_of_full_streams_alone(store, tmp_path):
    history = night(tmp_path / "archive", 2, per_detector=4.0)
    path = visits_file.path_of(history.folder, NIGHT)
    path.unlink()
    moment = [FIRST.plus_s(60)]
    care = ArchiveCare(store, history, lambda: moment[0])
    care.step()
    assert not path.exists()
    hears(store)
    care.step()
    moment[0] = moment[0].plus_s(700)
    care.step()
    assert care.health().facts["visits"] == 2
    assert set(visits_file.read(history.folder, NIGHT).visit.tolist()) == {number(0), number(1)}
