"""Notices handed in over HTTP, through the real intake."""

import asyncio
import contextlib
import itertools
import json
import shutil
import threading

import pytest

from adapters.codecs.decoder import WireDecoder
from hub.api import notices as door
from hub.api import wire
from hub.api.quota import Quota
from hub.errors import SkymapRefused, StorageError
from hub.model.token import Scope
from hub.resources import read_text
from hub.science.localization_table import load_localization_table
from hub.services import deadletters, tokens
from hub.services.intake import Intake, IntakeSettings
from hub.services.push import submission
from hub.storage import envelopes, events, jobs
from hub.storage.engine import upgrade
from tests.support import json_notices
from tests.support.api_night import api
from tests.support.histories import history_of
from tests.support.voevents import voevent
from tests.support.words import T0

URL = "/api/v1/notices"
GBM = json_notices.as_bytes(json_notices.gbm())


class NoMaps:
    def read(self, data):
        raise SkymapRefused("this test has no reader of maps")


class Desk:
    """An API that takes notices in, with its store and a token."""

    def __init__(self, client, store, take):
        self.client = client
        self.store = store
        self.take = take
        self._names = itertools.count(1)

    def token(self, **more):
        name = f"robot{next(self._names)}"
        issued = tokens.create(self.store, name=name, scopes={Scope.NOTICE_SUBMIT}, clock=lambda: T0, **more)
        return {"Authorization": f"Bearer {issued.secret}"}

    def post(self, body, status, media_type="application/json", token=None, **headers):
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.post(URL, content=body, headers={**(token or self.token()), "Content-Type": media_type, **more})
        assert answer.status_code == status, answer.text
        if status != 202:
            assert answer.headers["content-type"] == "application/problem+json"
            wire.Problem.model_validate(answer.json())
        return answer

    def counts(self):
        with self.store.reading() as session:
            return envelopes.counts(session)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without content, made once."""
    path = tmp_path_factory.mktemp("empty") / "state.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def folder(tmp_path, empty):
    shutil.copy(empty, tmp_path / "state.sqlite")
    return tmp_path


@pytest.fixture
def desk(folder):
    held = {}

    async def submit(envelope):
        return await held["submit"](envelope)

    with api(folder, filled=False, submit=submit, clock=lambda: T0, notices_per_minute=1000) as (client, store):
        intake = Intake(
            store=store,
            decoder=WireDecoder(),
            skymaps=NoMaps(),
            localizations=load_localization_table(read_text("conf/localizations.toml")),
            history=history_of(store),
            clock=lambda: T0,
            settings=IntakeSettings(authority="example.org/mmhub"),
        )
        held["submit"] = submission(store, lambda arrived: intake.accept(arrived).outcomes)
        yield Desk(client, store, held)


def test_a_json_notice_is_taken_in_and_can_be_looked_at(desk):
    answer = desk.post(GBM, 202)
    body = wire.Submitted.model_validate(answer.json()["data"])
    assert (body.state, body.kind, body.is_revision, body.is_trusted) == ("stored", "notice", False, False)
    links = answer.json()["links"]
    assert answer.headers["location"] == links["self"] == f"{URL}/{body.notice_id}"
    assert desk.client.get(links["self"]).json()["data"]["notice_id"] == body.notice_id
    assert desk.client.get(links["event"]).json()["data"]["event_id"] == body.event_id
    raw = desk.client.get(f"{links['self']}/raw")
    assert (raw.content, raw.headers["content-type"]) == (GBM, "application/json")
    with desk.store.reading() as session:
        assert [job.key for job in jobs.take(session, 9)] == [body.event_id]


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml", "application/voevent+xml", "text/xml; charset=UTF-8"])
def test_a_voevent_is_taken_in(desk, media_type):
    for body in (voevent(), b"\xef\xbb\xbf" + voevent(), b"\n" + voevent().partition(b"?>\n")[2]):
        answer = desk.post(body, 202, media_type)
        assert answer.json()["data"]["notice_id"]


def test_the_same_bytes_again_are_a_conflict_that_names_the_notice(desk):
    first = desk.post(GBM, 202).json()["data"]
    token = desk.token()
    for _ in range(2):
        problem = desk.post(GBM, 409, token=token).json()
        assert (problem["notice_id"], problem["event_id"]) == (first["notice_id"], first["event_id"])
    counts = desk.counts()
    assert envelopes.law_holds(counts)
    assert [(one.source, one.received, one.stored, one.duplicates) for one in counts] == [
        ("http:robot1", 1, 1, 0),
        ("http:robot2", 2, 0, 2),
    ]


def test_the_same_notice_with_other_bytes_is_a_revision(desk):
    first = desk.post(GBM, 202).json()["data"]
    second = desk.post(json.dumps(json.loads(GBM), indent=1), 202).json()["data"]
    assert second["is_revision"]
    assert second["notice_id"] != first["notice_id"]
    assert second["event_id"] == first["event_id"]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b'{"a": NaN}'),
        ("application/json", b"{}"),
        ("application/json", b"{" * 100_000),
        ("application/xml", b"<a/>"),
        ("application/xml", b"<"),
        ("application/xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
        ("text/xml", voevent()[:-20]),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason_and_kept(desk, media_type, body):
    problem = desk.post(body, 422, media_type).json()
    assert problem["detail"].startswith("the message was refused: ")
    (letter,) = deadletters.listing(desk.store)
    assert problem["digest"] == letter.digest
    assert letter.reason in problem["detail"]
    assert deadletters.show(desk.store, letter.digest).message.payload == body
    assert letter.source == "http:robot1"
    assert envelopes.law_holds(desk.counts())


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"[]"),
        ("application/json", voevent()),
        ("application/xml", GBM),
        ("application/xml", b"\x00\x00\x00\x03\x84"),
        ("application/json", b"Obj\x01"),
        ("application/xml", "<a/>".encode("utf-16")),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused_and_not_kept(desk, media_type, body):
    assert media_type in desk.post(body, 422, media_type).json()["detail"]
    assert desk.counts() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"media_type": ""},
        {"media_type": "text/plain"},
        {"media_type": "multipart/form-data; boundary=x"},
        {"media_type": "application/json; charset=utf-16"},
        {"media_type": "application/json", "Content_Encoding": "gzip"},
    ],
)
def test_other_types_are_refused(desk, headers):
    desk.post(GBM, 415, **headers)
    assert desk.counts() == []


def test_a_long_body_is_refused_by_its_announcement_or_while_it_comes(desk):
    desk.post(b"{" + b" " * door.MAX_BODY_BYTES, 413)
    seen = []

    def endless():
        for number in itertools.count():
            seen.append(number)
            if number > 10_000:
                pytest.fail("nobody stopped an endless body")
            yield b"{" + b" " * 65_535

    answer = ask_with_stream(desk, endless())
    assert answer == 413
    assert len(seen) <= door.MAX_BODY_BYTES / 65_536 + 2
    desk.post(b'{"a": "' + b"x" * (door.MAX_BODY_BYTES - 9) + b'"}', 422)


def ask_with_stream(desk, parts, headers=()):
    """Send a body part by part to the application itself, and return the status; the client of the tests would gather it first."""
    sent = []
    wanted = [(name.lower().encode(), value.encode()) for name, value in desk.token().items()]

    async def receive():
        part = next(parts, None)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": b"",
        "scheme": "http",
        "server": ("hub.test", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "headers": [*wanted, (b"content-type", b"application/json"), *headers],
    }
    asyncio.run(desk.client.app(scope, receive, send))
    return sent[0]["status"]


def test_a_body_that_ends_early_is_not_taken_in(desk):
    assert ask_with_stream(desk, iter([b'{"a": '])) == 400
    assert ask_with_stream(desk, iter([b'{"a": ']), [(b"content-length", b"5")]) == 400
    assert desk.counts() == []


def test_an_api_that_only_reads_says_so(folder):
    with api(folder, filled=False, clock=lambda: T0) as (client, store):
        desk = Desk(client, store, {})
        assert "only reads" in desk.post(GBM, 503).json()["detail"]
        assert desk.counts() == []


def test_what_could_not_be_made_durable_is_not_accepted(desk):
    async def broken(envelope):
        raise StorageError("disk full")

    desk.take["submit"], working = broken, desk.take["submit"]
    assert desk.post(GBM, 503).headers["retry-after"]
    desk.take["submit"] = working
    desk.post(GBM, 202)


def test_only_a_trusted_token_makes_a_live_event(desk):
    event_id = desk.post(GBM, 202).json()["data"]["event_id"]
    with desk.store.reading() as session:
        assert not events.get(session, event_id).is_live
    known = desk.post(GBM, 409, token=desk.token(is_trusted=True)).json()
    with desk.store.reading() as session:
        event = events.get(session, event_id)
    assert known["event_id"] == event_id
    assert event.is_live
    assert desk.post(voevent(), 202, "text/xml", token=desk.token(is_trusted=True)).json()["data"]["is_trusted"]


def test_a_message_of_the_hubs_own_authority_is_not_believed(desk):
    forged = voevent(ivorn="ivo://example.org/mmhub/coincidence#x.v1")
    assert "never wrote it" in desk.post(forged, 422, "text/xml").json()["detail"]


def test_each_token_has_a_quota_of_its_own(folder):
    async def submit(envelope):
        raise StorageError("not of interest here")

    with api(folder, filled=False, submit=submit, clock=lambda: T0, notices_per_minute=3) as (client, store):
        desk = Desk(client, store, {})
        first, second = desk.token(), desk.token()
        for _ in range(3):
            desk.post(GBM, 503, token=first)
        answer = desk.post(GBM, 429, token=first)
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        desk.post(GBM, 503, token=second)


def test_whoever_sends_junk_must_wait_and_the_others_need_not(desk):
    token = desk.token()
    for number in range(door.REFUSED_PER_HOUR):
        desk.post(json.dumps({"junk": number}), 422, token=token)
    answer = desk.post(GBM, 429, token=token)
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    assert len(deadletters.listing(desk.store)) == door.REFUSED_PER_HOUR
    desk.post(GBM, 202)


def test_many_at_once_store_one_and_lose_none(desk):
    token, statuses = desk.token(), []

    def push(number):
        body = GBM if number % 2 else json_notices.as_bytes(json_notices.gbm(trigger_time=f"2026-03-01T00:{number // 2:02d}:00Z"))
        while True:
            answer = desk.client.post(URL, content=body, headers={**token, "Content-Type": "application/json"})
            if answer.status_code != 429:
                statuses.append(answer.status_code)
                return

    threads = [threading.Thread(target=push, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(202), statuses.count(409), len(statuses)) == (13, 11, 24)
    assert envelopes.law_holds(desk.counts())


def test_slow_callers_do_not_keep_the_others_out(desk):
    places = desk.client.app.state.notices
    places.patience_s = 0.05
    token = desk.token()
    with contextlib.ExitStack() as stack:
        for _ in range(door.BODIES_OF_ONE):
            stack.enter_context(places.place("robot1"))
        assert desk.post(GBM, 429, token=token).headers["retry-after"] == "1"
        desk.post(GBM, 202)
        for one in range(door.BODIES_AT_ONCE - door.BODIES_OF_ONE):
            stack.enter_context(places.place(f"other{one}"))
        assert desk.post(GBM, 503).headers["retry-after"] == "1"
    desk.post(GBM, 409, token=token)


def test_a_quota_fills_again():
    now = [0.0]
    quota = Quota(2, 60.0, clock=lambda: now[0])
    quota.spend("a")
    assert quota.wait_s("a") == 0
    quota.spend("a")
    assert quota.wait_s("a") == pytest.approx(30)
    assert quota.wait_s("b") == 0
    now[0] = 30.0
    assert quota.wait_s("a") == pytest.approx(0)
    now[0] = 1e6
    quota.spend("a")
    quota.spend("a")
    assert quota.wait_s("a") > 0


def test_fifty_of_the_same_at_once_are_one_taken_in_and_conflicts(desk):
    token, statuses = desk.token(), []
    desk.client.app.state.notices.patience_s = 120.0

    def push():
        answer = desk.client.post(URL, content=GBM, headers={**token, "Content-Type": "application/json"})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=push) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(202), statuses.count(409), len(statuses)) == (1, 49, 50)


def test_the_answer_about_a_circular_says_where_it_is(desk):
    answer = desk.post(json_notices.as_bytes(json_notices.circular()), 202)
    assert answer.json()["data"]["kind"] == "circular"
    own = answer.json()["links"]["self"]
    assert answer.headers["location"] == own
    assert desk.client.get(own).json()["data"]["circular_id"] == json_notices.circular()["circularId"]


def test_further_parameters_of_the_type_are_no_reason_to_refuse(desk):
    desk.post(GBM, 202, "application/json; charset=UTF-8; q=1")
    desk.post(GBM, 415, "application/json; q=1; charset=latin-1")


def test_a_token_in_the_path_is_not_repeated(desk):
    answer = desk.client.get("/api/v1/mmh_0123456789abcdefghij/x")
    assert answer.status_code == 404
    assert "0123456789" not in answer.text
    assert "mmh_(hidden)" in answer.json()["detail"]
