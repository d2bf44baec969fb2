"""The words of the Observatory Control System's portal: intents as request groups, its faults as sentences, its states as ours.

Names and limits are those of django-ocs-observation-portal 4.18 (``requestgroups/models.py``, ``requestgroups/serializers.py``,
``common/state_changes.py``).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hub.errors import Permanent, sentence_of
from hub.model.followup import Intent, RequestState, Urgency
from hub.model.instant import Instant
from hub.ports import RemoteState

NAME_LENGTH = 50
"""Characters of a request group's name and of a target's."""

NOTE_LENGTH = 255
"""Characters of ``observation_note``."""

MARKER_PREFIX = "mmhub "
"""What the name of every request group of the hub begins with; the id of the intent follows."""

OBSERVATION_TYPES: Mapping[Urgency, str] = {
    Urgency.NORMAL: "NORMAL",
    Urgency.TIME_CRITICAL: "TIME_CRITICAL",
    Urgency.RAPID_RESPONSE: "RAPID_RESPONSE",
}
"""By which of a proposal's three allocations a request is paid for, and how it is scheduled."""

_STATES: Mapping[str, tuple[RequestState, str]] = {
    "COMPLETED": (RequestState.COMPLETED, "observed"),
    "WINDOW_EXPIRED": (RequestState.EXPIRED, "not observed within its window"),
    "CANCELED": (RequestState.CANCELLED, "withdrawn"),
    "FAILURE_LIMIT_REACHED": (RequestState.FAILED, "tried as often as the observatory tries"),
}
"""States of a request group that has ended; what is PENDING depends on its observations."""

_FAILED = frozenset({"ABORTED", "FAILED", "NOT_ATTEMPTED", "BAD_DATA"})
"""States of an observation that came to nothing; the request is scheduled again."""


class OcsInstrument(BaseModel):
    """One type of instrument, and how the exposures of a policy are written there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    telescope_class: str = Field(min_length=1, max_length=20, description="Class of telescopes that carry it, e.g. 1m0")
    filters: tuple[str, ...] = Field((), description="Filters by the network's names; empty: it has none to choose")
    bands: dict[str, str] = Field(
        {}, description='Filters by the names of the policy, e.g. { g = "gp" }; others keep their names'
    )
    longest_s: float = Field(3600.0, gt=0, description="Longest single exposure, seconds; longer ones are taken in equal parts")
    mode: str = Field("", max_length=50, description="Readout mode; empty: the network's usual one")
    guiding_mode: str = Field("", max_length=50, description="Guiding mode; empty: the network's usual one")
    acquisition_mode: str = Field("", max_length=50, description="Acquisition mode; empty: the network's usual one")

    def filter_of(self, exposure: Mapping[str, Any]) -> str:
        """Return the network's name of the filter of an exposure; empty for none."""
        name = str(exposure.get("filter") or "")
        return self.bands.get(name, name)

    def faults(self, name: str, known: object, *, network: str) -> list[str]:
        """Return what of this the network does not know, sentences.

        Parameters
        ----------
        name
            Of the type of instrument.
        known
            What the network says of it; None where it has none such.
        network
            Name of the network.
        """
        if not isinstance(known, Mapping):
            return [f"{network} has no instrument {name} that can be asked for now"]
        said = []
        if known.get("class") != self.telescope_class:
            said.append(sentence_of(f"{name} is on telescopes of the class {known.get('class')}, not {self.telescope_class}"))
        elements = known.get("optical_elements")
        groups = elements.values() if isinstance(elements, Mapping) else ()
        there = {one.get("code") for group in groups if isinstance(group, list) for one in group if isinstance(one, Mapping)}
        said += [f"{name} of {network} has no filter {one}" for one in sorted({*self.filters, *self.bands.values()} - there)]
        return said


def marker(intent_id: str) -> str:
    """Return the name that the request group of an intent has, and no other."""
    return MARKER_PREFIX + intent_id


def local_faults(intent: Intent, instruments: Mapping[str, OcsInstrument], now: Instant) -> list[str]:
    """Return why an intent cannot be written as a request group, without asking anybody; empty where it can."""
    faults = []
    instrument = instruments.get(intent.instrument)
    if instrument is None:
        known = ", ".join(sorted(instruments))
        faults.append(f"{intent.network} has no instrument {intent.instrument}; there are {known}")
    else:
        wanted = {instrument.filter_of(exposure) for exposure in intent.exposures}
        unknown = wanted - set(instrument.filters or ("",))
        faults.extend(f"{intent.instrument} has no filter {name or 'that is nameless'}" for name in sorted(unknown))
    if not intent.exposures:
        faults.append("the request has no exposures")
    if not all(_is_length(one.get("seconds")) and int(one.get("count", 1)) > 0 for one in intent.exposures):
        faults.append("an exposure has no length or is not taken once")
    faults.extend(_place_faults(intent))
    if not 1.0 < intent.max_airmass < 100.0:
        faults.append(f"the largest airmass {intent.max_airmass:g} is none")
    if intent.window_end <= now:
        faults.append(f"the window ended at {intent.window_end.to_utc_iso()}")
    if intent.window_end <= intent.window_start:
        faults.append("the window ends before it begins")
    if len(marker(intent.intent_id)) > NAME_LENGTH:
        faults.append(f"the name {marker(intent.intent_id)} is longer than {NAME_LENGTH} characters")
    return faults


def request_group(
    intent: Intent,
    instrument: OcsInstrument,
    now: Instant,
    *,
    proposal: str,
    ipp_value: float,
    min_lunar_distance_deg: float,
) -> dict[str, Any]:
    """Return an intent as the portal wants it: one request of one configuration, or of a map's fields one request each.

    The window's beginning is left out where it has passed: the portal then takes its own present moment, as a rapid response
    demands, whose window may not begin in the future by the portal's clock.
    """
    window = {"end": intent.window_end.to_utc_iso()}
    if intent.window_start > now:
        window["start"] = intent.window_start.to_utc_iso()
    requests = [
        {
            "location": {"telescope_class": instrument.telescope_class},
            "windows": [window],
            "configurations": [
                {
                    "type": "EXPOSE",
                    "instrument_type": intent.instrument,
                    "target": {"type": "ICRS", "name": name, "ra": ra_deg, "dec": dec_deg, "epoch": 2000.0},
                    "constraints": {"max_airmass": intent.max_airmass, "min_lunar_distance": min_lunar_distance_deg},
                    "acquisition_config": _mode(instrument.acquisition_mode),
                    "guiding_config": _mode(instrument.guiding_mode),
                    "instrument_configs": [_exposure(exposure, instrument) for exposure in intent.exposures],
                }
            ],
            "observation_note": f"{intent.event_id} {intent.target}: {intent.reason}"[:NOTE_LENGTH],
        }
        for name, ra_deg, dec_deg in _places(intent)
    ]
    return {
        "name": marker(intent.intent_id),
        "proposal": proposal,
        "ipp_value": ipp_value,
        "operator": "SINGLE" if len(requests) == 1 else "MANY",
        "observation_type": OBSERVATION_TYPES[intent.urgency],
        "requests": requests,
    }


def _place_faults(intent: Intent) -> Iterator[str]:
    for _, ra_deg, dec_deg in _places(intent):
        if not 0.0 <= ra_deg < 360.0:
            yield f"the right ascension {ra_deg:g} is not within 0 to 360 degrees"
        if not -90.0 <= dec_deg <= 90.0:
            yield f"the declination {dec_deg:g} is not within -90 to 90 degrees"


def _places(intent: Intent) -> list[tuple[str, float, float]]:
    """Return the names of what is to be pointed at, with right ascension and declination in degrees: fields are numbered."""
    if not intent.fields:
        return [(intent.target[:NAME_LENGTH], intent.ra_deg, intent.dec_deg)]
    ends = [f" {number}" for number in range(1, len(intent.fields) + 1)]
    return [
        (intent.target[: NAME_LENGTH - len(end)] + end, field.ra_deg, field.dec_deg)
        for end, field in zip(ends, intent.fields, strict=True)
    ]


def fault_sentences(errors: object) -> list[str]:
    """Return the portal's nested faults as sentences, each with its place.

    >>> fault_sentences({"requests": [{"windows": [{"end": ["Window end time must be in the future"]}]}]})
    ['requests.windows.end: Window end time must be in the future']
    """
    return [sentence_of(f"{place}: {text}" if place else text) for place, text in _leaves(errors, ())]


def group_state(group: Mapping[str, Any], observations: Sequence[Mapping[str, Any]]) -> RemoteState:
    """Return the state of a request group.

    Parameters
    ----------
    group
        The portal's document.
    observations
        What the observatory made of its requests; only looked at where the group is PENDING.

    Raises
    ------
    Permanent
        The document is not one, or its state is a word that nobody knows.
    """
    number, word = group.get("id"), group.get("state")
    if not isinstance(number, int) or not isinstance(word, str):
        raise Permanent("the portal's answer is no request group")
    if word == "PENDING":
        return _pending(str(number), [str(one.get("state")) for one in observations])
    if word not in _STATES:
        raise Permanent(sentence_of(f"request group {number} is in the state {word}, which the hub does not know"))
    state, reason = _STATES[word]
    return RemoteState(remote_id=str(number), remote_state=word, state=state.value, reason=reason)


def _pending(number: str, words: Sequence[str]) -> RemoteState:
    n_failed = sum(word in _FAILED for word in words)
    tried = f"{n_failed} of its observations came to nothing" if n_failed else ""
    if "IN_PROGRESS" in words:
        state, word = RequestState.IN_PROGRESS, "PENDING, observation IN_PROGRESS"
    elif "PENDING" in words:
        state, word = RequestState.SCHEDULED, "PENDING, observation PENDING"
    else:
        state, word = RequestState.ACCEPTED, "PENDING"
    return RemoteState(remote_id=number, remote_state=word, state=state.value, reason=tried)


def _is_length(seconds: object) -> bool:
    return isinstance(seconds, int | float) and isfinite(seconds) and seconds > 0


def _mode(mode: str) -> dict[str, str]:
    return {"mode": mode} if mode else {}


def _exposure(exposure: Mapping[str, Any], instrument: OcsInstrument) -> dict[str, Any]:
    seconds = float(exposure["seconds"])
    n_parts = ceil(seconds / instrument.longest_s)
    config: dict[str, Any] = {
        "exposure_time": seconds / n_parts,
        "exposure_count": int(exposure.get("count", 1)) * n_parts,
        "optical_elements": {"filter": instrument.filter_of(exposure)} if instrument.filters else {},
    }
    return config | _mode(instrument.mode)


def _leaves(errors: object, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    match errors:
        case Mapping():
            for key, item in errors.items():
                yield from _leaves(item, place if key in ("non_field_errors", "errors") else (*place, str(key)))
        case list():
            for item in errors:
                yield from _leaves(item, place)
        case None | "":
            return
        case _:
            yield ".".join(place), " ".join(str(errors).split())
