"""Requests to Swift, by its target-of-opportunity service.

The form and its checks are those of the package swifttools (4.0.5, MIT); the bytes go through the hub's own client. That package
sends by itself when an object is made, to an address of production unless an environment variable says otherwise; it logs in at
that address whatever address an object has; it follows redirects of what it posts; and to it a broken connection, an error 500
and a no are all ``Rejected``, which would have a request sent twice. None of this is wanted here: it is asked to check, and never
to send. A test has it send the same form to the same server, to see that both write the same.

What the service does was read in that client; no server was at hand, so that its side is believed. There is no way to cancel:
that is declared, and a person is told.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field, SecretStr, field_validator

from adapters.credentials import secret_of
from adapters.http import Answer, HttpClient, ServiceOptions, open_client
from adapters.networks.asking import fault_of, is_number, reasons_of, sent_once, standing, unknown
from adapters.networks.swift_words import (
    MARKER_LENGTH,
    SwiftForm,
    SwiftTexts,
    checked,
    form_text,
    job_status,
    local_faults,
    marker_in,
    refusals,
    request_form,
    request_state,
)
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient, TransportError, sentence_of
from hub.model.followup import Intent, RequestState
from hub.ports import DryRun, PartContext, Quota, RemoteState

KIND = "swift"
"""What the settings call it."""

MAX_BYTES = 16 * 2**20
"""Longest answer: a page of requests has some hundred kilobytes."""

PAGE = 100
"""Requests that are asked for at once in a search."""

MAX_PAGES = 10
"""Pages of a search."""

LOOK_BACK_D = 30.0
"""How far back own requests are looked for, days; an unknown fate is looked up within hours."""

SESSION = "session"
"""Name of the cookie that a login gives."""

_TOO = "/swift/too"


class Options(ServiceOptions):
    """Swift's service for targets of opportunity: as whom, how, and with which words."""

    url: str = Field(description="Root of the service with its version, .../api/vN; there is none by default")
    username: str = Field(min_length=1, description="Name of the account; anonymous ones cannot ask for anything")
    secret: SecretStr = Field(SecretStr(""), description="Shared secret of the account; in the environment or in secret_file")
    secret_file: str = Field("", description="File that holds the secret and nothing else")
    debug: bool = Field(True, description="Rehearse only: the service checks and keeps nothing; false asks for observations")
    instruments: tuple[Literal["XRT", "UVOT", "BAT"], ...] = Field(
        ("XRT", "UVOT"), min_length=1, description="Instruments that may be asked for"
    )
    form: SwiftForm = Field(SwiftForm(), description="What every request says alike")
    texts: SwiftTexts = Field(description="Texts that a person has agreed to, with places such as {event} and {target}")
    answer_s: float = Field(120.0, gt=0, le=290, description="Longest silence of the service, seconds")

    @field_validator("username")
    @classmethod
    def _is_somebody(cls, name: str) -> str:
        if name == "anonymous":
            raise ValueError("the account anonymous cannot ask for observations")
        return name


@contextmanager
def open_network(options: Options, context: PartContext) -> Iterator["Swift"]:
    """Give the service of some options; it holds nothing that needs closing.

    Raises
    ------
    ConfigError
        There is no secret, the address is not one that may be asked, or swifttools is not installed.
    """
    where = f"networks.{context.name}"
    if find_spec("swifttools") is None:
        raise ConfigError(f"{where}: requests to Swift need the package swifttools: pip install multimessenger-hub[swift]")
    secret = secret_of(options.secret, options.secret_file, f"{where}.secret_file", context.data_dir)
    if not secret:
        raise ConfigError(f"{where}: secret (in the environment) or secret_file is missing")
    client = open_client(options, options.url, where, context.data_dir, max_bytes=MAX_BYTES)
    yield Swift(options, client, secret, context)


def check(options: Options, context: PartContext) -> list[str]:
    """Log in once, and return what is wrong, in sentences; nothing is asked for."""
    with open_network(options, context) as network:
        try:
            network.log_in()
        except TransportError as error:
            return [str(error)]
    return []


class Swift:
    """A `hub.ports.TelescopeNetwork` in orbit."""

    can_find = True
    can_cancel = False
    is_simulated = False

    def __init__(self, options: Options, client: HttpClient, secret: str, context: PartContext) -> None:
        self.name = context.name
        self.host = urlsplit(options.url).hostname
        self._options = options
        self._client = client
        self._secret = secret
        self._clock = context.clock
        self._base = options.url.rstrip("/")
        self._cookie = ""

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be sent, and what the service says to it (``validate_only``); it keeps nothing.

        Raises
        ------
        TransportError
            The service does not answer, or not to this account.
        """
        form, faults = self._form(intent)
        if faults:
            return DryRun(payload={}, reasons=tuple(faults))
        answer = self._sent(form | {"validate_only": True, "debug": True})
        if answer.status == 401 or answer.is_passing:
            raise self._fault(answer)
        said = answer.json()
        if reasons := refusals(said):
            return DryRun(payload=form, reasons=tuple(reasons))
        if not 200 <= answer.status < 300 or not isinstance(said, dict):
            return DryRun(payload=form, reasons=(f"{self.name} answered {answer.status}",))
        return DryRun(payload=form, reasons=(), duration_s=float(form["exposure"]))

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which the network cannot take this intent; empty where it can. Nobody is asked."""
        return self._form(intent)[1]

    def submit(self, intent: Intent) -> RemoteState:
        """Ask for the observation, once; with ``debug`` the service only rehearses, which is a refusal here.

        That it is ``Accepted`` says that the request is there: what Swift decides about it `status` tells.

        Raises
        ------
        NetworkRefused
            The service said no, with its reasons, or it was a rehearsal.
        Transient
            Nothing was sent, or the service answered 429.
        TransportError
            The outcome is unknown.
        """
        form, faults = self._form(intent)
        if faults:
            raise NetworkRefused("; ".join(faults))
        try:
            self.log_in()
        except TransportError as error:
            raise Transient(f"{error}; nothing was sent") from error
        answer = self._sent(form | {"debug": self._options.debug})
        if answer.status == 429:
            raise self._fault(answer)
        if answer.is_refusal:
            raise NetworkRefused("; ".join(self._refusals(answer)))
        if not 200 <= answer.status < 300:
            raise TransportError(f"{self.name} answered {answer.status}; {unknown(self.name, 'request')}")
        with sent_once(self.name, "request"):
            said = answer.json()
        word, number, errors = job_status(said) if isinstance(said, dict) else ("", None, [])
        if word == "Rejected":
            raise NetworkRefused("; ".join(errors) or f"{self.name} rejected the request")
        if self._options.debug and word == "Accepted":
            raise NetworkRefused(f"{self.name} took the rehearsal (debug = true): no observation was asked for")
        if word != "Accepted" or number is None:
            raise TransportError(
                f"{self.name} answered {sentence_of(word) or 'without a status'} and no number; {unknown(self.name, 'request')}"
            )
        return RemoteState(remote_id=str(number), remote_state=word, state=RequestState.SUBMITTED.value, reason="not decided yet")

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Return the request that carries our id, None where there is none.

        Of several, the one that is not over yet, else the first.

        Raises
        ------
        TransportError
            The service does not answer, or not to this account.
        """
        begin = self._clock().plus_s(-LOOK_BACK_D * 86_400.0).to_utc_iso()[:19].replace("T", " ")
        query = {"username": self._options.username, "begin": begin, "detail": "true"}
        wanted = intent_id[:MARKER_LENGTH]
        own = [one for one in self._entries(query) if marker_in(str(one.get("target_name") or "")) == wanted]
        return standing(request_state(one) for one in own)

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a request.

        Raises
        ------
        NotFound
            There is no such request.
        TransportError
            The service does not answer, or not to this account.
        """
        if not is_number(remote_id):
            raise NotFound(f"{self.name} has no request {sentence_of(remote_id)}")
        found = [one for one in self._entries({"too_id": remote_id}) if one.get("too_id") == int(remote_id)]
        if not found:
            raise NotFound(f"{self.name} has no request {remote_id}")
        return request_state(found[0])

    def cancel(self, remote_id: str) -> RemoteState:
        """Refuse: the service has no way to cancel."""
        raise NetworkRefused(f"{self.name} has no way to cancel: a person must ask the observatory to drop request {remote_id}")

    def quota(self) -> tuple[Quota, ...]:
        """Return nothing: the service tells no limit."""
        return ()

    def log_in(self) -> None:
        """Get a session.

        Raises
        ------
        Transient, Permanent
            There is none, with the reason.
        """
        text = json.dumps({"username": self._options.username, "password": self._secret}).encode()
        answer = self._client.post(f"{self._base}/login", text, media_type="application/json")
        if answer.status in (400, 401, 403, 422):
            raise Permanent(f"{self.name} does not accept the name and secret ({answer.status})")
        answer.demand_success()
        name, _, value = answer.headers.get("set-cookie", "").partition(";")[0].partition("=")
        if name.strip() != SESSION or not value:
            raise Permanent(f"{self.name}'s answer to the login has no cookie {SESSION}")
        self._cookie = f"{SESSION}={value.strip()}"

    def _form(self, intent: Intent) -> tuple[dict[str, Any], list[str]]:
        options = self._options
        if faults := local_faults(intent, options.form, options.instruments, self._clock()):
            return {}, faults
        return checked(request_form(intent, options.form, options.texts, username=options.username))

    def _sent(self, form: Mapping[str, Any]) -> Answer:
        body = urlencode(form_text(form)).encode()
        if not self._cookie:
            self.log_in()
        with sent_once(self.name, "request"):
            return self._client.post(
                self._base + _TOO, body, media_type="application/x-www-form-urlencoded", headers=self._headers()
            )

    def _entries(self, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Return the requests of a listing, all pages; an answer that is none is never an empty one."""
        self.log_in()
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            page = urlencode({**query, "limit": PAGE, "offset": len(found)})
            answer = self._client.get(f"{self._base}{_TOO}?{page}", headers=self._headers())
            if answer.status != 200:
                raise self._fault(answer)
            said = answer.json()
            entries = said.get("entries") if isinstance(said, dict) else None
            if not isinstance(entries, list) or job_status(said)[0] == "Rejected" or refusals(said):
                raise Permanent(
                    f"{self.name}'s answer is no list of requests{': ' if (why := refusals(said)) else ''}{'; '.join(why)}"
                )
            new = [one for one in entries if isinstance(one, dict)]
            found += new
            if len(new) < PAGE:
                return found
        raise Permanent(f"{self.name} has more than {len(found)} requests of this account")

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self._cookie, "Accept": "application/json"}

    def _fault(self, answer: Answer) -> TransportError:
        return fault_of(answer, self.name, self._refusals(answer))

    def _refusals(self, answer: Answer) -> list[str]:
        return reasons_of(answer, self.name, refusals, credential="name and secret")
