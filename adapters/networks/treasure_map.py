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
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import Field, SecretStr

from adapters.credentials import token_of
from adapters.http import Answer, HttpClient, ServiceOptions, open_client
from adapters.networks.asking import fault_of, is_number, reasons_of, sent_once
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
    told,
)
from hub.errors import NetworkRefused, NotFound, Permanent, Transient, TransportError, sentence_of
from hub.model.followup import Intent, RequestState
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import DryRun, OwnPointing, PartContext, Quota, RemoteState

KIND = "treasure-map"
"""What the settings call it."""

MAX_BYTES = 64 * 2**20
"""Longest answer: an event has had some ten thousand pointings, a row some hundred bytes."""

MAX_FOOTPRINTS = 500
"""Most detectors of one instrument whose outlines are taken."""

_POINTINGS = "/api/v1/pointings"


class Options(ServiceOptions):
    """The Treasure Map of pointings because of gravitational-wave events: as whom, and with which instruments."""

    url: str = Field(description="Address of the map, without the path /api; there is none by default")
    token: SecretStr = Field(SecretStr(""), description="API token of the account; in the environment or in token_file")
    token_file: str = Field("", description="File that holds the token and nothing else")
    user: str = Field("", description="Name of the account on the map: its own pointings are not counted as those of others")
    instruments: dict[str, MapInstrument] = Field({}, description="Instruments that the hub reports of, by name")


@contextmanager
def open_network(options: Options, context: PartContext) -> Iterator["TreasureMap"]:
    """Give the map of some options; it holds nothing that needs closing.

    Raises
    ------
    ConfigError
        There is no token, or the address is not one that may be asked.
    """
    where = f"networks.{context.name}"
    token = token_of(options.token, options.token_file, where, context.data_dir)
    client = open_client(options, options.url, where, context.data_dir, max_bytes=MAX_BYTES)
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

    def why_not_told(self, event_id: str, own: OwnPointing) -> str:
        """Return why the map cannot be told of a pointing, a sentence, or the empty text. Nobody is asked."""
        if event_name(event_id) is None:
            return sentence_of(f"{self.name} has gravitational-wave events only, and {event_id} is none")
        if own.camera not in self._options.instruments:
            return f"{self.name} has no instrument {own.camera}"
        row = told(own, self._options.instruments[own.camera])
        return "; ".join(_report_faults(row))

    def tell(self, event_id: str, own: OwnPointing, number: int | None) -> int:
        """Report one pointing, or what became of one that was planned; return its number. What the map has is looked up first.

        Raises
        ------
        NetworkRefused
            The map said no, with its reasons, or it is completed and was to be cancelled.
        Transient
            Nothing was stored.
        TransportError
            The outcome is unknown; telling again is safe once the map cannot be busy with it any more.
        """
        row = told(own, self._options.instruments[own.camera])
        if own.pointing.status is not PointingStatus.CANCELLED:
            return self.report(event_id, [row if number is None else row | {"id": number}])[0]
        if number is None:
            number = self._number_of_planned(event_id, row)
        if number is None:
            raise NetworkRefused(f"{self.name} has no such pointing planned: there is nothing to cancel")
        self.cancel(str(number))
        return number

    def _number_of_planned(self, event_id: str, row: Mapping[str, Any]) -> int | None:
        rows = sorted(self._rows({"graceid": self._event(event_id), "instrument": row["instrumentid"]}), key=_number_of)
        return next((_number_of(one) for one in rows if is_same(one, row)), None)

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
        with sent_once(self.name, "report"):
            answer = self._post(_POINTINGS, payload)
        if answer.status == 429:
            raise self._fault(answer)
        if answer.is_refusal:
            raise NetworkRefused("; ".join(self._refusals(answer)))
        with sent_once(self.name, "report"):
            said = answer.json()
        numbers = said.get("pointing_ids") if isinstance(said, dict) else None
        if answer.status != 200 or not isinstance(numbers, list) or not all(isinstance(one, int) for one in numbers):
            raise TransportError(f"{self.name} answered {answer.status} without numbers; whether it has the report is unknown")
        return numbers, complaints(said.get("ERRORS"))

    def _cancel(self, numbers: Sequence[int]) -> None:
        self._demand(self._post("/api/v1/update_pointings", {"status": PointingStatus.CANCELLED.value, "ids": list(numbers)}))

    def _rows(self, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        said = self._demand(self._get(f"{_POINTINGS}?{urlencode(query)}")).json()
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
            said = self._demand(self._get(f"/api/v1/footprints?{urlencode({'id': instrument})}")).json()
            rows = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
            own = [str(row.get("footprint") or "") for row in rows if row.get("instrumentid") == instrument]
            if len(own) > MAX_FOOTPRINTS:
                raise Permanent(f"instrument {instrument} of {self.name} has {len(own)} footprints, more than {MAX_FOOTPRINTS}")
            self._outlines[instrument] = outlines(own)
        return self._outlines[instrument]

    def _numbers(self, remote_id: str) -> list[int]:
        parts = remote_id.split(",")
        if not all(map(is_number, parts)):
            raise NotFound(f"{self.name} has no pointings {sentence_of(remote_id)}")
        return [int(part) for part in parts]

    def _demand(self, answer: Answer) -> Answer:
        if answer.status == 404:
            raise NotFound("; ".join(self._refusals(answer)))
        if answer.status != 200:
            raise self._fault(answer)
        return answer

    def _fault(self, answer: Answer) -> TransportError:
        return fault_of(answer, self.name, self._refusals(answer))

    def _refusals(self, answer: Answer) -> list[str]:
        return reasons_of(answer, self.name, complaints)

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
