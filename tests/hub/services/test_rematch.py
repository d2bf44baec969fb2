"""The past under changed rules: new versions, nothing sent unless wanted, and nothing twice."""

from dataclasses import replace

import pytest

from hub.errors import NotFound
from hub.model.coincidence import PairState
from hub.model.instant import Instant
from hub.model.outgoing import Leaves
from hub.science.rules import Rules
from hub.services.correlation import CorrelationReport
from hub.services.judging import UNFIT
from hub.services.rematch import Rematch
from hub.storage import candidates, coincidences
from hub.storage.engine import Store
from tests.support.correlating import RULES, Desk
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0))
FADING = alerts(
    {"days": 0.5, "flux_njy": 20_000.0, "snr": 200.0},
    {"days": 1.5, "flux_njy": 8_000.0, "snr": 80.0},
    {"days": 2.5, "flux_njy": 4_000.0, "snr": 40.0},
)


def with_hypothesis(name: str, **changes: object) -> Rules:
    made = tuple(replace(one, **changes) if one.name == name else one for one in RULES.hypotheses)  # type: ignore[arg-type]
    return replace(RULES, hypotheses=made)


def with_pair(name: str, **changes: object) -> Rules:
    return replace(RULES, pairs=tuple(replace(one, **changes) if one.name == name else one for one in RULES.pairs))  # type: ignore[arg-type]


def again(
    store: Store, rules: Rules, *, since: Instant | None = T0, event_id: str | None = None, leaves: Leaves = Leaves.NOTHING
) -> tuple[CorrelationReport, Desk]:
    """Evaluate the past with a hub that has other rules."""
    desk = Desk(store, rules=rules)
    work = Rematch(store=store, correlation=desk.correlation.leaving(leaves))
    report = CorrelationReport()
    for done in work.run(work.chosen(since, event_id)):
        report += done.report
    return report, desk


def kilonova(store: Store) -> "candidates.Candidate":
    with store.reading() as session:
        found = candidates.get(session, "S260301a", "LSST", "100", "kilonova")
    assert found is not None
    return found


def test_a_narrower_window_withdraws_and_a_wider_one_brings_back_as_new_versions_without_a_word(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FADING)
    said = desk.words()
    (pair,) = desk.pairs()
    assert (pair.state, pair.hypothesis) == (PairState.OPEN, "kilonova")
    first = kilonova(store)
    narrow = with_hypothesis("kilonova", window_d=(3.0, 14.0))
    report, desk = again(store, narrow)
    assert (report.candidates, report.versions) == (1, 1)
    assert kilonova(store).state is PairState.WITHDRAWN
    assert kilonova(store).reasons[0] == UNFIT
    (withdrawn,) = desk.pairs()
    assert (withdrawn.state, withdrawn.version, withdrawn.reasons[0]) == (PairState.WITHDRAWN, pair.version + 1, UNFIT)
    assert again(store, narrow)[0] == CorrelationReport()
    report, desk = again(store, RULES)
    assert (report.candidates, report.versions) == (1, 1)
    assert kilonova(store) == first
    assert desk.pairs()[0].version == pair.version + 2
    assert again(store, RULES)[0] == CorrelationReport()
    assert desk.words() == said
    with store.reading() as session:
        assert len(coincidences.history(session, pair.coincidence_id)) == pair.version + 2


def test_a_wider_window_finds_what_lay_outside(store: Store) -> None:
    Desk(store, rules=with_hypothesis("kilonova", window_d=(-0.02, 0.1))).tell(notice(), HERE)
    desk = Desk(store, rules=with_hypothesis("kilonova", window_d=(-0.02, 0.1)))
    desk.show(FADING)
    assert desk.pairs() == []
    report, desk = again(store, RULES)
    assert (report.candidates, report.versions) == (1, 1)
    assert kilonova(store).n_detections == 3
    assert desk.sent() == []
    desk.show(alerts({"days": 3.0, "source_id": 9, "flux_njy": 3_000.0, "snr": 30.0}))  # live again: the pair is news now
    assert len(desk.sent()) == 1


def test_another_threshold_writes_and_withdraws_coincidences(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FADING)
    strict = with_hypothesis("kilonova", min_announce_score=99.0)
    assert again(store, strict)[0] == CorrelationReport(versions=1)
    (pair,) = desk.pairs()
    assert (pair.state, pair.reasons[0]) == (
        PairState.WITHDRAWN,
        "withdrawn: its score fell below the threshold for announcements",
    )
    assert kilonova(store).state is PairState.OPEN


def test_a_hypothesis_that_is_gone_withdraws_what_it_made(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FADING)
    without = replace(RULES, hypotheses=tuple(one for one in RULES.hypotheses if one.name != "kilonova"))
    report, desk = again(store, without)
    assert (report.candidates, report.versions) == (1, 1)
    assert (kilonova(store).state, desk.pairs()[0].state) == (PairState.WITHDRAWN, PairState.WITHDRAWN)
    assert again(store, without)[0] == CorrelationReport()


def test_a_smaller_limit_of_the_area_withdraws_what_larger_maps_made(store: Store) -> None:
    wide = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=9000.0)
    desk = Desk(store)
    desk.tell(notice(), wide)
    desk.show(FADING)
    assert again(store, replace(RULES, max_area_deg2=5000.0))[0] == CorrelationReport(candidates=1, versions=1)  # the kilonova
    assert kilonova(store).state is PairState.WITHDRAWN


def test_a_narrower_window_of_pairs_withdraws_a_pair_of_events(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    (pair,) = desk.pairs()
    narrow = with_pair("gw-grb", windows_s=((-1.0, 1.0),))
    report, desk = again(store, narrow)
    assert report.versions == 1
    (withdrawn,) = desk.pairs()
    assert (withdrawn.state, withdrawn.version, withdrawn.reasons[0]) == (PairState.WITHDRAWN, pair.version + 1, UNFIT)
    assert again(store, narrow)[0] == CorrelationReport()
    assert again(store, RULES)[0].versions == 1
    assert desk.pairs()[0].state is PairState.OPEN
    assert desk.words() == ["v1"]


def test_it_is_announced_where_that_is_wanted(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FADING)
    again(store, with_hypothesis("kilonova", window_d=(3.0, 14.0)), leaves=Leaves.MESSAGES)
    assert desk.words()[-1].split()[1] == "retraction"


def test_events_are_chosen_by_time_and_name(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice("S2", t0=T0.plus_s(DAY_S), issued_at=T0.plus_s(DAY_S)), HERE)
    desk.tell(notice("S1"), HERE)
    desk.tell(notice("S0", t0=T0.plus_s(-DAY_S)), HERE)
    work = Rematch(store=store, correlation=desk.correlation)
    assert work.chosen(T0, None) == ["S1", "S2"]
    assert work.chosen(None, None) == ["S0", "S1", "S2"]
    assert work.chosen(None, "S0") == work.chosen(T0.plus_s(-2 * DAY_S), "S0") == ["S0"]
    assert work.chosen(T0, "S0") == []
    with pytest.raises(NotFound, match="there is no event S7"):
        work.chosen(None, "S7")


def test_an_event_that_breaks_is_named_and_stops_no_other(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FADING)
    desk.tell(notice("S260302b", t0=T0.plus_s(9e5), issued_at=T0.plus_s(9e5)), NEAR)
    strict = Desk(store, rules=with_hypothesis("kilonova", min_announce_score=99.0))
    strict.renderer.is_broken = True
    work = Rematch(store=store, correlation=strict.correlation.leaving(Leaves.MESSAGES))
    done = list(work.run(work.chosen(T0, None)))
    assert [(one.event_id, one.report.broken) for one in done] == [("S260301a", ("S260301a",)), ("S260302b", ())]
    assert strict.waiting() == []
