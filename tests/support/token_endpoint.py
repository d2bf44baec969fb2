"""A small OIDC token endpoint: client credentials in, a signed token out, and all the ways in which that goes wrong."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "kafka-of-the-tests"
CLIENT_ID = "observatory"
CLIENT_SECRET = "correct-secret"

LIFE_S = 3600
"""How long a good token lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An RSA key that signs JSON web tokens (RS256, RFC 7515 and RFC 7518 section 3.3)."""

    key: rsa.RSAPrivateKey

    @classmethod
    def generate(cls) -> "SigningKey":
        """Return a new key."""
        return cls(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def public_set(self) -> str:
        """Return the public half as a JWKS document (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        parts = {
            name: _url_safe(value.to_bytes(-(-value.bit_length() // 8))) for name, value in (("n", numbers.n), ("e", numbers.e))
        }
        return json.dumps({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "tests", **parts}]})

    def token(self, *, issued_at: float, life_s: float) -> str:
        """Return a token for the client of the tests."""
        claims = {"sub": CLIENT_ID, "aud": AUDIENCE, "scope": "kafka", "iat": int(issued_at), "exp": int(issued_at + life_s)}
        return self.signed(claims)

    def signed(self, claims: dict[str, object], **header: object) -> str:
        """Return a token of some claims; whatever the header says, it is signed as RS256 is."""
        signed = ".".join(
            _url_safe(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "tests", "typ": "JWT", **header}, claims)
        )
        return f"{signed}.{_url_safe(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class TokenEndpoint:
    """What the running endpoint answers; change `fault` or `life_s` and the next request sees it."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.url = ""
        self.fault: int | None = None
        """An HTTP status to answer everyone with, e.g. 500; None is well."""
        self.issued_ago_s = 0.0
        """How old a token is when it is handed out, seconds."""
        self.life_s: float = LIFE_S
        """Lifetime of a token from its issue, seconds; less than `issued_ago_s` makes it expired."""
        self.requests = 0
        """How often somebody asked."""

    def answer(self, authorization: str, form: str) -> tuple[int, dict[str, object]]:
        """Return status and body for a request."""
        self.requests += 1
        if self.fault is not None:
            return self.fault, {"error": "server_error"}
        wanted = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != wanted or "grant_type=client_credentials" not in form:
            return 401, {"error": "invalid_client", "error_description": "Client authentication failed"}
        token = self.key.token(issued_at=time.time() - self.issued_ago_s, life_s=self.life_s)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": int(self.life_s - self.issued_ago_s)}


@contextmanager
def token_endpoint(key: SigningKey, port: int = 0) -> Iterator[TokenEndpoint]:
    """Give an endpoint on loopback, on a free port where none is named, in a thread."""
    endpoint = TokenEndpoint(key)

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status, body = endpoint.answer(self.headers.get("Authorization", ""), form)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    endpoint.url = f"http://127.0.0.1:{httpd.server_port}/oauth2/token"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, name="token endpoint")
    thread.start()
    try:
        yield endpoint
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def _url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
