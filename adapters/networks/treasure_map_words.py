"""The words of the Treasure Map: intents as planned pointings, its complaints as sentences, its footprints on the sky.

Names and limits are those of the server's source (TheTreasureMap/gwtm, ``server/schemas/pointing.py``, ``server/core/enums``).
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hub.errors import Permanent, sentence_of
from hub.model.followup import Intent, RequestState
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import OwnPointing, RemoteState

BANDS = frozenset("UBVRIJHKugrizLSCXq").union(
    ("UVW1", "UVW2", "UVM2", "XRT", "BAT", "TESS", "HESS", "WISEL", "UHF", "VHF", "clear", "open", "other")
)
"""Bands that the map knows; anything else is one of its ``other``."""

SAME_PLACE_DEG = 1e-6
"""Two pointings are one only if they lie no farther apart in each coordinate: places are stored as given."""

_EVENT = re.compile(r"[MT]?S\d{6}[a-z]{1,5}|GW\d{6}(?:_\d{6})?|G\d{5,6}")
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_POINT = re.compile(rf"^\s*POINT\s*\(\s*({_NUMBER})\s+({_NUMBER})\s*\)\s*$", re.IGNORECASE)
_POLYGONS = re.compile(r"\(\(([^()]*)\)\)")
_STATES: Mapping[str, tuple[RequestState, str]] = {
    PointingStatus.PLANNED: (RequestState.ACCEPTED, "reported as planned"),
    PointingStatus.COMPLETED: (RequestState.COMPLETED, "reported as completed"),
    PointingStatus.CANCELLED: (RequestState.CANCELLED, "reported as cancelled"),
}


class MapInstrument(BaseModel):
    """One instrument of the map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int = Field(ge=1, description="Its number on the map (instrumentid)")
    depths: dict[str, Annotated[float, Field(gt=0, le=40)]] = Field(
        {}, description="Limiting AB magnitude of a completed pointing, by band of the map: it takes none without"
    )
    bands: dict[str, str] = Field({}, description='Bands by the names of the policy, e.g. { gp = "g" }; others keep their names')

    def band_of(self, name: str) -> str:
        """Return the map's name of a band; ``other`` where it has none."""
        known = self.bands.get(name, name)
        return known if known in BANDS else "other"


def event_name(event_id: str) -> str | None:
    """Return the name under which the map may know an event; None where it is of no gravitational-wave event.

    >>> event_name("S230518h"), event_name("GRB 230518A")
    ('S230518h', None)
    """
    return event_id if _EVENT.fullmatch(event_id) else None


def local_faults(intent: Intent, instruments: Mapping[str, MapInstrument]) -> list[str]:
    """Return why an intent cannot be reported as planned; empty where it can. The server itself accepts RA 400."""
    faults = []
    if intent.instrument not in instruments:
        faults.append(f"{intent.network} has no instrument {intent.instrument}; there are {', '.join(sorted(instruments))}")
    if event_name(intent.event_id) is None:
        faults.append(sentence_of(f"{intent.network} has gravitational-wave events only, and {intent.event_id} is none"))
    if not intent.exposures:
        faults.append("the request has no exposures")
    return faults + place_faults(intent.ra_deg, intent.dec_deg)


def place_faults(ra_deg: float, dec_deg: float) -> list[str]:
    """Return what is wrong with a place, sentences."""
    faults = []
    if not 0.0 <= ra_deg < 360.0:
        faults.append(f"the right ascension {ra_deg:g} is not within 0 to 360 degrees")
    if not -90.0 <= dec_deg <= 90.0:
        faults.append(f"the declination {dec_deg:g} is not within -90 to 90 degrees")
    return faults


def planned(intent: Intent, instrument: MapInstrument) -> list[dict[str, Any]]:
    """Return the pointings of an intent, one for each field and band, at the beginning of its window."""
    bands = dict.fromkeys(instrument.band_of(str(exposure.get("filter") or "other")) for exposure in intent.exposures)
    return [
        {
            "ra": ra_deg,
            "dec": dec_deg,
            "instrumentid": instrument.id,
            "time": stated(intent.window_start),
            "status": PointingStatus.PLANNED.value,
            "band": band,
            "pos_angle": 0.0,
        }
        for ra_deg, dec_deg in [(one.ra_deg, one.dec_deg) for one in intent.fields] or [(intent.ra_deg, intent.dec_deg)]
        for band in bands
    ]


def told(own: OwnPointing, instrument: MapInstrument) -> dict[str, Any]:
    """Return one of the hub's own pointings in the map's words; a completed one without a depth where the settings have none."""
    pointing, band = own.pointing, instrument.band_of(own.pointing.band or "other")
    row: dict[str, Any] = {
        "ra": own.ra_deg,
        "dec": own.dec_deg,
        "instrumentid": instrument.id,
        "time": stated(pointing.at),
        "status": pointing.status.value,
        "band": band,
        "pos_angle": 0.0,
    }
    depth = instrument.depths.get(band) if pointing.depth_ab is None else pointing.depth_ab
    if pointing.status is PointingStatus.COMPLETED and depth is not None:
        row |= {"depth": depth, "depth_unit": "ab_mag"}
    return row


def stated(at: Instant) -> str:
    """Return a moment as the map takes it: UTC to the microsecond, without a zone."""
    return at.to_utc_iso().removesuffix("Z")


def is_same(row: Mapping[str, Any], pointing: Mapping[str, Any]) -> bool:
    """Return whether a row of the map is a pointing that we reported, or may have: the map has no field for a marker."""
    try:
        ra, dec = place_of(row)
        at = moment_of(str(row["time"]))
    except (KeyError, ValueError):
        return False
    return (
        row.get("instrumentid") == pointing["instrumentid"]
        and row.get("band") == pointing["band"]
        and at == moment_of(pointing["time"])
        and abs((ra - pointing["ra"] + 180.0) % 360.0 - 180.0) <= SAME_PLACE_DEG
        and abs(dec - pointing["dec"]) <= SAME_PLACE_DEG
    )


def moment_of(text: str) -> datetime:
    """Return a moment that the map states, UTC; raises ValueError where it is none."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def place_of(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return where a row of the map points, right ascension and declination, degrees; raises ValueError where it does not say."""
    found = _POINT.match(str(row.get("position") or ""))
    if found is None:
        raise ValueError("its position is no POINT(ra dec)")
    return float(found[1]), float(found[2])


def together(rows: Sequence[Mapping[str, Any]]) -> RemoteState:
    """Return the state of a request from its rows: planned as long as one is, completed where one was.

    Raises
    ------
    Permanent
        A row has no number, or a status that nobody knows.
    """
    words = [str(row.get("status")) for row in rows]
    numbers = [row.get("id") for row in rows]
    if unknown := [word for word in words if word not in _STATES]:
        raise Permanent(sentence_of(f"a pointing of the map is {unknown[0]}, which the hub does not know"))
    if not all(isinstance(number, int) for number in numbers):
        raise Permanent("a pointing of the map has no number")
    word = next(one.value for one in PointingStatus if one.value in words)
    state, reason = _STATES[word]
    return RemoteState(
        remote_id=",".join(str(number) for number in sorted(numbers, key=str)),
        remote_state=word,
        state=state.value,
        reason=reason,
    )


def complaints(said: object) -> list[str]:
    """Return what the map complains of, whatever its shape: a list in ``ERRORS``, or the ``detail`` of a refusal.

    >>> complaints({"detail": {"message": "Invalid graceid", "errors": [{"message": "it does not exist"}]}})
    ['Invalid graceid', 'it does not exist']
    """
    match said:
        case None | "" | bool() | int() | float():
            return []
        case str():
            return [sentence_of(said)]
        case Mapping():
            keys = [key for key in ("ERRORS", "detail", "message", "msg", "errors") if key in said]
            return [text for key in keys for text in complaints(said[key])]
        case list():
            return [text for item in said for text in complaints(item) if not text.startswith("Object: ")]
        case _:
            return [sentence_of(str(said))]


def outlines(texts: Sequence[str]) -> list[list[tuple[float, float]]]:
    """Return the corners of footprints in WKT, each POLYGON as it lies around RA 0, Dec 0; degrees.

    Raises
    ------
    Permanent
        A text is no POLYGON.
    """
    found = []
    for text in texts:
        polygons = _POLYGONS.findall(text)
        try:
            found += [[(float(x), float(y)) for x, y in (pair.split() for pair in one.split(","))] for one in polygons]
        except ValueError as error:
            raise Permanent(sentence_of(f"the footprint {text} is no polygon")) from error
        if not polygons:
            raise Permanent(sentence_of(f"the footprint {text} is no polygon"))
    return found


def on_sky(outline: Sequence[tuple[float, float]], ra_deg: float, dec_deg: float, pos_angle_deg: float) -> list[list[float]]:
    """Return the corners of an outline around RA 0, Dec 0 when it is moved to a place; degrees.

    The position angle turns north through east, as everywhere; the server's own drawing turns north through west
    (``server/utils/function.py``, `project_footprint`), which is believed to be a slip.
    """
    ra, dec = np.radians(np.asarray(outline, dtype=np.float64).T)
    towards, east, north = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)
    turn = math.radians(pos_angle_deg)
    east, north = east * math.cos(turn) + north * math.sin(turn), north * math.cos(turn) - east * math.sin(turn)
    tilt = math.radians(dec_deg)
    outwards, up = towards * math.cos(tilt) - north * math.sin(tilt), towards * math.sin(tilt) + north * math.cos(tilt)
    found_ra = (np.degrees(np.arctan2(east, outwards)) + ra_deg) % 360.0
    found_dec = np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))
    return [[float(one), float(other)] for one, other in zip(found_ra, found_dec, strict=True)]
