"""An OpenID provider on loopback, over https with a certificate of its own: real signed tokens, and all the ways they go wrong."""

import base64
import hashlib
import json
import secrets
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlsplit

from tests.support.token_endpoint import SigningKey
from tests.support.web import web

CLIENT_ID = "mmhub"
CLIENT_SECRET = "secret of the client: 100 %"  # has to be encoded twice


class Provider:
    """What the running provider does; change it, and the next request sees it."""

    def __init__(self, served):
        self.web = served
        self.issuer = f"https://localhost:{served.port}/realms/tests"
        self.key = self.published = SigningKey.generate()
        self.claims = {}
        """Of ID tokens, in place of the right ones; None leaves one out."""
        self.make = None
        """Makes the ID token of its claims, in place of the signing key."""
        self.document = {}
        """Of its document, in place of the right ones."""
        self.codes = {}
        """What each code that was not handed in yet is for."""
        self.asked = {}
        """What each code was for."""
        here = "/realms/tests/{}".format
        served.pages[here(".well-known/openid-configuration")] = self._document
        served.pages[here("keys")] = lambda _: (200, {}, self.published.public_set().encode())
        served.pages[here("token")] = self._token

    def sign_in(self, url, sub="248289761001", **more):
        """Return what a browser is sent back with once its person has signed in here: the parameters of the way back."""
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        assert url.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(12)
        self.codes[code] = self.asked[code] = {**asked, "sub": sub}
        return {"code": code, "state": asked["state"], **more}

    def _document(self, _):
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **self.document,
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    def _token(self, request):
        form = {name: values[0] for name, values in parse_qs(request.sent_body.decode()).items()}
        if request.headers["Authorization"] != _basic(CLIENT_ID, CLIENT_SECRET):
            return 401, {}, b'{"error": "invalid_client"}'
        asked = self.codes.pop(form["code"], None)
        shown = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or shown != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {}, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": asked["sub"],
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        claims = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        token = (self.make or self.key.signed)(claims)
        return 200, {}, json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token}).encode()


def _basic(name, password):
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(password)}".encode()).decode()


@contextmanager
def openid_provider(folder):
    """Give a provider on a free port; the certificate of its authority lies in the folder."""
    with web(folder, "localhost") as served:
        yield Provider(served)
