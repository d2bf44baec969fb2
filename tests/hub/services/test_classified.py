"""Classes that others state promote or demote candidates, whenever they come."""

from dataclasses import replace

import pytest

from hub.catalogs.searching import Catalogs
from hub.errors import ConfigError
from hub.model.alert import ObjectStatement
from hub.model.annotation import ReportedObject
from hub.model.coincidence import Candidate, PairState
from hub.resources import read_text
from hub.science.class_rules import load_class_rules
from hub.science.host_rules import load_host_rules
from hub.science.ranking.classification import StatedClass, of_classes, value_of
from hub.services import annotations, queries
from hub.services.catalogued import Catalogued
from hub.services.hosting import Hosting
from hub.services.known_facts import KnownFacts
from hub.services.maps import MapCache
from hub.storage import candidates
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, localization, notice

TEXT = read_text("conf/classes.toml")
RULES = load_class_rules(TEXT)
HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NIGHTS = [{"object_id": b"1", "reliability": 0.95, "days": 0.4 + 0.6 * day, "flux_njy": 100_000.0 * 0.6**day} for day in range(3)]


@pytest.fixture
def desk(store: Store, tmp_path) -> Desk:
    made = Desk(store)
    rules = load_host_rules(read_text("conf/hosts.toml"))
    hosting = Hosting(Catalogued(Catalogs(tmp_path / "catalogs"), rules), rules, MapCache())
    facts = KnownFacts(hosting=hosting, classes=RULES)
    made.correlation._candidacy = replace(made.correlation._candidacy, facts=facts)
    return made


def tns(classification: str | None, version: str = "1", **changes) -> ReportedObject:
    values = {
        "registry": "TNS",
        "name": "2026abc",
        "prefix": "SN" if classification else "AT",
        "ra_deg": 130.0,
        "dec_deg": 20.0 + 1.0 / 3600,
        "classification": classification,
        "modified_at": T0.plus_s(86_400.0 * int(version)),
        "version": version,
    }
    return ReportedObject(**(values | changes))


def broker(name: str, probability: float | None = None, number: int = 1, source: str = "fink") -> ObjectStatement:
    return ObjectStatement(
        survey="LSST",
        object_id="1",
        source_id=number,
        mid_tai_us=T0.plus_s(86_400.0 + number).tai_us,
        ra_deg=130.0,
        dec_deg=20.0,
        kind="classification",
        value={"class": name} | ({} if probability is None else {"probability": probability}),
        source=source,
        version="1",
    )


def say(desk: Desk, *reports: ReportedObject) -> None:
    annotations.record_reports(desk.store, reports, T0.plus_s(1000.0))
    desk.correlation.run_jobs()


def tell_of(desk: Desk, *statements: ObjectStatement) -> None:
    with desk.store.transaction() as session:
        annotations.record(session, annotations.of_alerts(statements, T0.plus_s(1000.0)))
    desk.correlation.run_jobs()


def kilonova(desk: Desk) -> Candidate:
    with desk.store.reading() as session:
        (found,) = candidates.search(session, hypothesis="kilonova", limit=None)
        return found


def value(one: Candidate) -> float | None:
    return next((each.value for each in one.scores if each.statistic == "classification"), None)


def test_a_spectrum_that_comes_later_withdraws_and_its_retraction_brings_back(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    before = kilonova(desk)
    assert value(before) is None
    say(desk, tns("SN Ia"))
    after = kilonova(desk)
    assert value(after) == -7.0
    assert after.score == pytest.approx(before.score - 7.0)
    assert any("TNS says SN Ia on 2026-03-0" in reason and "demotes" in reason for reason in after.reasons)
    (pair,) = desk.pairs()
    assert pair.state is PairState.WITHDRAWN
    say(desk, tns(None, "2"))
    assert kilonova(desk) == before
    (pair,) = desk.pairs()
    assert pair.state is PairState.OPEN


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1), (0, 2, 1), (1, 2, 0)])
def test_the_order_does_not_matter(desk: Desk, order: tuple[int, ...]) -> None:
    steps = [
        lambda: desk.tell(notice(far_hz=3e-9), HERE),
        lambda: desk.show(alerts(*NIGHTS)),
        lambda: say(desk, tns("Kilonova")),
    ]
    for number in order:
        steps[number]()
    tell_of(desk, broker("SN Ia", 0.9))
    found = kilonova(desk)
    assert value(found) == 6.0  # the spectrum, whatever a broker says
    (pair,) = desk.pairs()
    with desk.store.reading() as session:
        _, lines = queries.explained_coincidence(session, pair.coincidence_id)
    assert {line.score.statistic for line in lines if line.agrees} >= {"classification", "rank"}


def test_a_broker_says_less_than_a_spectrum_and_its_newest_word_counts(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    tell_of(desk, broker("SN candidate", 0.5))
    assert value(kilonova(desk)) == pytest.approx(-4.0 * 0.4 * 0.5)
    tell_of(desk, broker("SN candidate", 0.1, number=2))
    assert value(kilonova(desk)) == pytest.approx(-4.0 * 0.4 * 0.1)
    tell_of(desk, broker("Nothing that anybody knows", number=3, source="alerce"))
    assert value(kilonova(desk)) == pytest.approx(-4.0 * 0.4 * 0.1)


def test_what_is_said_of_another_place_is_about_another_thing(desk: Desk) -> None:
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(alerts(*NIGHTS))
    say(desk, tns("SN Ia", dec_deg=20.0 + 1.6 / 3600))
    assert value(kilonova(desk)) is None


def stated(name: str, source: str = "TNS", probability: float = 1.0) -> StatedClass:
    return StatedClass(source=source, name=name, version="1", stated_at="2026-03-01T00:00:00Z", probability=probability)


@pytest.mark.parametrize(
    ("hypothesis", "name", "sign"),
    [
        ("kilonova", "Kilonova", 1),
        ("kilonova", "SN II", -1),
        ("kilonova", "CV", -1),
        ("afterglow", "LGRB", 1),
        ("afterglow", "SN Ic-BL", 1),
        ("agn-flare", "QSO", 1),
        ("neutrino-transient", "TDE", 1),
        ("neutrino-transient", "TDE-H-He", 1),
        ("neutrino-transient", "BLLac", 1),
        ("neutrino-transient", "Asteroid", -1),
    ],
)
def test_classes_speak_for_and_against(hypothesis: str, name: str, sign: int) -> None:
    term = of_classes([stated(name)], hypothesis, RULES)
    assert term is not None
    assert term.value * sign > 0
    assert term.value == value_of(term.inputs)


@pytest.mark.parametrize("one", [stated("Other"), stated(""), stated("SN", "lasair"), stated("ORPHAN", "lasair")])
def test_what_says_nothing_makes_no_term(one: StatedClass) -> None:
    assert of_classes([one], "kilonova", RULES) is None


def test_the_strongest_word_counts_and_not_their_sum() -> None:
    said = [stated("SN Ia", "fink", 0.9), stated("SN II", "alerce", 0.8), stated("Kilonova", "antares", 0.2)]
    term = of_classes(said, "kilonova", RULES)
    assert term is not None
    assert term.value == pytest.approx(-7.0 * 0.4 * 0.9)
    again = of_classes(said[::-1], "kilonova", RULES)
    assert again == term


@pytest.mark.parametrize(
    ("old", "new"),
    [("default = 0.4", ""), ("kilonova = 6.0", "novae = 6.0"), ("[groups]", "[group]"), ("range = [", "range = [1.0, ")],
)
def test_wrong_rules_are_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError):
        load_class_rules(TEXT.replace(old, new, 1))
