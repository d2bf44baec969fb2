"""What the shipped table makes of notices by mission, kind and date, and that a table which cannot be is refused."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from hub.errors import ConfigError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice
from hub.model.sky import Asymmetric, Circle, Ellipse, LocalizationSource, Polygon, StatedPosition
from hub.resources import read_text
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D
from hub.science.localization import Treatment, localize
from hub.science.localization_table import load_localization_table
from hub.science.overlap import total_probability
from tests.support.words import T0, grb, notice

TEXT = read_text("conf/localizations.toml")
TABLE = load_localization_table(TEXT)
CHANGE = Instant.from_utc_iso("2019-09-11T13:28:39Z")
R90 = math.sqrt(-2.0 * math.log(0.1))
CIRCLE = StatedPosition(ra_deg=130.0, dec_deg=20.0, region=Circle(radius_deg=3.0), containment=0.68)


def gbm(kind: str | None, *, at: Instant | None = T0, position: StatedPosition = CIRCLE, **changes: object) -> Notice:
    return replace(grb(systematic_model=kind, position=position, **changes), issued_at=at)


def neutrino(position: StatedPosition, stream: str = "gcn.classic.voevent.ICECUBE_ASTROTRACK_GOLD") -> Notice:
    return notice(
        "IceCube-1-2",
        mission="IceCube",
        stream=stream,
        messenger=Messenger.NEUTRINO,
        event_class=EventClass.HIGH_ENERGY_NEUTRINO,
        position=position,
    )


@pytest.mark.parametrize(
    ("kind", "at", "core_deg"),
    [
        ("fermi-gbm-flight", T0, 7.52),
        ("fermi-gbm-ground", T0, 3.72),
        ("fermi-gbm-final", CHANGE.plus_s(-1e-6), 3.71),
        ("fermi-gbm-final", CHANGE, 1.8),
        ("fermi-gbm-final", T0, 1.8),
    ],
)
def test_the_model_follows_from_the_kind_of_position_and_the_date(kind: str, at: Instant, core_deg: float) -> None:
    treatment = TABLE.treatment_of(gbm(kind, at=at))
    assert treatment.model is not None
    assert treatment.model.core_deg == core_deg
    place = TABLE.place_of(gbm(kind, at=at))
    assert place is not None
    assert place.source is LocalizationSource.SYSTEMATIC
    assert treatment.model_name in place.remarks[-1]


@pytest.mark.parametrize(("word", "core_deg"), [("Long", 1.9), ("Short", 2.6), (None, 1.8)])
def test_the_class_of_the_burst_tells_newer_final_positions_apart(word: str | None, core_deg: float) -> None:
    properties = {} if word is None else {"long_short": word}
    model = TABLE.treatment_of(gbm("fermi-gbm-final", properties=properties)).model
    assert model is not None
    assert model.core_deg == core_deg
    old = TABLE.treatment_of(gbm("fermi-gbm-final", at=CHANGE.plus_s(-1.0), properties=properties))
    assert old.model_name == "fermi-gbm-final"


def test_the_time_of_issue_counts_before_that_of_the_event_and_without_any_the_oldest_model_stands() -> None:
    late = gbm("fermi-gbm-final", at=CHANGE.plus_s(60.0), t0=CHANGE.plus_s(-600.0))
    assert TABLE.treatment_of(late).model_name == "fermi-gbm-final-2019"
    by_event = gbm("fermi-gbm-final", at=None, t0=CHANGE.plus_s(-600.0))
    assert TABLE.treatment_of(by_event).model_name == "fermi-gbm-final"
    assert TABLE.treatment_of(gbm("fermi-gbm-final", at=None, t0=None)).model_name == "fermi-gbm-final"


@pytest.mark.parametrize("kind", ["fermi-gbm-flight", "fermi-gbm-ground", "fermi-gbm-final"])
def test_no_model_is_applied_where_the_notice_says_that_systematic_errors_are_in(kind: str) -> None:
    place = TABLE.place_of(gbm(kind, position=replace(CIRCLE, systematic_included=True)))
    plain = TABLE.localize(CIRCLE)
    assert place is not None
    assert plain is not None
    assert (place.localization_id, place.source) == (plain.localization_id, LocalizationSource.CIRCLE)
    other = TABLE.place_of(gbm(kind, position=replace(CIRCLE, systematic_included=False)))
    assert other is not None
    assert other.source is LocalizationSource.SYSTEMATIC


def test_a_notice_without_a_row_keeps_its_region_as_stated() -> None:
    for other in (gbm(None), gbm("fermi-gbm-ground", mission="Swift")):
        place = TABLE.place_of(other)
        assert place is not None
        assert (place.source, place.remarks) == (LocalizationSource.CIRCLE, ())
    assert TABLE.place_of(grb(position=None)) is None


@pytest.mark.parametrize(
    "stream",
    ["gcn.classic.voevent.ICECUBE_ASTROTRACK_BRONZE", "gcn.notices.icecube.gold_bronze_track_alerts"],
)
@pytest.mark.parametrize(("radius", "sigma"), [(0.1, 0.2), (0.42, 0.2), (0.9, 0.9 / R90)])
def test_statistical_errors_of_neutrino_tracks_are_no_smaller_than_the_floor(stream: str, radius: float, sigma: float) -> None:
    stated = StatedPosition(
        ra_deg=77.4, dec_deg=5.7, region=Circle(radius_deg=radius), containment=0.9, systematic_included=False
    )
    place = TABLE.place_of(neutrino(stated, stream))
    assert place is not None
    assert place.summary.area90_deg2 == pytest.approx(math.pi * (sigma * R90) ** 2, rel=0.03)
    assert any("widened" in remark for remark in place.remarks) == (radius < 0.2 * R90)
    with_systematics = TABLE.place_of(neutrino(replace(stated, systematic_included=True), stream))
    assert with_systematics is not None
    assert with_systematics.summary.area90_deg2 == pytest.approx(math.pi * radius**2, rel=0.03)


def test_a_cascade_keeps_its_radius() -> None:
    stated = StatedPosition(ra_deg=77.4, dec_deg=5.7, region=Circle(radius_deg=0.1), containment=0.9)
    place = TABLE.place_of(neutrino(stated, "gcn.classic.voevent.ICECUBE_CASCADE"))
    assert place is not None
    assert place.summary.area90_deg2 == pytest.approx(math.pi * 0.01, rel=0.03)


@pytest.mark.parametrize(
    ("region", "area_deg2"),
    [
        (Ellipse(semi_major_deg=4.0, semi_minor_deg=0.5, position_angle_deg=30.0), math.pi * 8.0 * 2.0),
        (Asymmetric(ra_plus_deg=4.0, ra_minus_deg=2.0, dec_plus_deg=0.5, dec_minus_deg=0.5), math.pi * 6.0 * 2.0),
    ],
)
def test_scale_and_floor_hold_for_each_side_of_longer_regions(region: Ellipse | Asymmetric, area_deg2: float) -> None:
    stated = StatedPosition(ra_deg=130.0, dec_deg=0.0, region=region, containment=0.9)
    place = localize(stated, Treatment(scale=2.0, least_sigma_deg=2.0 / R90))
    assert place is not None
    assert Levels2D.of(place.skymap).area_of_level(0.9) == pytest.approx(area_deg2, rel=0.03)
    assert "multiplied by 2" in place.remarks[0]


def test_a_polygon_has_no_scale() -> None:
    stated = StatedPosition(
        ra_deg=10.0, dec_deg=10.0, region=Polygon(corners=((9.0, 9.0), (11.0, 9.0), (10.0, 11.0))), containment=0.9
    )
    plain, scaled = localize(stated), localize(stated, Treatment(scale=2.0, least_sigma_deg=1.0))
    assert plain is not None
    assert scaled is not None
    assert plain.localization_id == scaled.localization_id


@pytest.mark.recorded
def test_the_asymmetric_errors_of_a_recorded_neutrino_make_a_map_of_two_pieces(recorded: Path) -> None:
    truth = yaml.safe_load((recorded / "truth.yaml").read_text(encoding="utf-8"))
    rows = truth if isinstance(truth, list) else next(value for value in truth.values() if isinstance(value, list))
    row = next(row for row in rows if row["name"].startswith("IceCube-191001A"))
    (ra, ra_plus, ra_minus), (dec, dec_plus, dec_minus) = row["neutrino"]["ra_deg"], row["neutrino"]["dec_deg"]
    assert (ra_plus, ra_minus) == (6.56, -2.26)
    narrowing = math.cos(math.radians(dec))  # the circular states right ascensions, a region degrees of arc
    stated = StatedPosition(
        ra_deg=ra,
        dec_deg=dec,
        containment=row["neutrino"]["containment"],
        region=Asymmetric(
            ra_plus_deg=ra_plus * narrowing, ra_minus_deg=-ra_minus * narrowing, dec_plus_deg=dec_plus, dec_minus_deg=-dec_minus
        ),
    )
    place = TABLE.place_of(neutrino(stated))
    assert place is not None
    assert place.source is LocalizationSource.ASYMMETRIC
    assert total_probability(place.skymap) == pytest.approx(1.0, abs=1e-9)
    sides = Levels2D.of(place.skymap).lookup(pixels29([ra + ra_plus, ra + ra_minus, ra - ra_plus], [dec] * 3)).searched_prob
    np.testing.assert_allclose(sides[:2], 0.9, atol=0.03)
    assert sides[2] > 0.999
    em = Levels2D.of(place.skymap).lookup(pixels29([row["em"]["ra_deg"]], [row["em"]["dec_deg"]])).searched_prob[0]
    # AT2019dsg lies 1.264 deg north, where the 90 % error is 1.5 deg: 1 - 0.1^((1.264 / 1.5)^2), its small offset east aside.
    assert em == pytest.approx(1.0 - 0.1 ** ((1.264 / 1.5) ** 2), abs=0.03)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version = 1", "version = 1\nextra = 2", "unknown key 'extra'"),
        ('model = "fermi-gbm-ground"', 'model = "fermi-gbm-guess"', "no systematic model 'fermi-gbm-guess'"),
        ("core_weight = 0.897", "core_weight = 1.2", "core_weight = 1.2"),
        ("core_deg = 7.52", "core_deg = 60", "narrower than the core"),
        ("least_sigma_deg = 0.2", 'least_sigma_deg = "wide"', "least_sigma_deg is no number"),
        ("least_sigma_deg = 0.2", 'prefer = "both"', "prefer is"),
        ("least_sigma_deg = 0.2", "since = 2019-09-11", "since is a date and time"),
        ("least_sigma_deg = 0.2", "since = 2020-01-01T00:00:00Z\nuntil = 2019-01-01T00:00:00Z", "since is before until"),
        ('kinds = ["fermi-gbm-flight"]', 'kinds = "fermi-gbm-flight"', "kinds is a list"),
        ("containment = 0.683", "", "'containment' is missing"),
        ('mission = "IceCube"\n', "", "'mission' is missing"),
        ("[default]", "[default", "conf/localizations.toml"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_its_place(old: str, new: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=r"conf/localizations\.toml") as refused:
        load_localization_table(TEXT.replace(old, new))
    assert words in str(refused.value)


def test_nothing_is_added_where_a_row_says_that_systematic_errors_are_in() -> None:
    row = '[[notice]]\nname = "odd"\nmission = "X"\nsystematic_included = true\nscale = 2.0\n'
    with pytest.raises(ConfigError, match="nothing is added"):
        load_localization_table(TEXT + row)


def test_a_row_can_say_that_a_silent_notice_holds_systematic_errors() -> None:
    row = '\n[[notice]]\nname = "odd"\nmission = "Odd"\nsystematic_included = true\ncontainment = 0.9\n'
    table = load_localization_table(TEXT + row)
    place = table.place_of(grb(mission="Odd", position=replace(CIRCLE, containment=None)))
    plain = table.localize(replace(CIRCLE, containment=0.9))
    assert place is not None
    assert plain is not None
    assert place.localization_id == plain.localization_id
    assert json.dumps(place.remarks) == '["The notice states no containment; 90.0% is assumed."]'


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (90.0, "a containment of 90, which is no probability between 0 and 1, and a percentage is not taken for one; "),
        (0.0, "a containment of 0, which is no probability between 0 and 1; "),
        (-1.0, "a containment of -1, which is no probability between 0 and 1; "),
    ],
)
def test_a_containment_that_is_no_probability_is_told_and_not_taken(stated: float, words: str) -> None:
    table = load_localization_table(TEXT)
    odd = table.localize(replace(CIRCLE, containment=stated))
    plain = table.localize(replace(CIRCLE, containment=None))
    assert odd is not None
    assert plain is not None
    assert odd.localization_id == plain.localization_id
    assert odd.remarks[0].startswith(f"The notice states {words}")
    of_notice = table.place_of(grb(position=replace(CIRCLE, containment=None), properties={"odd_containment": stated}))
    assert of_notice is not None
    assert of_notice.remarks[0].startswith(f"The notice states {words}")


def test_a_row_can_prefer_the_stated_region_to_the_map_beside_it() -> None:
    row = '\n[[notice]]\nname = "odd"\nmission = "Odd"\nprefer = "position"\n'
    table = load_localization_table(TEXT + row)
    assert table.prefers_position(grb(mission="Odd", position=CIRCLE))
    assert not table.prefers_position(gbm("fermi-gbm-final"))
