"""Maps that notices name by URL: fetched from a server with TLS, through the real client, reader, intake and correlation."""

import base64
import gzip
import hashlib
import itertools
import json
import shutil

import pytest

from adapters.codecs.decoder import WireDecoder
from adapters.http import HttpClient, HttpOptions
from hub.model.envelope import Envelope, Trust
from hub.resources import read_text
from hub.science.localization_table import load_localization_table
from hub.science.skymap_fits import SkymapWorker, to_fits
from hub.services.intake import Intake, IntakeSettings
from hub.services.map_fetch import FIRST_PAUSE_S, LONGEST_PAUSE_S, MapFetching, MapFetchSettings, MapWishes
from hub.services.queries import event_versions
from hub.services.state import final_state
from hub.storage import events, jobs, localizations, map_fetches, notices
from hub.storage.engine import open_store, upgrade
from hub.storage.map_fetches import FetchState
from tests.support import json_notices
from tests.support.correlating import Desk
from tests.support.skymaps import gaussian_map
from tests.support.web import web
from tests.support.words import T0

NAME = "maps.example.test"
MAP = to_fits(gaussian_map(103.0, -21.0, 2.0, top_nside=8, rounds=3))
GW_MAP = to_fits(gaussian_map(101.0, -20.0, 6.0, top_nside=8, rounds=2))
FLAT = to_fits(gaussian_map(280.0, 60.0, 2.0, top_nside=8, rounds=2))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with web(tmp_path_factory.mktemp("web"), NAME) as running:
        yield running


@pytest.fixture(scope="module")
def skymaps():
    with SkymapWorker() as worker:
        yield worker


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "hub.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def clean(server):
    server.pages.clear()
    server.asked.clear()


class Hub:
    """Intake with wishes, fetching and correlation on a database of their own, and a clock that a test moves."""

    def __init__(self, store, server, skymaps, *, give_up_s=7200.0, **options):
        self.store = store
        self.server = server
        self.now = T0
        self.skymaps = skymaps
        self.correlation = Desk(store).correlation
        self.intake = Intake(
            store=store,
            decoder=WireDecoder(),
            skymaps=skymaps,
            localizations=load_localization_table(read_text("conf/localizations.toml")),
            history=Desk(store).history,
            clock=lambda: self.now,
            settings=IntakeSettings(authority="example.org/mmhub"),
            wishes=MapWishes(lambda: self.now),
        )
        client = HttpClient(
            HttpOptions(
                **{
                    "hosts": (NAME,),
                    "ports": (server.port,),
                    "ca_file": server.authority_pem,
                    "allow_loopback": True,
                    **options,
                }
            ),
            resolver=lambda *_: ["127.0.0.1"],
        )
        self.fetching = MapFetching(
            store=store, fetcher=client, skymaps=skymaps, clock=lambda: self.now, settings=MapFetchSettings(give_up_s=give_up_s)
        )

    def url(self, path="/glg_healpix_all.fit", scheme="https"):
        return f"{scheme}://{NAME}:{self.server.port}{path}"

    def gbm(self, **changes):
        return json_notices.as_bytes(json_notices.gbm(**{"healpix_url": self.url(), **changes}))

    def take(self, payload, trust=Trust.TRUSTED):
        (outcome,) = self.intake.accept([Envelope(payload=payload, source="gcn", received_at=self.now, trust=trust)]).outcomes
        assert outcome.state.value in ("stored", "duplicate"), outcome
        self.correlation.run_jobs()
        return outcome.event_id

    def fetch(self):
        done = self.fetching.step()
        self.correlation.run_jobs()
        return done

    def event(self, event_id):
        with self.store.reading() as session:
            return events.get(session, event_id)

    def fetches(self, event_id):
        with self.store.reading() as session:
            return map_fetches.of_event(session, event_id)


@pytest.fixture
def hub(tmp_path, empty, server, skymaps):
    with opened(tmp_path, empty, server, skymaps) as found:
        yield found


class opened:  # noqa: N801 - used like a function
    def __init__(self, folder, empty, server, skymaps, **options):
        shutil.copy(empty, folder / "hub.db")
        self.store = open_store(f"sqlite:///{folder}/hub.db")
        self.hub = Hub(self.store, server, skymaps, **options)

    def __enter__(self):
        return self.hub

    def __exit__(self, *_):
        self.store.close()


def test_a_map_becomes_a_localization_of_its_own_and_the_notice_stays(hub):
    event_id = hub.take(hub.gbm())
    own = hub.event(event_id).localization_id
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
    hub.now = T0.plus_s(30)
    assert hub.fetch() == 1
    assert hub.fetch() == 0
    event = hub.event(event_id)
    (stored,) = [version.stored for version in event.versions]
    assert stored.localization_id == own
    assert event.localization_id == stored.fetched_map.localization_id != own
    assert event.localization_ids == (own, event.localization_id)
    assert (stored.fetched_map.url, stored.fetched_map.fetched_at) == (hub.url(), T0.plus_s(30))
    assert stored.fetched_map.sha256 == hashlib.sha256(MAP).hexdigest()
    with hub.store.reading() as session:
        found = localizations.get(session, event.localization_id)
        assert notices.get(session, stored.notice_id) == stored
        (body,) = event_versions(session, event_id)
    assert abs(found.summary.peak_ra_deg - 103) < 2
    assert body["localization_id"] == own
    assert body["fetched_map"]["localization_id"] == event.localization_id
    assert body["fetched_map"]["fetched_at"] == T0.plus_s(30).to_utc_iso()


def test_a_fetched_map_leaves_a_job_to_correlate_the_event_again(hub):
    event_id = hub.take(hub.gbm())
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, gzip.compress(MAP))
    hub.fetching.step()
    with hub.store.reading() as session:
        assert [(job.kind, job.key) for job in jobs.take(session, 9)] == [("event", event_id)]


def test_a_map_that_is_not_there_yet_is_looked_for_with_growing_pauses(hub):
    event_id = hub.take(hub.gbm())
    looks = []
    while hub.now.minus(T0) < 5000:
        if hub.fetch():
            looks.append(hub.now.minus(T0))
        (waiting,) = hub.fetches(event_id)
        assert waiting.state is FetchState.WAITING
        assert "404" in waiting.error
        hub.now = waiting.due_at
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert max(pauses) <= LONGEST_PAUSE_S
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
    assert hub.fetch() == 1
    assert hub.fetches(event_id)[0].state is FetchState.FETCHED
    assert hub.event(event_id).current.fetched_map is not None


def test_a_map_that_never_appears_is_given_up(hub):
    event_id = hub.take(hub.gbm())
    for _ in range(40):
        hub.fetch()
        hub.now = hub.now.plus_s(600)
    (given_up,) = hub.fetches(event_id)
    assert given_up.state is FetchState.GIVEN_UP
    asked = len(hub.server.asked)
    hub.now = hub.now.plus_s(1e6)
    assert hub.fetch() == 0
    assert len(hub.server.asked) == asked
    assert hub.fetching.health().facts == {"waiting": 0, "fetched": 0, "given_up": 1}
    hub.take(hub.gbm(record_number=9, alert_datetime="2026-03-01T09:00:00Z"))
    assert hub.fetch() == 1, "a later notice that names it is a reason to look again"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((200, {}, b"<html>not here</html>"), "no FITS file"),
        ((200, {}, b""), "no FITS file"),
        ((200, {}, b"SIMPLE  =                    T" + b" " * 2850), ""),
        ((200, {}, b"\x1f\x8b" + b"junk" * 100), ""),
        ((200, {}, b"SIMPLE  =" + b"x" * 300_000), "longer than the limit"),
        ((403, {}, b""), "answered 403"),
        ((302, {"Location": "https://169.254.169.254/latest"}, b""), "names no host"),
        ((302, {"Location": "https://elsewhere.example.test/"}, b""), "not among the hosts"),
    ],
)
def test_what_is_no_map_is_given_up_with_the_reason_and_the_event_stays(tmp_path, empty, server, skymaps, page, said):
    with opened(tmp_path, empty, server, skymaps, max_bytes=200_000) as hub:
        event_id = hub.take(hub.gbm())
        before = hub.event(event_id)
        server.pages["/glg_healpix_all.fit"] = page
        assert hub.fetch() == 1
        (given_up,) = hub.fetches(event_id)
        assert given_up.state is FetchState.GIVEN_UP
        assert given_up.error
        assert said in given_up.error
        assert hub.event(event_id) == before


def test_a_server_that_is_busy_is_asked_again(hub):
    event_id = hub.take(hub.gbm())
    hub.server.pages["/glg_healpix_all.fit"] = (503, {}, b"")
    hub.fetch()
    assert hub.fetches(event_id)[0].state is FetchState.WAITING


def test_an_address_in_http_is_asked_by_https(hub):
    event_id = hub.take(hub.gbm(healpix_url=hub.url(scheme="http")))
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
    hub.fetch()
    assert hub.event(event_id).current.fetched_map.url.startswith("http://")


@pytest.mark.parametrize(
    "changes",
    [
        {"healpix_url": None},
        {"healpix_url": "ftp://maps.example.test/a.fit"},
        {"healpix_url": "file:///etc/passwd"},
        {"healpix_url": "/etc/passwd"},
        {"healpix_url": "https://maps.example.test/a.png"},
        {"healpix_url": "https://maps.example.test/" + "a" * 3000},
        {"healpix_url": "https://maps.example.test/a\nb"},
        {"alert_type": "retraction"},
    ],
)
def test_what_cannot_be_a_map_is_not_asked_for(hub, changes):
    message = {"healpix_url": hub.url(), **changes}
    event_id = hub.take(json_notices.as_bytes(json_notices.gbm(**message)))
    if "alert_type" in changes:
        assert hub.event(event_id).state.value == "retracted"
    else:
        assert hub.fetches(event_id) == []
        assert hub.fetch() == 0


def test_a_notice_that_carries_its_map_is_not_asked_for(hub):
    embedded = {"healpix_file": base64.b64encode(GW_MAP).decode()}
    event_id = hub.take(hub.gbm(**embedded))
    with hub.store.reading() as session:
        (stored,) = notices.of_event(session, event_id)
        is_map = localizations.sources(session, [stored.localization_id])[stored.localization_id].value == "skymap"
    assert is_map
    assert hub.fetches(event_id) == []


def test_nobody_untrusted_makes_the_hub_ask_until_a_trusted_source_says_the_same(hub):
    event_id = hub.take(hub.gbm(), Trust.UNTRUSTED)
    assert hub.fetches(event_id) == []
    hub.take(hub.gbm())
    assert [one.url for one in hub.fetches(event_id)] == [hub.url()]


def test_a_map_beside_the_stated_place_is_doubted(hub):
    event_id = hub.take(hub.gbm())
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, FLAT)
    hub.fetch()
    assert any("outside the stated error region" in remark for remark in hub.event(event_id).current.fetched_map.remarks)


def test_a_crash_between_the_look_and_its_result_only_delays(hub):
    event_id = hub.take(hub.gbm())

    class Killed(BaseException):
        pass

    class Breaks:
        def get(self, url):
            raise Killed

    broken = MapFetching(
        store=hub.store, fetcher=Breaks(), skymaps=hub.skymaps, clock=lambda: hub.now, settings=MapFetchSettings()
    )
    with pytest.raises(Killed):
        broken.step()
    hub.server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
    assert hub.fetch() == 0, "it would be asked for at once again, and again"
    hub.now = hub.now.plus_s(FIRST_PAUSE_S)
    assert hub.fetch() == 1
    assert hub.event(event_id).current.fetched_map is not None


def test_two_processes_do_not_take_the_same_map(hub):
    event_id = hub.take(hub.gbm())
    (waiting,) = hub.fetches(event_id)
    with hub.store.transaction() as session:
        assert map_fetches.claim(session, waiting, T0.plus_s(60))
        assert not map_fetches.claim(session, waiting, T0.plus_s(60))


def test_the_final_state_does_not_depend_on_when_the_map_appears_or_in_which_order_messages_come(
    tmp_path, empty, server, skymaps
):
    igwn = json_notices.igwn_alert()
    igwn["event"]["skymap"] = base64.b64encode(GW_MAP).decode()
    state = None
    runs = list(itertools.product(itertools.permutations(range(3)), (1, 3)))
    for number, (order, appears) in enumerate(runs):
        server.pages.clear()
        folder = tmp_path / str(number)
        folder.mkdir()
        with opened(folder, empty, server, skymaps, give_up_s=1e6) as hub:
            messages = [
                hub.gbm(),
                hub.gbm(alert_datetime="2026-03-01T02:09:00Z", record_number=6, ra=102.0, ra_dec_error=3.0),
                json_notices.as_bytes(igwn),
            ]
            for step, index in enumerate(order):
                if step == appears:
                    server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
                hub.now = hub.now.plus_s(2 * LONGEST_PAUSE_S)
                hub.fetch()
                hub.take(messages[index])
            server.pages["/glg_healpix_all.fit"] = (200, {}, MAP)
            hub.now = hub.now.plus_s(2 * LONGEST_PAUSE_S)
            while hub.fetch():
                hub.now = hub.now.plus_s(2 * LONGEST_PAUSE_S)
            with hub.store.reading() as session:
                found = final_state(session)
            pairs = found["coincidences"].values()
            assert [pair["kind"] for pair in pairs] == ["gw-grb"], json.dumps(found, indent=1)
            state = state or found
            assert found == state, (order, appears)
    assert state["events"]["Fermi-794023391"]["localization_id"] == skymaps.read(MAP)[0].digest()
