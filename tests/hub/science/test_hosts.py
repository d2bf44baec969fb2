"""What hosts say: NGC 4993, a wrong one, none, and what is far away or of unknown distance."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units
from astropy.cosmology import FlatLambdaCDM

from hub.errors import ConfigError
from hub.model.catalog import Completeness, Entries
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.resources import read_text
from hub.science.alignment import chance_of, galactic_latitude_deg
from hub.science.arithmetic import explained
from hub.science.host_rules import load_host_rules
from hub.science.hosts import Completenesses, Host, LineOfSight, best_distances_mpc, mean_completeness, redshifts, weights_of
from hub.science.ranking import distance
from tests.support.words import T0

TEXT = read_text("conf/hosts.toml")
RULES = load_host_rules(TEXT)


def line_of(mu: float, sigma: float) -> LineOfSight:
    r = np.linspace(1e-3, max(mu, 0.0) + 12 * sigma, 400_001)
    norm = np.trapezoid(r**2 * np.exp(-0.5 * ((r - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)), r)
    return LineOfSight(distmu=mu, distsigma=sigma, distnorm=1.0 / norm)


NEAR = line_of(40.0, 10.0)
"""About the distance of GW170817."""

OPEN = Coincidence(
    coincidence_id="0" * 20,
    kind="gw-optical",
    hypothesis="kilonova",
    members=(Member(kind=MemberKind.EVENT, id="S1"), Member(kind=MemberKind.OBJECT, id="LSST:1")),
    state=PairState.OPEN,
    version=1,
    scores=(),
    reasons=(),
    localization_ids=(),
    is_live=True,
    t0=T0,
    created_at=T0,
)


def host(z: float | None, z_err: float = 0.001, chance: float = 2e-4, kind: str = "spectroscopic") -> Host:
    far = None if z is None else float(RULES.cosmology.distance_mpc(np.array(z)))
    return Host(
        name="NGC 4993",
        catalogue="glade+",
        separation_arcsec=10.3,
        mag_r=12.2,
        chance=chance,
        redshift=z,
        redshift_err=None if z is None else z_err,
        distance_mpc=far,
        distance_kind=kind if z is not None else "none",
    )


def value(*hosts: Host, line: LineOfSight = NEAR, completeness: float = 0.95) -> float:
    return distance.of_hosts(hosts, line, completeness, RULES).value


def entries(**columns: object) -> Entries:
    nothing = {name: [np.nan] for name in ("redshift", "redshift_err", "distance_mpc", "distance_err_mpc")}
    shape = {name: [np.nan] for name in ("semi_major_arcsec", "semi_minor_arcsec", "position_angle_deg", "reach_arcsec")}
    base = {"name": ["g"], "kind": ["galaxy"], "ra_deg": [197.45], "dec_deg": [-23.38], "distance_kind": ["spectroscopic"]}
    values = base | nothing | shape | {"mags": [[np.nan] * 6]} | columns
    texts = {"name", "kind", "distance_kind"}
    return Entries(**{name: np.array(one, dtype=object if name in texts else float) for name, one in values.items()})


def test_distances_are_those_of_astropy() -> None:
    reference = FlatLambdaCDM(67.66, 0.3111, Tcmb0=0 * units.K)
    z = np.array([0.001, 0.0098, 0.1, 1.0, 3.0])
    ours = RULES.cosmology.distance_mpc(z)
    np.testing.assert_allclose(ours, reference.luminosity_distance(z).value, rtol=3e-6)
    np.testing.assert_allclose(RULES.cosmology.redshift(ours), z, rtol=3e-5)
    grid = np.linspace(0, 0.6, 20_001)
    volume = reference.differential_comoving_volume(grid).value / (1 + grid)
    expected = volume / np.trapezoid(volume, grid)
    np.testing.assert_allclose(RULES.cosmology.rate_density(grid[1:], 0.6), expected[1:], rtol=2e-3)


def test_the_host_of_gw170817_speaks_for_it() -> None:
    term = distance.of_hosts([host(0.0098)], NEAR, 0.95, RULES)
    assert term.value == RULES.range[1]
    assert "NGC 4993 at 44 Mpc (spectroscopic), 10.3 arcsec away" in term.reason
    assert term.value == distance.value_of(term.inputs)


def test_no_host_says_nothing_exactly() -> None:
    term = distance.of_hosts([], NEAR, None, RULES)
    assert term.value == 0.0
    assert distance.value_of(term.inputs) == 0.0


def test_a_host_at_another_distance_speaks_against_it_and_never_without_end() -> None:
    assert value(host(0.07)) == pytest.approx(np.log(0.1), abs=3e-3)  # the least that is in no catalogue
    assert value(host(0.07, chance=0.2)) == pytest.approx(np.log(0.1 + 0.9 * 0.2), abs=1e-3)


def test_the_less_a_catalogue_holds_the_less_a_wrong_host_says() -> None:
    wrong = host(0.07, chance=0.1)
    values = [value(wrong, completeness=one) for one in (0.9, 0.5, 0.1, 0.0)]
    assert values == sorted(values)
    assert values[-1] == 0.0


@pytest.mark.parametrize("completeness", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("chance", [1e-4, 0.01, 0.3])
def test_that_the_host_is_in_no_catalogue_weighs_what_the_catalogues_miss_whatever_lies_near(
    completeness: float, chance: float
) -> None:
    term = distance.of_hosts([host(0.3, chance=chance), host(0.2, chance=chance)], NEAR, completeness, RULES)
    *_, by_chance, unseen = weights_of(term.inputs)
    assert unseen == pytest.approx(1.0 - completeness)
    assert by_chance >= 0.0
    assert np.sum(weights_of(term.inputs)) == pytest.approx(1.0)
    assert np.log(unseen) <= term.value <= 0.0


def test_a_host_of_unknown_distance_is_neutral() -> None:
    assert value(host(None)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("z", [0.55, 0.599, 0.6, 0.601, 0.9, 1.5, 3.9])
@pytest.mark.parametrize("err", [0.001, 0.05])
def test_a_known_far_host_speaks_against_a_near_event_on_both_sides_of_the_priors_limit(z: float, err: float) -> None:
    assert value(host(z, err)) == pytest.approx(value(host(0.3, 0.001)), abs=1e-6)
    assert value(host(z, err)) < -2.0


def test_a_far_host_speaks_for_a_far_event_and_nothing_jumps_at_the_priors_limit() -> None:
    far = line_of(4500.0, 300.0)
    below, above = value(host(0.5999), line=far), value(host(0.6001), line=far)
    assert below == pytest.approx(above, abs=0.01)
    assert value(host(0.72), line=far) > 0.0 > value(host(2.5), line=far)


def test_a_term_that_was_stored_by_the_first_version_is_computed_again_as_it_was() -> None:
    now = distance.of_hosts([host(0.3, chance=0.01)], NEAR, 0.1, RULES)
    then = {**now.inputs, "least_seen": 0.05}
    assert distance.value_of_version_1(then) == pytest.approx(np.log(0.9 / (0.1 * 99.0 + 0.9)))
    assert distance.value_of_version_1({**then, "hosts": distance.listed([host(0.9, chance=0.01)])}) == pytest.approx(0.0)
    assert distance.value_of(then) == now.value
    stored = [
        Score(statistic=distance.NAME, version=1, value=round(distance.value_of_version_1(then), 9), unit="1", inputs=then),
        Score(statistic=distance.NAME, version=distance.VERSION, value=round(now.value, 9), unit="1", inputs=now.inputs),
    ]
    assert stored[0].value != stored[1].value
    for one in stored:
        (said,) = explained(replace(OPEN, scores=(one,)), {})
        assert said.agrees


def test_a_photometric_redshift_says_less_than_a_measured_one() -> None:
    far = line_of(400.0, 80.0)
    z = float(RULES.cosmology.redshift(np.array(400.0)))
    measured, photometric = value(host(z), line=far), value(host(z, 0.035), line=far)
    assert 0.0 < photometric < measured
    assert abs(value(host(0.3, 0.04), line=far)) > abs(value(host(0.15, 0.04), line=far))


def test_the_integral_is_that_of_samples() -> None:
    far = line_of(400.0, 80.0)
    rng = np.random.default_rng(3)
    r = rng.normal(400.0, 80.0, 2_000_000)
    r = r[r > 0]
    weight = r**2  # the map's density is r^2 N
    z = RULES.cosmology.redshift(r)
    own = np.exp(-0.5 * ((z - 0.1) / 0.03) ** 2)
    above = np.average(own, weights=weight)
    grid = np.linspace(1e-6, RULES.prior_z_max, 400_001)
    prior = RULES.cosmology.rate_density(grid, RULES.prior_z_max) * np.exp(-0.5 * ((grid - 0.1) / 0.03) ** 2)
    ratio = above / np.trapezoid(prior, grid)
    term = distance.of_hosts([host(0.1, 0.03, chance=0.01)], far, 0.5, RULES)
    assert term.value == pytest.approx(np.log(0.5 * 0.99 * ratio + 0.5 * 0.01 + 0.5), abs=3e-3)


def test_errors_hold_the_motion_of_galaxies_and_the_kind_of_the_redshift() -> None:
    z, err = redshifts(entries(redshift=[0.0098]), RULES)
    assert z[0] == 0.0098
    assert err[0] == pytest.approx(300 / 299_792.458 * 1.0098)
    z, err = redshifts(entries(redshift=[0.1], distance_kind=["photometric"]), RULES)
    assert err[0] == pytest.approx(np.hypot(0.033 * 1.1, 1.1e-3), rel=1e-2)
    z, err = redshifts(entries(distance_mpc=[41.0], distance_err_mpc=[3.0], distance_kind=["redshift-independent"]), RULES)
    assert float(RULES.cosmology.distance_mpc(z)[0]) == pytest.approx(41.0, rel=1e-5)
    assert err[0] == pytest.approx(np.hypot(z[0] * 3 / 41, 1.0e-3), rel=1e-2)
    z, err = redshifts(entries(redshift=[0.1], distance_kind=["none"]), RULES)
    assert np.isnan(z[0])
    assert np.isnan(err[0])


def test_the_chance_grows_with_offset_and_faintness_and_follows_the_shape() -> None:
    def chance(apart: float, *, ra: float = 197.45, dec: float = -23.38, **columns: object) -> float:
        one = entries(**columns)
        return float(chance_of(np.array([ra]), np.array([dec]), np.array([apart]), one, RULES)[0])

    bright, faint = [[np.nan, np.nan, 12.2, *[np.nan] * 3]], [[np.nan, np.nan, 21.0, *[np.nan] * 3]]
    assert chance(10.3, mags=bright) < 1e-3 < chance(60.0, mags=bright) * 10
    assert chance(10.3, mags=faint) > chance(10.3, mags=bright)
    # Bloom et al.: 10^(0.334 (21 - 22.963) + 4.32) / (3600^2 0.334 ln 10) per square arcsecond.
    sigma = 10 ** (0.334 * (21.0 - 22.963) + 4.32) / (3600**2 * 0.334 * np.log(10))
    assert chance(3.0, mags=faint) == pytest.approx(1 - np.exp(-np.pi * sigma * (9.0 + 4 * 1.5**2)))
    shape = {"mags": faint, "semi_major_arcsec": [10.0], "semi_minor_arcsec": [5.0], "position_angle_deg": [0.0]}
    along = chance(8.0, dec=-23.38 + 8 / 3600, **shape)
    across = chance(8.0, ra=197.45 + 8 / 3600 / np.cos(np.radians(23.38)), **shape)
    assert along < across
    turned = shape | {"position_angle_deg": [90.0]}
    assert chance(8.0, dec=-23.38 + 8 / 3600, **turned) == pytest.approx(across, rel=1e-3)


COMPLETE = Completeness(
    distance_mpc=(0.0, 100.0, 200.0), fraction=(1.0, 1.0, 0.0), latitude_deg=(5.0, 15.0), latitude_factor=(0.0, 1.0), source=""
)


def test_completeness_falls_with_distance_and_towards_the_plane() -> None:
    assert mean_completeness(NEAR, Completenesses([COMPLETE], 60.0, RULES)) == pytest.approx(1.0, abs=1e-6)
    assert mean_completeness(NEAR, Completenesses([COMPLETE], -10.0, RULES)) == pytest.approx(0.5, abs=1e-6)
    assert mean_completeness(NEAR, Completenesses([COMPLETE], 0.0, RULES)) == 0.0
    assert 0.3 < mean_completeness(line_of(150.0, 10.0), Completenesses([COMPLETE], 60.0, RULES)) < 0.6
    assert mean_completeness(NEAR, Completenesses([None], 60.0, RULES)) == RULES.unknown_completeness
    assert mean_completeness(NEAR, Completenesses([], 60.0, RULES)) == 0.0


def test_the_best_distance_has_its_range() -> None:
    term = distance.of_hosts([host(0.0098, chance=0.1), host(0.2, chance=0.01)], NEAR, 0.9, RULES)
    found = best_distances_mpc(term.inputs)
    assert found is not None
    at, points = found
    assert at == pytest.approx(
        float(RULES.cosmology.distance_mpc(np.array(0.2))), rel=1e-2
    )  # of the most likely one by its place
    assert points[0] < at < points[-1]
    width = float(RULES.cosmology.distance_mpc(np.array(0.2 + 1.645e-3))) - at
    assert points[-1] - at == pytest.approx(width, rel=0.1)
    assert best_distances_mpc(distance.of_hosts([host(None)], NEAR, 0.9, RULES).inputs) is None


def test_galactic_latitudes_are_those_of_astropy() -> None:
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 100), rng.uniform(-90, 90, 100)
    expected = SkyCoord(ra, dec, unit="deg").galactic.b.deg
    np.testing.assert_allclose(galactic_latitude_deg(ra, dec), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("old", "new"), [("max_chance = 0.3", "max_chance = 2.0"), ("slope = 0.334\n", ""), ("[flags]", "[flag")]
)
def test_wrong_rules_are_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError):
        load_host_rules(TEXT.replace(old, new))


def test_the_order_of_hosts_does_not_matter() -> None:
    one, other = host(0.0098, chance=0.01), replace(host(0.05, chance=0.03), name="other")
    assert value(one, other) == pytest.approx(value(other, one), abs=1e-12)
