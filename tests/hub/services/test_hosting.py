"""Candidates know what the catalogues say of their places, and rank by the distances of their hosts."""

import math
import tomllib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.catalogs.recipes import recipes
from hub.catalogs.searching import Catalogs
from hub.catalogs.writing import add
from hub.model.alert import concatenate
from hub.model.coincidence import Candidate, PairState
from hub.resources import read_text
from hub.science.arithmetic import explained
from hub.science.host_rules import load_host_rules
from hub.science.ranking_priors import parse as parse_priors
from hub.services import queries
from hub.services.catalogued import Catalogued
from hub.services.hosting import Hosting
from hub.services.maps import MapCache
from hub.storage import candidates, localizations
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.skymaps import gaussian_map, with_distance
from tests.support.words import alerts, localization, notice

RULES = load_host_rules(read_text("conf/hosts.toml"))

SIGMA_DEG = (28.0 / np.pi) ** 0.5 / 2.146
"""Of a map whose 90 % area is 28 square degrees, as that of GW170817."""

HERE = localization(
    with_distance(gaussian_map(197.9, -23.0, SIGMA_DEG), 40.0, 11.0), area90_deg2=28.0, dist_mean_mpc=40.0, dist_std_mpc=11.0
)
NGC_4993 = (197.44875, -23.38389)
AT2017GFO = (197.45037, -23.38148)
"""10.3 arcseconds away."""

GALAXIES = """id,kind,ra,dec,z,mag_b
NGC 4993,galaxy,197.44875,-23.38389,0.0098,13.3
far one,galaxy,198.5,-22.5,0.08,16.0
V* star,variable,197.0,-22.8,,
QSO,agn,198.2,-23.6,1.2,
BL Lac,blazar,197.6,-22.6,0.3,
"""
PLACES = {
    b"gfo": AT2017GFO,
    b"wrong": (198.5003, -22.5003),
    b"star": (197.0, -22.8),
    b"lone": (197.2, -23.6),
    b"qso": (198.2, -23.6),
    b"bll": (197.6, -22.6),
}


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    source = tmp_path / "galaxies.csv"
    source.write_text(GALAXIES)
    recipe = replace(recipes()["generic"], completeness=recipes()["glade+"].completeness)
    add(source, recipe, tmp_path / "catalogs", "near")
    return knowing(Desk(store), Catalogs(tmp_path / "catalogs"))


def knowing(desk: Desk, catalogs: Catalogs) -> Desk:
    facts = Hosting(Catalogued(catalogs, RULES), RULES, MapCache())
    desk.correlation._candidacy = replace(desk.correlation._candidacy, facts=facts)
    return desk


def night(*names: bytes) -> list[dict[str, object]]:
    return [
        {
            "object_id": name,
            "ra": PLACES[name][0],
            "dec": PLACES[name][1],
            "reliability": 0.95,
            "days": 0.4 + 0.6 * day,
            "flux_njy": 100_000.0 * 0.6**day,
        }
        for name in names
        for day in range(3)
    ]


def found(desk: Desk) -> dict[str, Candidate]:
    with desk.store.reading() as session:
        return {one.object_id: one for one in candidates.search(session, limit=None) if one.hypothesis == "kilonova"}


def score(one: Candidate, name: str) -> float | None:
    return next(each.value for each in one.scores if each.statistic == name)


def test_the_host_of_gw170817_lifts_its_counterpart(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(*PLACES)))
    said = found(desk)
    assert set(said) == {name.decode() for name in PLACES}
    assert max(said.values(), key=lambda one: one.score).object_id == "gfo"
    values = {name: score(one, "distance_3d") for name, one in said.items()}
    assert values["gfo"] == RULES.range[1]
    assert values["wrong"] == pytest.approx(math.log(0.1), abs=0.01)  # the least that its host is in no catalogue
    assert values["star"] == values["lone"] == values["qso"] == 0.0
    low = ("low ecliptic latitude",)
    assert said["gfo"].flags == (*low, "host found")
    assert said["star"].flags == (*low, "in variable catalogue")
    assert said["qso"].flags == (*low, "in agn catalogue", "nuclear")
    assert said["bll"].flags == (*low, "in agn catalogue", "in blazar catalogue", "nuclear")
    assert said["wrong"].flags == (*low, "host found")
    assert said["lone"].flags == low
    assert any("host NGC 4993 at 44 Mpc" in reason for reason in said["gfo"].reasons)


def test_an_entry_of_a_variable_or_a_nucleus_speaks_against_a_kilonova_and_none_says_nothing(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(*PLACES)))
    said = {name: [each for each in one.scores if each.statistic == "known_source"] for name, one in found(desk).items()}
    assert {name for name, scores in said.items() if scores} == {"star", "qso", "bll"}
    priors = parse_priors(tomllib.loads(read_text("conf/coincidence.toml"))["ranking"]).known_source
    for name, kind in (("star", "variable"), ("qso", "agn"), ("bll", "agn")):
        ((of_counterparts, of_unrelated),) = said[name][0].inputs["entries"].values()
        assert list(said[name][0].inputs["entries"]) == [kind]
        assert (of_counterparts, of_unrelated) == priors.shares[kind]
        assert said[name][0].value == pytest.approx(math.log(of_counterparts / of_unrelated), abs=1e-8)
    plain = found(desk)["lone"]
    reasons = found(desk)["star"].reasons
    assert any(reason.startswith("known_source -") and "a catalogue of variables" in reason for reason in reasons)
    assert not any(reason.startswith("known_source") for reason in plain.reasons)


def test_the_3d_level_is_told_with_its_range(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(b"gfo", b"wrong", b"lone")))
    said = found(desk)
    (level,) = (one for one in said["gfo"].scores if one.statistic == "level_3d")
    assert 0.0 < level.inputs["least"] <= level.value <= level.inputs["largest"] < 0.9
    assert level.inputs["distance_5_mpc"] < level.inputs["distance_mpc"] < level.inputs["distance_95_mpc"]
    assert score(said["wrong"], "level_3d") > 0.999
    assert score(said["lone"], "level_3d") is None


BLACK_HOLES = {"BBH": 0.97, "BNS": 0.0, "NSBH": 0.0, "Terrestrial": 0.03}
"""A merger of black holes, whose only hypothesis is a flare of the disc that it happened in."""


def nucleus(fluxes: dict[float, float]) -> list[dict[str, object]]:
    ra, dec = PLACES[b"qso"]
    rows = {"object_id": b"qso", "ra": ra, "dec": dec, "reliability": 0.95, "flux_err_njy": 100.0}
    return [{**rows, "days": days, "flux_njy": flux, "source_id": 10_000 + int(days)} for days, flux in fluxes.items()]


QUIET = {-300.0 + 10.0 * step: 9_000.0 + 500.0 * (step % 3) for step in range(28)}
FLARE = {30.0: 20_000.0, 35.0: 26_000.0, 40.0: 21_000.0}


def flare(desk: Desk, *batches: dict[float, float]) -> Candidate:
    """Return the candidate that a nucleus is, by alerts before the merger and after it."""
    for fluxes in batches:
        desk.show(alerts(*nucleus(fluxes)))
    desk.tell(notice(far_hz=3e-9, classification=BLACK_HOLES), HERE)
    with desk.store.reading() as session:
        (one,) = candidates.search(session, limit=None)
    assert one.hypothesis == "agn-flare"
    return one


def test_a_nucleus_that_rises_above_its_own_past_is_the_flare_of_a_merger_of_black_holes(desk: Desk) -> None:
    one = flare(desk, QUIET, FLARE)
    assert (one.state, one.confirmed) == (PairState.OPEN, True)
    assert "in agn catalogue" in one.flags
    assert score(one, "activity") == 4.0
    assert any("from 28 earlier detections" in reason for reason in one.reasons)


def test_a_nucleus_as_it_always_was_is_held_against_it(desk: Desk) -> None:
    one = flare(desk, QUIET, {30.0: 9_100.0, 35.0: 9_300.0})
    assert one.state is PairState.OPEN
    assert score(one, "activity") < 0.0


def test_a_nucleus_without_past_detections_is_a_candidate_and_its_activity_is_neutral_with_the_reason(desk: Desk) -> None:
    one = flare(desk, FLARE)
    assert (one.state, one.confirmed) == (PairState.OPEN, True)
    (activity,) = (each for each in one.scores if each.statistic == "activity")
    assert activity.value is None
    assert any("fewer than 2 detections of the past: its variability is not known" in reason for reason in one.reasons)


def test_all_of_it_is_computed_again_from_what_is_stored(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(*PLACES)))
    n_explained = n_known = 0
    for pair in desk.pairs():
        with desk.store.reading() as session:
            maps = {name: localizations.get(session, name).skymap for name in pair.localization_ids}
            again, lines = queries.explained_coincidence(session, pair.coincidence_id)
        assert again == pair
        assert not [line.score.statistic for line in lines if line.agrees is False]
        agreed = {line.score.statistic for line in explained(pair, maps) if line.agrees}
        assert {"rank", "distance_3d"} <= agreed
        n_known += "known_source" in agreed
        n_explained += "level_3d" in agreed
    assert n_explained > 0
    assert n_known == 3


def test_nothing_changes_where_no_catalogue_is(store: Store, tmp_path: Path) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(*PLACES)))
    before = found(desk)
    knowing(desk, Catalogs(tmp_path / "nowhere")).correlation.on_event("S260301a")
    assert found(desk) == before
    assert all("distance_3d" not in {each.statistic for each in one.scores} for one in before.values())


def test_a_map_without_distances_says_nothing_of_them(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), localization(gaussian_map(197.9, -23.0, SIGMA_DEG), area90_deg2=28.0))
    desk.show(alerts(*night(b"gfo")))
    one = found(desk)["gfo"]
    assert one.flags == ("low ecliptic latitude", "host found")
    (silent,) = (each for each in one.scores if each.statistic == "distance_3d")
    assert silent.value is None
    assert silent.inputs["reason"] == "the event's map gives no distance there"
    assert [host["name"] for host in silent.inputs["hosts"]] == ["NGC 4993"]
    assert not any(reason.startswith("distance_3d") for reason in one.reasons)


def test_hosts_and_flags_are_in_the_body(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*night(b"gfo", b"lone")))
    with desk.store.reading() as session:
        page = queries.candidate_page(session, event_name="S260301a", hypothesis="kilonova", limit=10)
    hosts = {body["object_id"]: [host["name"] for host in body["hosts"]] for body in page.bodies}
    assert hosts == {"gfo": ["NGC 4993"], "lone": []}


@pytest.mark.parametrize("arrive", [lambda rows: rows[::-1], lambda rows: rows[3:] + rows[:3]])
def test_the_order_and_the_batches_do_not_matter(desk: Desk, tmp_path: Path, arrive: Callable[[list], list]) -> None:
    rows = night(*PLACES)
    desk.tell(notice(far_hz=3e-9), HERE)
    batch = alerts(*rows)
    desk.show(batch)
    (tmp_path / "other").mkdir()  # with an archive of its own
    url = f"sqlite:///{tmp_path}/other/hub.db"
    upgrade(url)
    with closing(open_store(url)) as store:
        other = knowing(Desk(store), Catalogs(tmp_path / "catalogs"))
        _show_in_parts(other, arrive([batch.take(np.array([row])) for row in range(len(batch))]))
        assert found(other) == found(desk)


def _show_in_parts(desk: Desk, parts: list) -> None:
    for start in range(0, len(parts), 4):
        desk.show(concatenate(parts[start : start + 4]))
    desk.tell(notice(far_hz=3e-9), HERE)
