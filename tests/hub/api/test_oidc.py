"""Sign-in by an OpenID provider: who comes back from it gets a session; whatever does not hold is refused with a sentence."""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from http.cookies import SimpleCookie
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.api import oidc, session
from hub.api.oidc import OidcDoor
from hub.bootstrap import oidc as bootstrap_oidc
from hub.bootstrap.oidc import open_provider
from hub.config import load
from hub.errors import StorageError
from hub.model.token import Scope
from hub.services import persons
from tests.support.api_night import api
from tests.support.oidc import CLIENT_ID, CLIENT_SECRET, openid_provider
from tests.support.token_endpoint import SigningKey
from tests.support.words import T0

BEGIN, CALLBACK = "/api/v1/session/oidc", "/api/v1/session/oidc/callback"
SUB = "248289761001"


async def never(envelope):
    raise StorageError("nothing is handed in here")


def settings_of(provider, **more):
    own = {
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": f"https://hub.test{CALLBACK}",
        "ca_file": str(provider.web.authority_pem),
        "allow_loopback": True,
        "answer_s": 5.0,
        **more,
    }
    return load(overrides={f"oidc.{key}": value for key, value in own.items()}).settings


class Hub:
    """An API, its provider, and a browser that follows no redirect by itself."""

    def __init__(self, client, store, provider):
        self.client, self.store, self.provider = client, store, provider
        subject = f"{provider.issuer}|{SUB}"
        persons.add(store, name="maria", clock=lambda: T0, subject=subject, scopes={Scope.READ, Scope.ANNOTATE})

    def get(self, path, secret=None, **params):
        headers = {} if secret is None else {"Cookie": f"{oidc.COOKIE}={secret}"}
        return self.client.get(path, params=params, headers=headers, follow_redirects=False)

    def begin(self):
        """Return where the browser is sent, and the cookie that it got."""
        answer = self.get(BEGIN)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"], SimpleCookie(answer.headers["set-cookie"])[oidc.COOKIE].value

    def sign_in(self, **more):
        where, secret = self.begin()
        return self.get(CALLBACK, secret, **self.provider.sign_in(where, **more))

    def refused(self, *, because, status=401, **more):
        answer = self.sign_in(**more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert re.search(because, answer.json()["detail"]), answer.text
        assert "set-cookie" not in answer.headers
        assert not persons.listing(self.store)[1:]


@pytest.fixture
def hub(tmp_path):
    with openid_provider(tmp_path) as provider:
        door = OidcDoor(provider=open_provider(settings_of(provider)), landing="/board")
        with api(tmp_path, filled=False, submit=never, clock=lambda: T0, provider=door) as (client, store):
            yield Hub(client, store, provider)


def test_who_comes_back_from_the_provider_gets_the_session_of_a_password(hub):
    answer = hub.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/board")
    assert answer.headers["cache-control"] == "no-store"
    cookies = {value.partition("=")[0]: value.split("; ") for value in answer.headers.get_list("set-cookie")}
    assert "Max-Age=0" in cookies[oidc.COOKIE]
    own, *attributes = cookies[session.COOKIE]
    assert {one.lower() for one in attributes} == {"httponly", "max-age=43200", "path=/", "samesite=lax", "secure"}
    shown = hub.client.get("/api/v1/session", headers={"Cookie": own})
    assert (shown.json()["data"]["name"], shown.json()["data"]["scopes"]) == ("maria", ["annotate", "read"])
    change = "/api/v1/annotations/nothing:accept"
    assert hub.client.post(change, headers={"Cookie": own}).status_code == 403
    csrf = {"X-CSRF-Token": shown.json()["data"]["csrf_token"]}
    assert hub.client.post(change, headers={"Cookie": own, **csrf}).status_code == 404


def test_the_cookie_on_the_way_comes_back_from_another_site_and_is_no_session(hub):
    answer = hub.get(BEGIN)
    (header,) = answer.headers.get_list("set-cookie")
    value, *attributes = header.split("; ")
    assert {one.lower() for one in attributes} == {"httponly", "max-age=600", "path=/", "samesite=lax", "secure"}
    assert value.startswith("__Host-mmhub-sign-in=")
    secret = value.partition("=")[2]
    assert secret not in answer.headers["location"]
    assert hub.client.get("/api/v1/session", headers={"Cookie": f"{session.COOKIE}={secret}"}).status_code == 401


def test_further_parameters_of_a_provider_are_left_alone(hub):
    assert hub.sign_in(session_state="x", scope="openid", iss=hub.provider.issuer).status_code == 303
    hub.refused(iss="https://elsewhere.example.org", because="another provider")


@pytest.mark.parametrize(
    ("claims", "because"),
    [
        ({"nonce": "0" * 64}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another-client"}, "does not hold: Audience"),
        ({"aud": [CLIENT_ID, "another-client"]}, "another client"),
        ({"azp": "another-client"}, "another client"),
        ({"iss": "https://elsewhere.example.org"}, "does not hold: Invalid issuer"),
        ({"exp": 1_500_000_000}, "does not hold: .*expired"),
        ({"exp": None}, 'does not hold: .*"exp"'),
        ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "does not hold: .*not yet valid"),
        ({"sub": None}, 'does not hold: .*"sub"'),
        ({"sub": 248289761001}, "does not hold: .*Subject"),
    ],
)
def test_an_id_token_that_does_not_hold_signs_nobody_in(hub, claims, because):
    hub.provider.claims = claims
    hub.refused(because=because)


def unsigned(hub):
    return lambda claims: jwt.encode(claims, None, algorithm="none", headers={"kid": "tests"})


def by_another_key(hub):
    return SigningKey.generate().signed


def by_the_public_key_as_a_secret(hub):
    """Return tokens as of who takes the published key for a secret that both sides know (CVE-2016-10555)."""
    secret = hub.provider.key.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def make(claims):
        signed = hub.provider.key.signed(claims, alg="HS256").rpartition(".")[0]
        return f"{signed}.{urlsafe_b64encode(hmac.digest(secret, signed.encode(), 'sha256')).rstrip(b'=').decode()}"

    return make


def under_another_name(hub):
    return lambda claims: hub.provider.key.signed(claims, kid="another")


def with_a_word_changed(hub):
    def make(claims):
        head, body, _ = hub.provider.key.signed(claims).split(".")
        return ".".join((head, body, hub.provider.key.signed({**claims, "sub": "1"}).rpartition(".")[2]))

    return make


@pytest.mark.parametrize(
    "make",
    [unsigned, by_another_key, by_the_public_key_as_a_secret, under_another_name, with_a_word_changed, lambda _: lambda _: "x"],
)
def test_an_id_token_that_the_provider_did_not_sign_signs_nobody_in(hub, make):
    hub.provider.make = make(hub)
    hub.refused(because="the provider's ID token does not hold")


def test_a_key_that_both_sides_know_signs_nobody_in_even_where_the_provider_publishes_one(hub):
    secret = bytes(range(64))
    shared = {"kty": "oct", "alg": "HS256", "kid": "tests", "k": urlsafe_b64encode(secret).rstrip(b"=").decode()}
    hub.provider.published = SimpleNamespace(public_set=lambda: json.dumps({"keys": [shared]}))
    hub.provider.make = lambda claims: jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "tests"})
    hub.refused(because="does not hold: The specified alg value is not allowed")


def test_keys_that_the_provider_changes_are_taken_at_the_next_sign_in(hub):
    assert hub.sign_in().status_code == 303
    hub.provider.key = hub.provider.published = SigningKey.generate()
    assert hub.sign_in().status_code == 303


def test_somebody_whom_the_hub_does_not_know_is_told_the_subject_and_nobody_is_added(hub):
    for sub in ("1", SUB + "0", "x\x00y", "\u00e9"):
        hub.refused(sub=sub, because="mmhub user add NAME --subject SUBJECT")
    assert f"'{hub.provider.issuer}|1'" in hub.sign_in(sub="1").json()["detail"]
    persons.disable(hub.store, "maria", clock=lambda: T0)
    hub.refused(because="the hub knows nobody")


def test_a_subject_of_the_proxy_is_no_subject_of_the_provider(hub):
    persons.add(hub.store, name="paul", clock=lambda: T0, subject="paul@example.org")
    assert hub.sign_in(sub="paul@example.org").status_code == 401


def test_a_way_back_is_gone_once_and_in_the_browser_that_went_there(hub):
    where, secret = hub.begin()
    back = hub.provider.sign_in(where)
    _, others = hub.begin()
    for wrong in (None, "", "x", others, secret + "x"):
        answer = hub.get(CALLBACK, wrong, **back)
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        assert "not begun in this browser" in answer.json()["detail"]
    for state in (None, "", "x", back["state"].upper(), "\u00ff"):
        stated = {**back, "state": state} if state is not None else {"code": back["code"]}
        assert hub.get(CALLBACK, secret, **stated).status_code == 401
    assert hub.get(CALLBACK, secret, **back).status_code == 303
    hub.provider.codes[back["code"]] = {**hub.provider.asked[back["code"]]}  # a provider that takes codes twice
    again = hub.get(CALLBACK, secret, **back)
    assert (again.status_code, "set-cookie" in again.headers) == (401, False)
    assert "this sign-in is over" in again.json()["detail"]


def test_a_code_of_another_sign_in_is_refused_by_its_challenge(hub):
    """As of who puts the code of somebody else into a way back of one's own (RFC 7636, section 1)."""
    stolen = hub.provider.sign_in(hub.begin()[0])["code"]
    where, secret = hub.begin()
    answer = hub.get(CALLBACK, secret, **{**hub.provider.sign_in(where), "code": stolen})
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "sign in again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("stated", "status", "because"),
    [
        ({"error": "access_denied"}, 401, "did not sign you in: access_denied"),
        ({"error": "<b>\u00e9"}, 401, "for a reason of its own"),
        ({"code": ""}, 422, "no code"),
        ({"code": "x" * (oidc.LONGEST_CODE + 1)}, 422, "no code"),
        ({"code": "a\x00b"}, 422, "no code"),
    ],
)
def test_a_way_back_without_a_code_is_a_sentence(hub, stated, status, because):
    where, secret = hub.begin()
    answer = hub.get(CALLBACK, secret, **{**hub.provider.sign_in(where), **stated})
    assert answer.status_code == status
    assert because in answer.json()["detail"]
    assert "<b>" not in answer.text


def test_a_provider_that_is_down_is_a_sentence_and_the_next_sign_in_asks_it_again(hub):
    where, secret = hub.begin()
    back = hub.provider.sign_in(where)
    pages = dict(hub.provider.web.pages)
    hub.provider.web.pages.clear()
    hub.provider.web.answer_all((500, {}, b"down"))
    answer = hub.get(CALLBACK, secret, **back)
    assert (answer.status_code, answer.json()["title"]) == (503, "Provider unavailable")
    assert "the OpenID provider cannot be asked" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers
    assert CLIENT_SECRET not in answer.text
    hub.provider.web.pages.update(pages)
    assert hub.sign_in().status_code == 303


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example.org"},
        {"token_endpoint": "https://elsewhere.example.org/token"},
        {"authorization_endpoint": "https://elsewhere.example.org/"},
        {"jwks_uri": "http://198.51.100.7/keys"},
        {"jwks_uri": None},
    ],
)
def test_a_document_that_leads_elsewhere_sends_nobody_there(hub, document):
    hub.provider.document = document
    answer = hub.get(BEGIN)
    assert (answer.status_code, "location" in answer.headers, "set-cookie" in answer.headers) == (503, False, False)


def test_after_many_ways_back_everybody_has_to_wait(hub):
    where, secret = hub.begin()
    for _ in range(oidc.TRIES_OF_ALL):
        hub.client.app.state.oidc.tries.spend("")
    answer = hub.get(CALLBACK, secret, **hub.provider.sign_in(where))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= oidc.WAY_S
    assert len(hub.provider.web.asked) == 1


def test_no_secret_is_in_any_answer(hub):
    answers = [hub.get(BEGIN), hub.sign_in(), hub.sign_in(sub="1"), hub.get(CALLBACK)]
    assert not [one for one in answers if CLIENT_SECRET in one.text + str(one.headers)]


def test_an_api_without_a_provider_or_that_only_reads_says_so(tmp_path):
    with api(tmp_path, filled=False, submit=never) as (client, _):
        for path in (BEGIN, CALLBACK):
            answer = client.get(path, follow_redirects=False)
            assert answer.status_code == 404
            assert "[oidc]" in answer.json()["detail"]
    with openid_provider(tmp_path) as provider:
        door = OidcDoor(provider=open_provider(settings_of(provider)))
        with api(tmp_path, filled=False, provider=door) as (client, _):
            assert client.get(BEGIN, follow_redirects=False).status_code == 503


def test_the_path_of_the_way_back_is_the_same_in_the_settings_and_in_the_api():
    assert bootstrap_oidc.CALLBACK == oidc.CALLBACK == CALLBACK
