"""Notices pushed into a process of the hub that is killed again and again: what was accepted is there, once."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time

import httpx2 as httpx
import pytest

from hub.model.token import Scope
from hub.services import tokens
from hub.storage import envelopes
from hub.storage.engine import open_store, upgrade
from tests.conftest import REPOSITORY
from tests.support.voevents import voevent
from tests.support.words import T0

TIMEOUT_S = 240.0
N_NOTICES = 40
KILL_AFTER = (8, 20)
"""Answers after which the process is killed, while more are under way."""


class Api:
    """A process of the hub with an API."""

    def __init__(self, folder, *words):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
        environment |= {"PYTHONPATH": str(REPOSITORY), "MMHUB_API__PORT": "0", "MMHUB_API__NOTICES_PER_MINUTE": "100000"}
        command = [sys.executable, "-m", "hub", "--data-dir", str(folder), *words]
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        self.said = ""
        self.url = None
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        assert self._up.wait(TIMEOUT_S), self.said

    def _listen(self):
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/api/v1", line):
                self.url = found[0]
                self._up.set()
        self._up.set()

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        self.process.stderr.close()


@contextlib.contextmanager
def api(folder, *words):
    running = Api(folder, *words)
    try:
        assert running.url, running.said
        yield running
    finally:
        running.kill()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mmhub.toml").write_text("")
    upgrade(f"sqlite:///{tmp_path}/hub.sqlite")
    return tmp_path


def make_token(folder):
    store = open_store(f"sqlite:///{folder}/hub.sqlite")
    issued = tokens.create(
        store, name="robot", scopes={Scope.NOTICE_SUBMIT}, clock=lambda: T0.plus_s(300 * 86_400), lifetime_s=3000 * 86_400
    )
    store.close()
    return {"Authorization": f"Bearer {issued.secret}", "Content-Type": "application/xml"}


def burst(number):
    """A Swift burst of our own making, hours from the one before, with a small circle."""
    at = T0.plus_s(number * 7200.0)
    return voevent(
        ivorn=f"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_{1_234_000 + number}-001",
        params={"Packet_Type": 61, "TrigID": 1_234_000 + number},
        time=at.to_utc_iso()[:23],
        date=at.plus_s(20).to_utc_iso()[:19],
        position=(150.0, -20.0, 0.05),
    )


def look_at_all(url, headers):
    """Push everything once more: each is known, under an id that leads to its event of one version."""
    with httpx.Client(headers=headers, timeout=60) as client:
        for number in range(N_NOTICES):
            again = client.post(f"{url}/notices", content=burst(number))
            assert again.status_code == 409, again.text
            notice = client.get(f"{url}/notices/{again.json()['notice_id']}").json()["data"]
            assert notice["event_id"] == again.json()["event_id"]
        events = client.get(f"{url}/events?limit=1000").json()["data"]
    assert len(events) == N_NOTICES
    assert {one["n_versions"] for one in events} == {1}


def test_what_was_answered_202_is_there_once_through_two_kills(folder):
    headers = make_token(folder)
    answers: dict[int, list[int]] = {number: [] for number in range(N_NOTICES)}
    address = {}
    over = threading.Event()
    waiting = list(range(N_NOTICES))

    def push():
        with httpx.Client(headers=headers, timeout=30) as client:
            while not over.is_set():
                try:
                    number = waiting.pop(0)
                except IndexError:
                    return
                while not over.is_set():
                    try:
                        answer = client.post(f"{address['url']}/notices", content=burst(number))
                    except httpx.HTTPError:  # it was killed: the same again, until it is back
                        over.wait(0.2)
                        continue
                    answers[number].append(answer.status_code)
                    if answer.status_code in (202, 409):
                        break

    def answered():
        return sum(1 for found in answers.values() if found and found[-1] in (202, 409))

    def until(count, running):
        deadline = time.monotonic() + TIMEOUT_S
        while answered() < count:
            assert time.monotonic() < deadline, running.said
            assert running.process.poll() is None, running.said
            over.wait(0.02)

    pushers = [threading.Thread(target=push) for _ in range(4)]
    at_kill = []
    try:
        for count in (*KILL_AFTER, N_NOTICES):
            with api(folder, "run", "api") as running:
                address["url"] = running.url
                for pusher in pushers:
                    if not pusher.ident:
                        pusher.start()
                until(count, running)
                at_kill.append(answered())
                if count == N_NOTICES:
                    look_at_all(running.url, headers)
    finally:
        over.set()
        for pusher in pushers:
            pusher.join(TIMEOUT_S)
    assert at_kill[-1] == N_NOTICES
    assert all(count < N_NOTICES for count in at_kill[:-1]), f"a kill fell after the last notice: {at_kill}"
    store = open_store(f"sqlite:///{folder}/hub.sqlite")
    with store.reading() as session:
        counts = envelopes.counts(session)
    store.close()
    assert envelopes.law_holds(counts)
    assert [(one.source, one.stored, one.dead_letters) for one in counts] == [("http:robot", N_NOTICES, 0)]


def test_an_api_that_only_serves_takes_nothing_in(folder):
    headers = make_token(folder)
    with api(folder, "serve") as running:
        answer = httpx.post(f"{running.url}/notices", content=burst(1), headers=headers, timeout=60)
        assert answer.status_code == 503
        assert "only reads" in answer.json()["detail"]
        large = httpx.post(f"{running.url}/notices", content=b"{" * 9_000_000, headers=headers, timeout=60)
        assert large.status_code in (413, 503)
