"""Everything that is recorded through the whole flow, twice and in another order, and what is known of these events from papers.

Of the associations and non-associations of ``truth.yaml`` the recordings allow GW170817 with GRB 170817A, the retracted S190518bb, and
GW190814 and S230518h, which have no counterpart. IceCube-170922A, IceCube-191001A, SN 1987A, GW190425, GW230529 and GW150914 are not
in the recordings, so that nothing can be said of them here but that no pair with them appears. No sky map of GW170817 is recorded
either: its pair has a time-only rate, and AT2017gfo is looked for in the gamma-ray burst's localization alone.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.bootstrap import Hub, create_database, now, open_hub
from hub.config import Settings, load
from hub.model.coincidence import Coincidence, MemberKind, PairState
from hub.model.envelope import Envelope, Trust
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import Stage
from hub.ports import SkymapReader
from hub.resources import read_text
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D, summary
from hub.science.rules import load_rules
from hub.science.significance import untargeted
from hub.services.coincident import separation_deg
from hub.services.flow import in_batches
from hub.services.intake import Outcome
from hub.services.state import final_state
from hub.storage import announced, coincidences, deadletters, envelopes, events, followup, localizations, outbox
from hub.storage.envelopes import MessageState, SourceCounts
from tests.support.flow_checks import check_books, check_what_left

pytestmark = pytest.mark.recorded

AT2017GFO = (197.450354, -23.381484)
"""Right ascension and declination, degrees (Abbott et al. 2017, ApJL 848 L12)."""

YEAR_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one run over all files came to."""

    outcomes: dict[str, Outcome]
    books: SourceCounts
    state: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A hub that has taken everything in, twice."""

    hub: Hub
    first: Pass
    second: Pass

    def event(self, event_id: str) -> Event:
        with self.hub.store.reading() as session:
            found = events.get(session, event_id)
        assert found is not None, event_id
        return found

    def pairs(self) -> list[Coincidence]:
        """The newest version of each coincidence."""
        latest: dict[str, Coincidence] = {}
        with self.hub.store.reading() as session:
            for event_id in events.all_ids(session):
                latest |= {one.coincidence_id: one for one in coincidences.of_event(session, event_id)}
        return list(latest.values())


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def settings_in(folder: Path) -> Settings:
    return load(overrides={"hub.data_dir": str(folder)}).settings


def take_all(hub: Hub, paths: Sequence[Path], settings: Settings) -> Pass:
    """Take files in as ``mmhub ingest`` does."""
    outcomes: dict[str, Outcome] = {}
    arriving = (
        Envelope(payload=path.read_bytes(), source="file", received_at=now(), position=str(path), trust=Trust.TRUSTED)
        for path in paths
    )
    for batch in in_batches(arriving, settings.intake.alert_batch):
        report = hub.flow.take(batch)
        outcomes |= {str(one.position): outcome for one, outcome in zip(batch, report.outcomes, strict=True)}
    while hub.flow.step():
        pass
    with hub.store.reading() as session:
        (books,) = envelopes.counts(session)
        return Pass(outcomes=outcomes, books=books, state=final_state(session))


@pytest.fixture(scope="module")
def world(recorded: Path, skymaps: SkymapReader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = settings_in(tmp_path_factory.mktemp("world"))
    with create_database(settings) as store, open_hub(settings, store, skymaps=skymaps) as hub:
        first = take_all(hub, files(recorded), settings)
        yield World(hub=hub, first=first, second=take_all(hub, files(recorded), settings))


def test_another_order_ends_in_the_same_state(world: World, recorded: Path, skymaps: SkymapReader, tmp_path: Path):
    paths = files(recorded)
    random.Random(20170817).shuffle(paths)
    settings = settings_in(tmp_path)
    with create_database(settings) as store, open_hub(settings, store, skymaps=skymaps) as hub:
        found = take_all(hub, paths, settings)
        check_what_left(hub)
        with store.reading() as session, world.hub.store.reading() as other:
            stand, stood = (
                [(one.coincidence_id, one.rule, one.spends_per_month) for one in announced.standing(each)]
                for each in (session, other)
            )
    assert stand == stood
    assert found.state == world.first.state
    assert found.books == world.first.books


def test_a_second_run_changes_nothing_and_counts_duplicates(world: World, recorded: Path):
    assert world.second.state == world.first.state
    before, after = world.first.books, world.second.books
    n_files = len(files(recorded))
    assert after.received == before.received + n_files
    assert (after.stored, after.dead_letters) == (before.stored, before.dead_letters)
    assert after.duplicates == before.duplicates + n_files
    for path, outcome in world.second.outcomes.items():
        former = world.first.outcomes[path]
        if former.state is MessageState.DEAD:
            assert (outcome.state, outcome.reason) == (former.state, former.reason), path
        else:
            assert outcome.state is MessageState.DUPLICATE, path
    with world.hub.store.reading() as session:
        letters = deadletters.listing(session)
    assert len(letters) == len({letter.digest for letter in letters}) <= before.dead_letters


def test_the_books_balance_and_no_message_is_lost(world: World, recorded: Path):
    n_files = len(files(recorded))
    assert len(world.first.outcomes) == world.first.books.received == n_files
    check_books(world.hub, 2 * n_files)
    by_kind = Counter(outcome.kind for outcome in world.first.outcomes.values())
    assert by_kind["notice"] >= 130
    assert by_kind["skymap"] == 9


def test_every_good_alert_is_in_the_history(world: World, recorded: Path):
    expected: dict[str, set[int]] = {"LSST": set(), "ZTF": set()}
    for entry in json.loads((recorded / "manifest.json").read_text()):
        outcome = world.first.outcomes[str(recorded / entry["file"])]
        if entry["kind"] == "lsst-alert" and outcome.state is MessageState.STORED:
            expected["LSST"].add(entry["expect"]["diaSourceId"])
        elif entry["kind"] == "other-avro" and outcome.state is MessageState.STORED:
            expected["ZTF"].add(entry["expect"]["candid"])
    assert {survey: len(ids) > 5 for survey, ids in expected.items()} == {"LSST": True, "ZTF": True}
    for survey, ids in expected.items():
        found = world.hub.history.in_region(np.array([0]), np.array([12 * 4**29]), Instant(0), Instant(2**62))
        stored = {source_id for batch in found if batch.survey == survey for source_id in batch.source_id.tolist()}
        assert ids <= stored
    assert world.hub.history.count() == sum(map(len, expected.values()))


def test_only_the_known_association_leaves_and_never_a_test(world: World):
    check_what_left(world.hub)
    with world.hub.store.reading() as session:
        entries = outbox.search(session, limit=None)
        intents = followup.search(session)
    (pair,) = [one for one in world.pairs() if one.state is PairState.OPEN and one.is_live]
    assert {entry.outgoing.ivorn.rpartition("#")[2].rpartition(".v")[0] for entry in entries} == {pair.coincidence_id}
    assert [member.id for member in pair.members] == ["Fermi-524666471", "G298048"]
    assert list(intents) == []
    for one in world.pairs():
        members = [world.event(member.id) for member in one.members if member.kind is MemberKind.EVENT]
        assert one.is_live is all(event.is_live for event in members)


def test_the_pair_that_leaves_is_within_its_share_and_the_only_one_that_spends(world: World):
    budget = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).budget
    assert budget is not None
    with world.hub.store.reading() as session:
        spent = announced.since(session, Instant(0))
    assert spent == [one for one in spent if one.withdrawn_at is None]
    (pair,) = spent
    share = budget.shares[pair.rule]
    found = {one.coincidence_id: one for one in world.pairs()}
    assert {member.id for member in found[pair.coincidence_id].members} == {"G298048", "Fermi-524666471"}
    assert pair.rule == "gw-grb"
    assert pair.spends_per_month is not None
    assert 0.0 < pair.spends_per_month <= share.per_month
    for one in found.values():
        said = budget.verdict(one)
        assert one.held_back is (one.state is PairState.OPEN and bool(said.held_back))
        if one.state is PairState.OPEN and one.is_live and not said.held_back:
            assert said.spends_per_month is not None
            assert said.spends_per_month <= budget.shares[one.hypothesis].per_month
            assert one.coincidence_id == pair.coincidence_id


def test_gw170817_and_grb_170817a_are_one_occurrence_in_time(world: World):
    gw, grb = world.event("G298048"), world.event("Fermi-524666471")
    assert gw.t0 is not None
    assert gw.t0.to_utc_iso() == "2017-08-17T12:41:04.445710Z"
    (pair,) = [one for one in world.pairs() if "G298048" in {member.id for member in one.members}]
    assert (pair.kind, pair.state, pair.is_live) == ("gw-grb", PairState.OPEN, True)
    assert pair.score("delay") == pytest.approx(2.024, abs=5e-4)
    assert pair.score("joint_far_time_only") == pytest.approx(2.15e-16, rel=1e-3)
    assert pair.score("joint_far") is None  # no map of GW170817 is recorded
    (rule,) = [
        one
        for one in load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).pairs
        if one.name == pair.hypothesis
    ]
    assert rule.rate_hz == pytest.approx(325 / YEAR_S)
    at_310 = untargeted(window_width_s=rule.width_s, rate_hz=310 / YEAR_S, far_hz=gw.far_hz)
    assert at_310.value_hz == pytest.approx(2.0513e-16, rel=1e-4)
    assert grb.aliases == ("bn170817529",)


def test_at2017gfo_lies_outside_the_stated_circle_and_inside_the_map_of_the_burst(world: World):
    grb = world.event("Fermi-524666471")
    assert grb.position is not None
    assert grb.localization_id is not None
    distance = separation_deg(*AT2017GFO, grb.position.ra_deg, grb.position.dec_deg)
    assert distance == pytest.approx(26.857, abs=1e-3)
    assert distance > grb.position.radius_deg == 17.45
    with world.hub.store.reading() as session:
        localization = localizations.get(session, grb.localization_id)
    assert localization is not None
    pixel = pixels29([AT2017GFO[0]], [AT2017GFO[1]])
    (level,) = Levels2D.of(localization.skymap).lookup(pixel).searched_prob
    # The probability within that distance of two Fisher densities, statistical and systematic radii added in quadrature
    # (Connaughton et al. 2015, ApJS 216, 32: 80.4 % with 3.72 deg, the rest with 13.7 deg; kappa as in Briggs et al. 1999).
    cosine = math.cos(math.radians(distance))
    kappas = [1 / math.radians(0.66 * math.hypot(17.45, systematic)) ** 2 for systematic in (3.72, 13.7)]
    core, tail = (1 - math.exp(kappa * (cosine - 1)) for kappa in kappas)
    assert level == pytest.approx(0.804 * core + 0.196 * tail, abs=0.01)
    assert level == pytest.approx(0.898, abs=0.005)


def test_the_retracted_merger_is_withdrawn(world: World):
    event = world.event("S190518bb")
    assert event.state == "retracted"
    assert not [one for one in world.pairs() if one.state is PairState.OPEN and "S190518bb" in {m.id for m in one.members}]


def test_mock_events_and_their_external_coincidence_stay_inside(world: World):
    event = world.event("MS181101ab")
    assert not event.is_live
    assert len(event.versions) >= 6
    assert any(version.stored.notice.properties.get("external_coinc") for version in event.versions)
    assert not [one for one in world.pairs() if one.is_live and "MS181101ab" in {member.id for member in one.members}]


def test_events_without_a_counterpart_have_no_pair(world: World):
    gw190814 = world.event("S190814bv")
    assert gw190814.t0 is not None
    assert gw190814.t0.to_utc_iso() == "2019-08-14T21:10:39.012957Z"
    paired = {member.id for one in world.pairs() if one.state is PairState.OPEN for member in one.members}
    assert paired == {"G298048", "Fermi-524666471"}


def test_the_map_of_gw190814_has_its_published_size(recorded: Path, skymaps: SkymapReader):
    skymap, _ = skymaps.read((recorded / "skymaps" / "S190814bv_LALInference.v1.fits.gz").read_bytes())
    said = summary(skymap)
    assert said.area90_deg2 == pytest.approx(23.08, abs=0.01)
    assert said.dist_mean_mpc == pytest.approx(267.4, rel=0.01)


def test_s230518h_by_its_real_alerts_alone(recorded: Path, skymaps: SkymapReader, tmp_path: Path):
    """In the whole set some VOEvents of S230518h from a test folder carry other times and a retraction that never happened."""
    settings = settings_in(tmp_path)
    paths = sorted((recorded / "igwn" / "real").glob("S230518h-*"))
    with create_database(settings) as store, open_hub(settings, store, skymaps=skymaps) as hub:
        take_all(hub, list(reversed(paths)), settings)
        with store.reading() as session:
            event = events.get(session, "S230518h")
            assert event is not None
            areas = {
                version.stored.notice.stage: localizations.summary(session, version.stored.localization_id or "")
                for version in event.versions
            }
    assert event.t0 is not None
    assert event.t0.to_utc_iso() == "2023-05-18T12:59:08.167000Z"
    assert (event.state, event.is_live) == ("active", True)
    classes = {name: round(value, 3) for name, value in event.classification.items() if value}
    assert classes == {"NSBH": 0.864, "Terrestrial": 0.099, "BBH": 0.037}
    for stage, area in ((Stage.PRELIMINARY, 1002.05), (Stage.INITIAL, 665.97)):
        said = areas[stage]
        assert said is not None
        assert said.area90_deg2 == pytest.approx(area, abs=0.01)
