"""A running hub with a provider in its settings: a browser goes there, comes back, and is signed in."""

import http.client
import json
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest

from hub.bootstrap import create_database, now
from hub.config import load
from hub.services import persons
from tests.support.oidc import CLIENT_ID, CLIENT_SECRET, openid_provider
from tests.support.running_hub import RunningHub, until

pytestmark = pytest.mark.slow

BEGIN, CALLBACK = "/api/v1/session/oidc", "/api/v1/session/oidc/callback"


def asked(url, path, cookies=""):
    """Return status, where to next, cookies and body of an answer."""
    door = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        door.request("GET", path, headers={"Cookie": cookies} if cookies else {})
        answer = door.getresponse()
        set_cookies = SimpleCookie()
        for value in answer.headers.get_all("Set-Cookie") or ():
            set_cookies.load(value)
        return answer.status, answer.headers["Location"], set_cookies, answer.read()
    finally:
        door.close()


def test_a_browser_is_signed_in_by_a_running_hub(tmp_path):
    with openid_provider(tmp_path) as provider:
        config = tmp_path / "mmhub.toml"
        (tmp_path / "secret").write_text(CLIENT_SECRET)
        config.write_text(
            f'[hub]\ndata_dir = "{tmp_path / "data"}"\n[api]\nport = 0\n[followup]\nenabled = false\n'
            f'[oidc]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT_ID}"\nclient_secret_file = "{tmp_path / "secret"}"\n'
            f'redirect_uri = "https://hub.test{CALLBACK}"\nca_file = "{provider.web.authority_pem}"\nallow_loopback = true\n'
        )
        with create_database(load([config]).settings) as store:
            persons.add(store, name="maria", clock=now, subject=f"{provider.issuer}|248289761001")
        with RunningHub(config, "hub", "api", "--json") as hub:
            until(lambda: '"url"' in hub.log.read_text(), "the API does not answer", [hub])
            url = re.search(r'"url": ?"([^"]+)"', hub.log.read_text())[1]
            until(lambda: asked(url, "/api/v1")[0] == 200, "the API does not answer", [hub])
            status, where, cookies, _ = asked(url, BEGIN)
            assert status == 303
            back = urlencode(provider.sign_in(where))
            (held,) = (f"{name}={one.value}" for name, one in cookies.items())
            status, where, cookies, _ = asked(url, f"{CALLBACK}?{back}", held)
            assert (status, where) == (303, "/api/v1/session")
            own = "; ".join(f"{name}={one.value}" for name, one in cookies.items() if one.value)
            status, _, _, body = asked(url, where, own)
            assert (status, json.loads(body)["data"]["name"]) == (200, "maria")
            assert hub.stop() == 0
            log = hub.log.read_text()
        assert not [one for one in (CLIENT_SECRET, held.partition("=")[2], own.rpartition("=")[2], "code=") if one in log]
