"""Telescope networks behind an observation portal of the Observatory Control System: Las Cumbres, SOAR, Blanco, SAAO.

The portal has no idempotency key: two equal requests are two observations. Our marker is the name of the request group; the
portal searches names by *contains* and without regard to case, so that what it finds is compared here. All of its answers that
are told apart here were seen on the portal itself, which the tests run.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from pydantic import Field, SecretStr, model_validator

from adapters.credentials import token_of
from adapters.http import Answer, HttpClient, ServiceOptions, open_client
from adapters.networks.asking import fault_of, is_number, reasons_of, sent_once, standing
from adapters.networks.ocs_time import quotas
from adapters.networks.ocs_words import (
    OcsInstrument,
    fault_sentences,
    group_state,
    local_faults,
    marker,
    request_group,
)
from hub.errors import NetworkRefused, NotFound, Permanent, TransportError, sentence_of
from hub.model.followup import Intent, Urgency
from hub.model.instant import Instant
from hub.ports import DryRun, PartContext, Quota, RemoteState

KIND = "ocs"
"""What the settings call it."""

MAX_BYTES = 8 * 2**20
"""Longest answer: a request group has some kilobytes, a page a hundred of them."""

PAGE = 100
"""Request groups that are asked for at once in a search."""

MAX_PAGES = 20
"""Pages of a search; a marker is met once, or as often as somebody copied the request."""

_GROUPS = "/api/requestgroups/"


class Options(ServiceOptions):
    """A network behind an observation portal of the OCS (Las Cumbres, SOAR, Blanco, SAAO): which, as whom, and with what."""

    url: str = Field(description="Address of the portal, without the path /api; there is none by default")
    token: SecretStr = Field(SecretStr(""), description="API token of the account; in the environment or in token_file")
    token_file: str = Field("", description="File that holds the token and nothing else")
    proposal: str = Field("", description="Proposal whose time is used")
    proposals: dict[Urgency, str] = Field(
        {}, description="Other proposals by urgency: normal, time_critical, rapid_response; without either none such is asked for"
    )
    instruments: dict[str, OcsInstrument] = Field(min_length=1, description="Types of instruments that may be asked for")
    ipp_value: float = Field(
        1.0, ge=0.5, le=2.0, description="Weight among the requests of the proposal; more than 1 costs extra"
    )
    min_lunar_distance_deg: float = Field(30.0, ge=0, le=180, description="Smallest distance to the Moon, degrees")
    answer_s: float = Field(60.0, gt=0, le=290, description="Longest silence of the portal, seconds; a first answer may take 20")

    @model_validator(mode="after")
    def _has_proposal(self) -> Self:
        if not self.proposal and not any(self.proposals.values()):
            raise ValueError("proposal is missing, or proposals = { normal = ..., time_critical = ..., rapid_response = ... }")
        return self

    def proposal_for(self, urgency: Urgency) -> str:
        """Return the proposal that pays for requests of an urgency; empty where none does."""
        return self.proposals.get(urgency, self.proposal)


@contextmanager
def open_network(options: Options, context: PartContext) -> Iterator["OcsNetwork"]:
    """Give the network of some options; it holds nothing that needs closing.

    Raises
    ------
    ConfigError
        There is no token, or the address is not one that may be asked.
    """
    where = f"networks.{context.name}"
    token = token_of(options.token, options.token_file, where, context.data_dir)
    client = open_client(options, options.url, where, context.data_dir, max_bytes=MAX_BYTES)
    yield OcsNetwork(options, client, token, context)


def check(options: Options, context: PartContext) -> list[str]:
    """Ask the portal once whether it knows the account, its proposals and the instruments; return what is wrong, in sentences."""
    with open_network(options, context) as network:
        try:
            return network.faults()
        except TransportError as error:
            return [str(error)]


class OcsNetwork:
    """A `hub.ports.TelescopeNetwork` behind an observation portal."""

    can_find = True
    can_cancel = True
    is_simulated = False

    def __init__(self, options: Options, client: HttpClient, token: str, context: PartContext) -> None:
        self.name = context.name
        self.host = urlsplit(options.url).hostname
        self._options = options
        self._client = client
        self._clock = context.clock
        self._base = options.url.rstrip("/")
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be sent, and what the portal says to it; it books nothing.

        Raises
        ------
        TransportError
            The portal does not answer.
        """
        if faults := self._local_faults(intent):
            return DryRun(payload={}, reasons=tuple(faults))
        payload = self._payload(intent)
        answer = self._post(f"{_GROUPS}validate/", payload)
        if answer.status != 200:
            if answer.is_refusal:
                return DryRun(payload=payload, reasons=tuple(self._refusals(answer)))
            raise self._fault(answer)
        said = _mapping(answer)
        if reasons := fault_sentences(said.get("errors")):  # of a bad request too the status is 200
            return DryRun(payload=payload, reasons=tuple(reasons))
        durations = said.get("request_durations")
        if not isinstance(durations, Mapping) or not isinstance(durations.get("duration"), int | float):
            raise Permanent(f"{self.name}'s answer to a trial has no duration")
        return DryRun(payload=payload, reasons=(), duration_s=float(durations["duration"]))

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which the network cannot take this intent; empty where it can.

        A portal that does not answer gives none: a submission, which asks the same, says what is wrong with the connection.
        """
        try:
            return list(self.dry_run(intent).reasons)
        except TransportError:
            return []

    def submit(self, intent: Intent) -> RemoteState:
        """Ask for the observation, once.

        Raises
        ------
        NetworkRefused
            The portal said no, with its reasons.
        Transient
            Nothing was booked: no byte was sent, or the portal answered 429.
        TransportError
            The outcome is unknown.
        """
        if faults := self._local_faults(intent):
            raise NetworkRefused("; ".join(faults))
        with sent_once(self.name, "request"):
            answer = self._post(_GROUPS, self._payload(intent))
        if answer.status == 201:
            return group_state(_mapping(answer), ())
        if answer.status == 429:
            raise self._fault(answer)
        if answer.is_refusal:
            raise NetworkRefused("; ".join(self._refusals(answer)))
        raise TransportError(f"{self.name} answered {answer.status} in place of 201; whether it has the request is unknown")

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Return the request that carries our id, None where there is none.

        Of several (somebody copied one), the one that is not over yet, else the first.

        Raises
        ------
        TransportError
            The portal does not answer, or not to this account.
        """
        name = marker(intent_id)
        found = [group for group in self._named(name) if group.get("name") == name]
        return standing(self._state(group) for group in found)

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a request.

        Raises
        ------
        NotFound
            There is no such request.
        TransportError
            The portal does not answer, or not to this account.
        """
        return self._state(self._demand(self._get(self._place(remote_id)), remote_id))

    def cancel(self, remote_id: str) -> RemoteState:
        """Withdraw a request; repeating it does no harm.

        Raises
        ------
        NetworkRefused
            It is too late: the request has ended.
        NotFound
            There is no such request.
        TransportError
            The portal does not answer, or not to this account.
        """
        answer = self._post(f"{self._place(remote_id)}cancel/", {})
        if answer.status == 400:
            raise NetworkRefused(f"request {remote_id} cannot be cancelled: {'; '.join(self._refusals(answer))}")
        return self._state(self._demand(answer, remote_id))

    def quota(self) -> tuple[Quota, ...]:
        """Return the time that is left in this semester of each proposal, urgency and instrument that the settings name, hours.

        Raises
        ------
        TransportError
            The portal does not answer, or not to this account.
        """
        semesters = self._semesters()
        found: list[Quota] = []
        for proposal, urgencies in self._urgencies().items():
            document = self._proposal(proposal)
            if document is not None:
                found += quotas(document, urgencies, self._options.instruments, semesters)
        return tuple(found)

    def faults(self) -> list[str]:
        """Return what of the settings the portal does not know, sentences; it books nothing.

        Raises
        ------
        TransportError
            The portal does not answer, or not to this account.
        """
        known, said = _mapping(self._successful(self._get("/api/instruments/"))), []
        for name, instrument in self._options.instruments.items():
            said += instrument.faults(name, known.get(name), network=self.name)
        semesters = self._semesters()
        for proposal, urgencies in self._urgencies().items():
            document = self._proposal(proposal)
            if document is None:
                said.append(f"{self.name} has no proposal {proposal}, or this account is not a member of it")
            elif not document.get("active"):
                said.append(f"the proposal {proposal} is not active")
            elif not quotas(document, urgencies, self._options.instruments, semesters):
                said.append(f"the proposal {proposal} has no time on {', '.join(self._options.instruments)} in this semester")
        return said

    def _urgencies(self) -> dict[str, list[Urgency]]:
        """Return what each proposal pays for."""
        found: dict[str, list[Urgency]] = {}
        for urgency in Urgency:
            if proposal := self._options.proposal_for(urgency):
                found.setdefault(proposal, []).append(urgency)
        return found

    def _proposal(self, name: str) -> Mapping[str, Any] | None:
        answer = self._get(f"/api/proposals/{quote(name, safe='')}/")
        return None if answer.status == 404 else _mapping(self._successful(answer))

    def _semesters(self) -> dict[str, Instant]:
        """Return the semesters that it is now, and when each ends."""
        query = urlencode({"semester_contains": self._clock().to_utc_iso()})
        results = _mappings(_mapping(self._successful(self._get(f"/api/semesters/?{query}"))).get("results"))
        try:
            return {str(one["id"]): Instant.from_utc_iso(one["end"]) for one in results}
        except (KeyError, TypeError, ValueError) as error:
            raise Permanent(f"{self.name}'s answer about semesters is not what was agreed upon") from error

    def _local_faults(self, intent: Intent) -> list[str]:
        faults = local_faults(intent, self._options.instruments, self._clock())
        if not self._options.proposal_for(intent.urgency):
            faults.append(f"{self.name} has no proposal that pays for {intent.urgency} requests")
        return faults

    def _payload(self, intent: Intent) -> dict[str, Any]:
        options = self._options
        return request_group(
            intent,
            options.instruments[intent.instrument],
            self._clock(),
            proposal=options.proposal_for(intent.urgency),
            ipp_value=options.ipp_value,
            min_lunar_distance_deg=options.min_lunar_distance_deg,
        )

    def _state(self, group: Mapping[str, Any]) -> RemoteState:
        observations: list[Mapping[str, Any]] = []
        if group.get("state") == "PENDING":
            for request in _mappings(group.get("requests")):
                answer = self._get(f"/api/requests/{request.get('id')}/observations/")
                observations += _mappings(self._successful(answer).json())
        return group_state(group, observations)

    def _named(self, name: str) -> list[Mapping[str, Any]]:
        """Return every request group whose name contains a text."""
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            query = urlencode({"name": name, "limit": PAGE, "offset": len(found)})
            page = _mapping(self._successful(self._get(f"{_GROUPS}?{query}")))
            results, count = _mappings(page.get("results")), page.get("count")
            if not isinstance(count, int) or "results" not in page:
                raise Permanent(f"{self.name}'s answer to a search is no list")
            found += results
            if not results or len(found) >= count:
                return found
        raise Permanent(f"{self.name} has more than {len(found)} requests with the name {name}")

    def _place(self, remote_id: str) -> str:
        if not is_number(remote_id):
            raise NotFound(f"{self.name} has no request {sentence_of(remote_id)}")
        return f"{_GROUPS}{remote_id}/"

    def _demand(self, answer: Answer, remote_id: str) -> Mapping[str, Any]:
        if answer.status == 404:
            raise NotFound(f"{self.name} has no request {remote_id}, or does not show it to this account")
        return _mapping(self._successful(answer))

    def _successful(self, answer: Answer) -> Answer:
        if answer.status != 200:
            raise self._fault(answer)
        return answer

    def _fault(self, answer: Answer) -> TransportError:
        return fault_of(answer, self.name, self._refusals(answer))

    def _refusals(self, answer: Answer) -> list[str]:
        return reasons_of(answer, self.name, fault_sentences)

    def _get(self, path: str) -> Answer:
        return self._client.get(self._base + path, headers=self._headers)

    def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        text = json.dumps(body, allow_nan=False).encode()
        return self._client.post(self._base + path, text, media_type="application/json", headers=self._headers)


def _mapping(answer: Answer) -> Mapping[str, Any]:
    said = answer.json()
    if not isinstance(said, dict):
        raise Permanent(sentence_of(f"the answer of {answer.url} is not what was agreed upon"))
    return said


def _mappings(said: object) -> list[Mapping[str, Any]]:
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
