"""The Treasure Map: where observers tell where they point, have pointed, or no longer will because of a gravitational wave.

It asks no telescope. As a network it takes an intent as a report of planned pointings; besides, it gives what others report, to
be counted as searched and left out of plans, and withdraws all that is planned for an event that was retracted.

What is known of it was seen on the server itself (TheTreasureMap/gwtm) or read in its source:

- a duplicate is accepted in spite of its own check, which compares ``POINT(`` with ``POINT (`` and so never finds one;
- what is wrong with one pointing of several stands in ``ERRORS`` of a 200, so that the numbers are counted here;
- a right ascension of 400 degrees is accepted, so that places are checked here;
- only planned pointings can be cancelled, and only the count in a sentence says how many were: it is read back here.

It has no field for a marker, so that it declares that it cannot find: an unknown fate waits for a person. Whoever sends a
report again does no harm, since it is looked for first, by event, instrument, band, time and place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.http import Answer, HttpClient, HttpOptions
from adapters.networks.treasure_map_words import (
    MapInstrument,
    complaints,
    event_name,
    is_same,
    local_faults,
    on_sky,
    outlines,
    place_faults,
    place_of,
    planned,
    together,
)
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient, TransportError, sentence_of
from hub.model.followup import Intent, RequestState
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import DryRun, PartContext, Quota, RemoteState

KIND = "treasure-map"
"""What the settings call it."""

MAX_BYTES = 64 * 2**20
"""Longest answer: an event has had some ten thousand pointings, a row some hundred bytes."""

MAX_FOOTPRINTS = 500
"""Most detectors of one instrument whose outlines are taken."""

_POINTINGS = "/api/v1/pointings"


class Options(BaseModel):
    """The Treasure Map of pointings because of gravitational-wave events: as whom, and with which instruments."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    url: str = Field(description="Address of the map, without the path /api; there is none by default")
    hosts: tuple[str, ...] = Field(min_length=1, description="Hosts that may be asked; that of the address must be among them")
    token: SecretStr = Field(SecretStr(""), description="API token of the account; in the environment or in token_file")
    token_file: str = Field("", description="File that holds the token and nothing else")
    user: str = Field("", description="Name of the account on the map: its own pointings are not counted as those of others")
    instruments: dict[str, MapInstrument] = Field({}, description="Instruments that the hub reports of, by name")
    ca_file: str = Field("", description="Certificates (PEM) to trust instead of the system's")
    allow_loopback: bool = Field(False, description="Also speak plain http to this machine; for trials")
    answer_s: float = Field(60.0, gt=0, le=290, description="Longest silence of the map, seconds")


@contextmanager
def open_network(options: Options, context: PartContext) -> Iterator["TreasureMap"]:
    """Give the map of some options; it holds nothing that needs closing.

    Raises
    ------
    ConfigError
        There is no token, or the address is not one that may be asked.
    """
    where = f"networks.{context.name}"
    token = options.token.get_secret_value() or _from_file(options.token_file, where, context.data_dir)
    if not token.isascii() or not token.isprintable() or not token.strip() or " " in token:
        raise ConfigError(f"{where}: token (in the environment) or token_file is missing, or is no token")
    client = HttpClient(
        HttpOptions(
            hosts=options.hosts,
            ca_file=Path(options.ca_file) if options.ca_file else None,
            allow_loopback=options.allow_loopback,
            max_bytes=MAX_BYTES,
            read_s=options.answer_s,
            total_s=options.answer_s + 30.0,
        )
    )
    try:
        client.demand_allowed(options.url)
    except Permanent as error:
        raise ConfigError(f"{where}.url: {error}") from error
    yield TreasureMap(options, client, token, context)


class TreasureMap:
    """A `hub.ports.TelescopeNetwork` that is a register of pointings, and a `hub.ports.ReportsPointings`."""

    can_find = False
    can_cancel = True
    is_simulated = False
    is_of_events = True

    def __init__(self, options: Options, client: HttpClient, token: str, context: PartContext) -> None:
        self.name = context.name
        self.host = urlsplit(options.url).hostname
        self._options = options
        self._client = client
        self._base = options.url.rstrip("/")
        self._headers = {"api_token": token, "Accept": "application/json"}
        self._outlines: dict[int, list[list[tuple[float, float]]]] = {}

    # ------------------------------------------------------------------------------------------------------ as a network

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be reported; the map itself has no trial, so that it is not asked."""
        if faults := local_faults(intent, self._options.instruments):
            return DryRun(payload={}, reasons=tuple(faults))
        return DryRun(payload=self._payload(intent), reasons=())

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which an intent cannot be reported; empty where it can."""
        return local_faults(intent, self._options.instruments)

    def submit(self, intent: Intent) -> RemoteState:
        """Report the intent as planned pointings, once: what the map has of it already is not sent again.

        Where the map takes some bands of it and not others, those that it took are withdrawn again.

        Raises
        ------
        NetworkRefused
            The map said no, with its reasons.
        Transient
            Nothing was stored: the map could not be asked what it has, no byte was sent, or it answered 429.
        TransportError
            The outcome is unknown.
        """
        if faults := local_faults(intent, self._options.instruments):
            raise NetworkRefused("; ".join(faults))
        try:
            there = self._reported(intent)
        except TransportError as error:
            raise Transient(f"{error}; nothing was sent") from error
        missing = [pointing for pointing, row in there if row is None]
        rows = [row for _, row in there if row is not None]
        numbers: list[int] = []
        if missing:
            numbers, errors = self._stored({"graceid": intent.event_id, "pointings": missing})
            if errors or len(numbers) != len(missing):
                if numbers:
                    self._cancel(numbers)
                raise NetworkRefused("; ".join(errors) or f"{self.name} took {len(numbers)} of {len(missing)} pointings")
        return together([*rows, *({"id": number, "status": PointingStatus.PLANNED.value} for number in numbers)])

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Refuse: what the map holds bears no id of ours; `find` compares what it holds with the intent itself."""
        raise NotFound(f"{self.name} stores no marker of a request")

    def find(self, intent: Intent) -> RemoteState | None:
        """Return the report of an intent, None where there is none: of each band the first row that says the same.

        Raises
        ------
        TransportError
            The map does not answer, or not to this account.
        """
        if local_faults(intent, self._options.instruments):
            return None
        rows = [row for _, row in self._reported(intent) if row is not None]
        return together(rows) if rows else None

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a report.

        Raises
        ------
        NotFound
            The map does not have all of its pointings.
        TransportError
            The map does not answer, or not to this account.
        """
        numbers = self._numbers(remote_id)
        rows = [row for row in self._rows({"ids": f"[{','.join(map(str, numbers))}]"}) if row.get("id") in numbers]
        if len({_number_of(row) for row in rows}) != len(numbers):
            raise NotFound(f"{self.name} does not have the pointings {remote_id}")
        return together(rows)

    def cancel(self, remote_id: str) -> RemoteState:
        """Withdraw what is still planned of a report; repeating it does no harm.

        Raises
        ------
        NetworkRefused
            It is completed.
        NotFound
            The map does not have it.
        TransportError
            The map does not answer, or not to this account.
        """
        present = self.status(remote_id)
        if present.state == RequestState.ACCEPTED:
            self._cancel(self._numbers(remote_id))
            present = self.status(remote_id)  # the count in the answer's sentence is no proof
        if present.state == RequestState.COMPLETED:
            raise NetworkRefused(f"the pointings {remote_id} cannot be cancelled: they are completed")
        return present

    def quota(self) -> tuple[Quota, ...]:
        """Return nothing: no limit of the map is known."""
        return ()

    # ------------------------------------------------------------------------------------------------- as a register

    def report(self, event_id: str, pointings: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
        """Report pointings in the map's words, which names ``id`` of a planned one to be completed; return their numbers.

        What the map has already is not sent again: it would be there twice.

        Parameters
        ----------
        event_id
            Of the event.
        pointings
            Each with ``ra``, ``dec``, ``instrumentid``, ``time``, ``status``; a completed one also ``band``, ``depth`` and
            ``depth_unit``.

        Raises
        ------
        NetworkRefused
            The map, or a check here, refuses one of them; the sentences say which. What it took of the others stands.
        TransportError
            The outcome is unknown; reporting again is safe, since what is there is looked up.
        """
        name = self._event(event_id)
        for number, pointing in enumerate(pointings, start=1):
            if faults := _report_faults(pointing):
                raise NetworkRefused("; ".join(f"pointing {number}: {fault}" for fault in faults))
        rows = sorted(self._rows({"graceid": name}), key=_number_of)
        there = [
            next((row for row in rows if row.get("status") == one["status"] and is_same(row, one)), None) for one in pointings
        ]
        new = [dict(one) for one, row in zip(pointings, there, strict=True) if row is None]
        stored: list[int] = []
        if new:
            stored, errors = self._stored({"graceid": name, "pointings": new})
            if errors or len(stored) != len(new):
                raise NetworkRefused("; ".join(errors) or f"{self.name} took {len(stored)} of {len(new)} pointings")
        numbers = iter(stored)
        return tuple(next(numbers) if row is None else _number_of(row) for row in there)

    def pointings_of(self, event_id: str, begin: Instant, end: Instant) -> list[Mapping[str, Any]]:
        """Return what others report of an event, one row for each detector, in the words of `hub.services.pointings`.

        All of it, whatever the span: it is of the event.

        Each has ``footprint`` as corners, and ``id`` as ``number`` or ``number/detector``. What cannot be placed is left out
        by whoever reads the rows, with a reason; what this account reported is left out here.

        Raises
        ------
        NotFound
            The event is of no kind that the map has.
        TransportError
            The map does not answer, or not to this account.
        """
        name = self._event(event_id)
        found: list[Mapping[str, Any]] = []
        for row in sorted(self._rows({"graceid": name}), key=_number_of):
            if self._options.user and row.get("username") == self._options.user:
                continue
            found += self._placed(row, name)
        return found

    def cancel_all(self, event_id: str) -> int:
        """Withdraw everything that this account has planned for an event, with each of its instruments; return how many.

        Raises
        ------
        NotFound
            The event is of no kind that the map has.
        TransportError
            The map does not answer, or something is still planned: it is safe to call again.
        """
        name = self._event(event_id)
        total = 0
        for label, instrument in sorted(self._options.instruments.items()):
            before = self._own_planned(name, instrument.id)
            if not before:
                continue
            self._demand(self._post("/api/v1/cancel_all", {"graceid": name, "instrumentid": instrument.id}))
            if left := self._own_planned(name, instrument.id) & before:
                raise Transient(f"{self.name} still has {len(left)} pointings of {label} planned for {name}")
            total += len(before)
        return total

    # ------------------------------------------------------------------------------------------------------------ asking

    def _event(self, event_id: str) -> str:
        name = event_name(event_id)
        if name is None:
            raise NotFound(sentence_of(f"{self.name} has gravitational-wave events only, and {event_id} is none"))
        return name

    def _reported(self, intent: Intent) -> list[tuple[dict[str, Any], Mapping[str, Any] | None]]:
        """Return the pointings of an intent, each with the row of the map that says the same and is not cancelled."""
        wanted = planned(intent, self._options.instruments[intent.instrument])
        rows = sorted(self._rows({"graceid": intent.event_id, "instrument": wanted[0]["instrumentid"]}), key=_number_of)
        alive = [row for row in rows if row.get("status") != PointingStatus.CANCELLED]
        return [(pointing, next((row for row in alive if is_same(row, pointing)), None)) for pointing in wanted]

    def _payload(self, intent: Intent) -> dict[str, Any]:
        return {"graceid": intent.event_id, "pointings": planned(intent, self._options.instruments[intent.instrument])}

    def _own_planned(self, event: str, instrument: int) -> set[int]:
        """Return the planned pointings of this account; of all accounts where it has no name in the settings."""
        rows = self._rows({"graceid": event, "instrument": instrument, "status": PointingStatus.PLANNED.value})
        mine = [row for row in rows if not self._options.user or row.get("username") in (None, self._options.user)]
        return {_number_of(row) for row in mine if row.get("instrumentid") == instrument}

    def _stored(self, payload: Mapping[str, Any]) -> tuple[list[int], list[str]]:
        """Hand pointings in, once; return their numbers and what the map complains of."""
        try:
            answer = self._post(_POINTINGS, payload)
        except TransportError as error:
            if error.nothing_was_sent:
                raise Transient(f"{error}; nothing was sent") from error
            raise TransportError(f"{error}; whether {self.name} has the report is unknown") from error
        if answer.status == 429:
            raise self._fault(answer)
        if 400 <= answer.status < 500 and answer.status not in (408, 425):
            raise NetworkRefused("; ".join(self._refusals(answer)))
        try:
            said = _json(answer)
        except Permanent as error:
            raise TransportError(f"{error}; whether {self.name} has the report is unknown") from error
        numbers = said.get("pointing_ids") if isinstance(said, dict) else None
        if answer.status != 200 or not isinstance(numbers, list) or not all(isinstance(one, int) for one in numbers):
            raise TransportError(f"{self.name} answered {answer.status} without numbers; whether it has the report is unknown")
        return numbers, complaints(said.get("ERRORS"))

    def _cancel(self, numbers: Sequence[int]) -> None:
        self._demand(self._post("/api/v1/update_pointings", {"status": PointingStatus.CANCELLED.value, "ids": list(numbers)}))

    def _rows(self, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        said = _json(self._demand(self._get(f"{_POINTINGS}?{urlencode(query)}")))
        if not isinstance(said, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), int) for row in said):
            raise Permanent(f"{self.name}'s answer is no list of pointings")
        return said

    def _placed(self, row: Mapping[str, Any], event: str) -> list[Mapping[str, Any]]:
        """Return a row of the map once for each detector of its instrument, with the corners of each."""
        instrument = row.get("instrumentid")
        plain = {
            "graceid": event,
            "id": str(row["id"]),
            "instrument": str(row.get("instrument_name") or instrument or ""),
            **{key: row.get(key) for key in ("status", "time", "band", "depth", "depth_unit", "username")},
        }
        try:
            ra, dec = place_of(row)
        except ValueError:
            return [{**plain, "position": row.get("position")}]
        if place_faults(ra, dec) or not isinstance(instrument, int):
            return [{**plain, "ra": ra, "dec": dec}]
        angle = row.get("pos_angle")
        turn = float(angle) if isinstance(angle, int | float) else 0.0
        found = self._footprints(instrument)
        return [
            {
                **plain,
                "id": plain["id"] if len(found) == 1 else f"{plain['id']}/{number}",
                "footprint": on_sky(one, ra, dec, turn),
            }
            for number, one in enumerate(found, start=1)
        ] or [{**plain, "ra": ra, "dec": dec}]

    def _footprints(self, instrument: int) -> list[list[tuple[float, float]]]:
        if instrument not in self._outlines:
            said = _json(self._demand(self._get(f"/api/v1/footprints?{urlencode({'id': instrument})}")))
            rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
            own = [str(row.get("footprint") or "") for row in rows if row.get("instrumentid") == instrument]
            if len(own) > MAX_FOOTPRINTS:
                raise Permanent(f"instrument {instrument} of {self.name} has {len(own)} footprints, more than {MAX_FOOTPRINTS}")
            self._outlines[instrument] = outlines(own)
        return self._outlines[instrument]

    def _numbers(self, remote_id: str) -> list[int]:
        parts = remote_id.split(",")
        if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
            raise NotFound(f"{self.name} has no pointings {sentence_of(remote_id)}")
        return [int(part) for part in parts]

    def _demand(self, answer: Answer) -> Answer:
        if answer.status == 404:
            raise NotFound("; ".join(self._refusals(answer)))
        if answer.status != 200:
            raise self._fault(answer)
        return answer

    def _fault(self, answer: Answer) -> TransportError:
        """Return what an answer that is no result means, where nothing was stored or nothing was to be."""
        if answer.status == 429:
            after = answer.headers.get("retry-after", "").strip()
            retry_after_s = float(after) if after.isascii() and after.isdecimal() and len(after) < 7 else None
            return Transient(f"{self.name} answered 429 too many requests", retry_after_s=retry_after_s)
        passing = answer.status >= 500 or answer.status == 408
        return (Transient if passing else Permanent)("; ".join(self._refusals(answer)))

    def _refusals(self, answer: Answer) -> list[str]:
        try:
            said = complaints(_json(answer))
        except Permanent:
            said = []
        if answer.status in (401, 403):
            return [f"{self.name} does not accept the token ({answer.status}{': ' + '; '.join(said) if said else ''})"]
        return said or [f"{self.name} answered {answer.status}"]

    def _get(self, path: str) -> Answer:
        return self._client.get(self._base + path, headers=self._headers)

    def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        text = json.dumps(body, allow_nan=False).encode()
        return self._client.post(self._base + path, text, media_type="application/json", headers=self._headers)


def _report_faults(pointing: Mapping[str, Any]) -> list[str]:
    """Return why a report would be refused, or should be: the server takes a right ascension of 400 degrees."""
    missing = [key for key in ("ra", "dec", "instrumentid", "time", "status") if pointing.get(key) is None]
    if pointing.get("status") == PointingStatus.COMPLETED:
        missing += [key for key in ("band", "depth", "depth_unit") if not pointing.get(key)]
    if missing:
        return [f"its {', '.join(missing)} is missing" if len(missing) == 1 else f"its {', '.join(missing)} are missing"]
    return place_faults(float(pointing["ra"]), float(pointing["dec"]))


def _number_of(row: Mapping[str, Any]) -> int:
    return int(row["id"])


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise Permanent(sentence_of(f"the answer of {answer.url} is no JSON")) from error


def _from_file(path: str, where: str, folder: Path) -> str:
    if not path:
        return ""
    try:
        return (folder / path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}.token_file cannot be read: {getattr(error, 'strerror', None) or error}") from error
