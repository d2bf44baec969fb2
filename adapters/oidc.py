"""Who somebody is, by an OpenID Connect provider: the authorization code flow with PKCE.

The provider's document (OpenID Connect Discovery 1.0, section 4) names where browsers are sent, where the hub hands in the code,
and the keys that sign ID tokens. Only hosts of the settings are asked. An ID token counts if it is signed by one of those keys
with an algorithm that has a public key, and if issuer, audience, expiry and nonce are what was asked for (OpenID Connect Core
1.0, section 3.1.3.7). Nothing else that the provider knows of a person is asked for or kept.
"""

import base64
import hmac
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import jwt
from pydantic import BaseModel, ConfigDict, Field

from adapters.http import Answer, HttpClient
from hub.errors import NotAuthenticated, Permanent, sentence_of

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Of signatures that are taken: none with a secret that both sides know, and never ``none``."""

LEEWAY_S = 60
"""So far may the clocks of hub and provider be apart, seconds."""

MAX_BYTES = 1 << 20
"""Longest answer of a provider."""

DOCUMENT_S = 600.0
"""The provider's document is asked for again after so long, seconds; its keys are asked for at each sign-in."""

_DOCUMENT = "/.well-known/openid-configuration"
_FORM = "application/x-www-form-urlencoded"


class OidcClient(BaseModel):
    """Who the hub is for the provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    """Address of the provider, to the letter as its ID tokens state it."""

    client_id: str
    client_secret: str = Field(repr=False)
    redirect_uri: str
    """Where browsers come back to, registered with the provider."""


class _Document(BaseModel):
    """What the hub needs of a provider's document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class OidcProvider:
    """Asks a provider who somebody is; safe to share between threads."""

    def __init__(self, client: OidcClient, http: HttpClient) -> None:
        self.issuer = client.issuer
        self._client = client
        self._http = http
        self._lock = threading.Lock()
        self._known: tuple[float, _Document] | None = None

    def sign_in_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Return where to send a browser (OpenID Connect Core 1.0, section 3.1.2.1; RFC 7636, section 4.3).

        Parameters
        ----------
        state, nonce
            Come back with the browser, and in the ID token.
        challenge
            SHA-256 of the verifier that `subject` will show, base64url.

        Raises
        ------
        TransportError
            The provider cannot be asked, or its document is not one.
        """
        asked = {
            "response_type": "code",
            "scope": "openid",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = self._document().authorization_endpoint
        return f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}"

    def subject(self, code: str, *, verifier: str, nonce: str) -> str:
        """Return ``sub`` of the person who came back with a code.

        Raises
        ------
        NotAuthenticated
            The provider does not accept the code, or its ID token does not hold.
        TransportError
            The provider cannot be asked.
        """
        document = self._document()
        token = self._id_token(document, code, verifier)
        keys = self._json(self._http.get(document.jwks_uri, headers={"Accept": "application/json"}).demand_success())
        claims = self._claims(token, keys)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise NotAuthenticated("the provider's ID token is of another sign-in (its nonce): sign in again")
        return str(claims["sub"])

    def check(self) -> None:
        """Ask for the provider's document.

        Raises
        ------
        TransportError
            It is not there, or is none.
        """
        self._document()

    def _document(self) -> _Document:
        with self._lock:
            if self._known is not None and time.monotonic() - self._known[0] < DOCUMENT_S:
                return self._known[1]
        where = self.issuer.rstrip("/") + _DOCUMENT
        said = self._json(self._http.get(where, headers={"Accept": "application/json"}).demand_success())
        try:
            found = _Document.model_validate(said)
        except ValueError as error:
            raise Permanent(f"{where} is no document of an OpenID provider") from error
        if found.issuer != self.issuer:
            raise Permanent(sentence_of(f"{where} is of the issuer {found.issuer}, not {self.issuer}"))
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            self._http.demand_allowed(url)
        with self._lock:
            self._known = (time.monotonic(), found)
        return found

    def _id_token(self, document: _Document, code: str, verifier: str) -> str:
        """Hand in a code (OpenID Connect Core 1.0, section 3.1.3.1) and return the ID token that comes for it."""
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if "client_secret_basic" in document.token_endpoint_auth_methods_supported:
            pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"  # RFC 6749, section 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": client.client_id, "client_secret": client.client_secret}
        answer = self._http.post(document.token_endpoint, urlencode(form).encode(), media_type=_FORM, headers=headers)
        if answer.is_refusal:
            why = _error_of(answer)
            if why == "invalid_grant":
                raise NotAuthenticated("the provider does not accept this sign-in any more: sign in again")
            raise Permanent(sentence_of(f"{document.token_endpoint} refuses the hub: {why}; are client_id and secret right?"))
        token = self._json(answer.demand_success()).get("id_token")
        if not isinstance(token, str):
            raise Permanent(f"{document.token_endpoint} answers without an ID token")
        return token

    def _claims(self, token: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an ID token states, once it holds."""
        client_id = self._client.client_id
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                _key_of(token, keys),
                algorithms=ALGORITHMS,
                audience=client_id,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"], "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated(sentence_of(f"the provider's ID token does not hold: {error}")) from error
        audience = claims["aud"]
        if claims.get("azp", client_id if audience in (client_id, [client_id]) else None) != client_id:
            raise NotAuthenticated("the provider's ID token does not hold: it is for another client")
        return claims

    def _json(self, answer: Answer) -> dict[str, Any]:
        said = answer.json()
        if not isinstance(said, dict):
            raise Permanent(f"the answer of {answer.url} is no JSON object")
        return said


def _key_of(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    """Return the provider's key that a token names; it may name none where there is one only.

    Raises
    ------
    jwt.PyJWTError
        There is none.
    """
    name = jwt.get_unverified_header(token).get("kid")
    found = [one for one in jwt.PyJWKSet.from_dict(dict(keys)) if one.public_key_use in (None, "sig")]
    if name is not None:
        found = [one for one in found if one.key_id == name]
    if len(found) != 1:
        raise jwt.InvalidKeyError("it is signed by no key, or by one of several keys, of the provider")
    return found[0]


def _error_of(answer: Answer) -> str:
    """Return the word for an error of RFC 6749, section 5.2, or the status."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    word = said.get("error") if isinstance(said, dict) else None
    return word if isinstance(word, str) else str(answer.status)
