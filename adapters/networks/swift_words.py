"""The words of Swift's target-of-opportunity service: an intent as its form, its answers as our states.

Field names, limits and the form itself are those of the package swifttools 4.0.5, whose schema checks what is written here. It is
imported with the first request only: it brings pandas and more along, and makes a folder in the user's home.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from string import Formatter
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.errors import Permanent, sentence_of
from hub.model.followup import Intent, RequestState, Urgency
from hub.model.instant import Instant
from hub.ports import RemoteState

NAME_LENGTH = 60
"""Characters of a target's name with our marker; the service's own limit is not known."""

MARKER_LENGTH = 16
"""Hex digits of the id of an intent in a target's name: 64 bits."""

PLACES = frozenset({"event", "target", "reason", "window_end", "instrument", "seconds"})
"""What a text of the settings may name in braces."""

_URGENCIES: Mapping[Urgency, Literal[1, 2, 3, 4]] = {Urgency.NORMAL: 3, Urgency.TIME_CRITICAL: 2, Urgency.RAPID_RESPONSE: 1}


class SwiftTexts(BaseModel):
    """Texts that a person has agreed to, with places for what differs: {event}, {target}, {reason}, {window_end} ..."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    immediate_objective: str = Field(min_length=10, description="What the observation is for")
    science_just: str = Field(min_length=10, description="Why it is worth Swift's time")
    exp_time_just: str = Field(min_length=10, description="Why it takes so long")
    other_brightness: str = Field(min_length=3, description="How bright the target is expected to be: the form demands it")

    @model_validator(mode="after")
    def _names_known_places(self) -> Self:
        for text in self.model_dump().values():
            unknown = {name for _, name, _, _ in Formatter().parse(text) if name is not None} - PLACES
            if unknown:
                raise ValueError(
                    f"a text names {{{min(unknown)}}}; there are {', '.join(f'{{{one}}}' for one in sorted(PLACES))}"
                )
        return self


class SwiftForm(BaseModel):
    """What every request says alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    target_type: str = Field(
        "Kilonova candidate", min_length=1, description="Type of the target; GRB needs what is not sent here"
    )
    obs_type: Literal["Spectroscopy", "Light Curve", "Position", "Timing"] = Field(
        "Light Curve", description="What drives the exposure time"
    )
    poserr_arcmin: float = Field(0.02, ge=0, le=60, description="Error of the position, arc minutes (believed to be at 90 %)")
    xrt_mode: Literal[0, 6, 7] = Field(7, description="Mode of the X-ray telescope: 7 PC, 6 WT, 0 automatic")
    uvot_mode: str = Field(
        "0x9999", pattern=r"^0x[0-9A-Fa-f]{4}$", description="Mode of the UV telescope; 0x9999 filter of the day"
    )
    uvot_just: str = Field("", description="Why another filter than that of the day")
    urgencies: dict[Urgency, Literal[1, 2, 3, 4]] = Field(
        dict(_URGENCIES), description="Swift's urgency of ours: 1 highest to 4 low; 0, which wakes somebody, is for a person"
    )
    longest_s: float = Field(20_000.0, gt=0, description="Longest exposure of a request, seconds")


def marker(intent: Intent) -> str:
    """Return the name of the target of a request, which holds our marker.

    >>> marker_in("AT 2017gfo mmhub-0123456789abcdef")
    '0123456789abcdef'
    """
    tail = f" mmhub-{intent.intent_id[:MARKER_LENGTH]}"
    return f"{intent.target[: NAME_LENGTH - len(tail)]}{tail}"


def marker_in(target_name: str) -> str | None:
    """Return the marker in a target's name; None where it is not one of ours."""
    _, found, marker_text = target_name.rpartition(" mmhub-")
    return marker_text if found else None


def local_faults(intent: Intent, form: SwiftForm, instruments: Sequence[str], now: Instant) -> list[str]:
    """Return why an intent cannot be written into the form, without asking anybody; empty where it can."""
    faults = []
    if intent.instrument not in instruments:
        faults.append(f"{intent.network} has no instrument {intent.instrument}; there are {', '.join(instruments)}")
    seconds = exposure_s(intent)
    if not intent.exposures:
        faults.append("the request has no exposures")
    elif not (isfinite(seconds) and 0.0 < seconds <= form.longest_s):
        faults.append(f"exposures of {seconds:g} s are not between 0 and {form.longest_s:g} s")
    if not 0.0 <= intent.ra_deg < 360.0:
        faults.append(f"the right ascension {intent.ra_deg:g} is not within 0 to 360 degrees")
    if not -90.0 <= intent.dec_deg <= 90.0:
        faults.append(f"the declination {intent.dec_deg:g} is not within -90 to 90 degrees")
    if intent.window_end <= now:
        faults.append(f"the window ended at {intent.window_end.to_utc_iso()}")
    if len(intent.fields) > 1:
        faults.append(f"{intent.network} takes one field in a request, not {len(intent.fields)}")
    if form.target_type == "GRB":
        faults.append("a request for a GRB needs its trigger, which a person has to give")
    return faults


def request_form(intent: Intent, form: SwiftForm, texts: SwiftTexts, *, username: str) -> dict[str, Any]:
    """Return the form of an intent, not checked yet.

    It has no field for the window and none for filters: the window's end stands in the justification of the exposure time, and
    the UV telescope takes the filter of the settings.
    """
    seconds = round(exposure_s(intent))
    said = {
        "event": intent.event_id,
        "target": intent.target,
        "reason": intent.reason,
        "window_end": intent.window_end.to_utc_iso(),
        "instrument": intent.instrument,
        "seconds": seconds,
    }
    written = {name: text.format_map(said) for name, text in texts.model_dump().items()}
    written["exp_time_just"] += f" Useful until {said['window_end']}."
    return {
        **written,
        "username": username,
        "target_name": marker(intent),
        "target_type": form.target_type,
        "ra": intent.ra_deg,
        "dec": intent.dec_deg,
        "poserr": form.poserr_arcmin,
        "instrument": intent.instrument,
        "obs_type": form.obs_type,
        "urgency": form.urgencies.get(intent.urgency, 4),
        "exposure": seconds,
        "exp_time_per_visit": seconds,
        "num_of_visits": 1,
        "monitoring_freq": "1 day",  # demanded even of a single visit
        "xrt_mode": form.xrt_mode,
        "uvot_mode": form.uvot_mode,
        "uvot_just": form.uvot_just,
    }


def checked(form: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a form as swifttools would send it, and what its schema complains of.

    Raises
    ------
    ModuleNotFoundError
        swifttools is not installed.
    """
    from swifttools.swift_too.swift.toorequest import SwiftTOOPostSchema  # noqa: PLC0415 - see above

    try:
        found = SwiftTOOPostSchema.model_validate(dict(form))
    except ValidationError as error:
        return {}, [_complaint(one) for one in error.errors()]
    return found.model_dump(exclude_none=True, mode="json"), []


def form_text(form: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a form as text, as the client of swifttools (httpx) writes them."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in form.items()}


def exposure_s(intent: Intent) -> float:
    """Return the sum of the exposures, seconds; NaN where a length is none."""
    try:
        return sum(float(one["seconds"]) * int(one.get("count", 1)) for one in intent.exposures)
    except (KeyError, TypeError, ValueError):
        return float("nan")


def job_status(said: Mapping[str, Any]) -> tuple[str, int | None, list[str]]:
    """Return the word of a submission, the number of the request, and the errors: of either shape that the service answers in."""
    status = said.get("status")
    parts: Mapping[str, Any] = status if isinstance(status, Mapping) else said
    word = parts.get("status") if isinstance(status, Mapping) else status
    errors = parts.get("errors")
    number = parts.get("too_id") or said.get("too_id")
    return (
        str(word or ""),
        number if isinstance(number, int) else None,
        [sentence_of(str(one)) for one in errors] if isinstance(errors, list) else [],
    )


def refusals(said: object) -> list[str]:
    """Return the service's reasons for a no, of the shapes that it and its framework answer in."""
    if not isinstance(said, Mapping):
        return []
    _, _, errors = job_status(said)
    detail = said.get("detail")
    if isinstance(detail, str):
        errors.append(sentence_of(detail))
    if isinstance(detail, list):
        errors += [_complaint(one) if isinstance(one, Mapping) else sentence_of(str(one)) for one in detail]
    return errors


def request_state(entry: Mapping[str, Any]) -> RemoteState:
    """Return the state of a request in a listing.

    ``done`` and ``decision`` are fields of swifttools; which words ``decision`` has is not written there. That one beginning with
    "approv" is a yes, and one with "reject", "den" or "declin" a no, is believed; with any other the request is not decided.

    Raises
    ------
    Permanent
        The entry has no number.
    """
    number = entry.get("too_id")
    if not isinstance(number, int):
        raise Permanent("an entry of Swift's list of requests has no number")
    word = str(entry.get("decision") or "")
    known = word.casefold()
    if entry.get("done"):
        state, reason = RequestState.COMPLETED, "observed"
    elif known.startswith("approv"):
        state, reason = RequestState.ACCEPTED, "approved"
    elif known.startswith(("reject", "den", "declin")):
        state, reason = RequestState.REJECTED, "declined"
    else:
        state, reason = RequestState.SUBMITTED, "not decided yet"
    return RemoteState(remote_id=str(number), remote_state=sentence_of(word) or "no decision", state=state.value, reason=reason)


def _complaint(error: Mapping[str, Any]) -> str:
    place = error.get("loc")
    field = f"{place[-1]}: " if isinstance(place, list | tuple) and place else ""
    return sentence_of(f"{field}{str(error.get('msg', 'is wrong')).removeprefix('Value error, ')}")
