"""Rubin as a telescope network that nobody can ask: what it plans and what it has done, from its table of observations.

Rubin takes no requests from outside: it hears of gravitational waves and neutrinos by itself, and its observers decide. What it
means to do and what it has done is public in an ObsLocTAP service (IVOA Observation Locator Table Access Protocol 1.0), which
answers ``schedule?start=MJD&end=MJD`` with a JSON list: that was read in SkyPortal's client (`facility_apis/rubin.py`), and no
server was at hand, so that the shape of an answer is believed, and that its MJD are UTC. Two traps are named there and met here:
``obs_id`` repeats the survey's name, and one ``t_min`` may stand at many visits, so that a visit is told apart by time, place
and band.

The table has no depths, and none is made up: a visit counts as searched without one.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from adapters.http import HttpClient, ServiceOptions, open_client
from hub.errors import NetworkRefused, NotFound, Permanent, sentence_of
from hub.model.followup import Intent
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.ports import DryRun, PartContext, Quota, RemoteState

KIND = "rubin"
"""What the settings call it."""

MAX_BYTES = 32 * 2**20
"""Longest answer for a day: a thousand visits have half a kilobyte each."""

MAX_DAYS = 30
"""Most days that are asked for at once, one after the other."""

STATUSES: Mapping[str, PointingStatus] = {
    "Planned": PointingStatus.PLANNED,
    "Scheduled": PointingStatus.PLANNED,
    "Performed": PointingStatus.COMPLETED,
    "Aborted": PointingStatus.CANCELLED,
    "Unscheduled": PointingStatus.CANCELLED,
}
"""Words of ``execution_status`` (ObsLocTAP 1.0)."""

_NO = "takes no requests: it decides by itself what it observes"

_FINALITY = (PointingStatus.PLANNED.value, PointingStatus.CANCELLED.value, PointingStatus.COMPLETED.value)
"""What comes later is more certain."""


class Options(ServiceOptions):
    """The visits that Rubin plans and has made, read only: nothing can be requested there."""

    url: str = Field(description="Address of the ObsLocTAP service, without /schedule; there is none by default")
    instrument: str = Field("LSSTCam", min_length=1, description="Name that its visits get")
    radius_deg: float = Field(1.75, gt=0, le=5, description="Radius of its field, degrees: 9.6 square degrees as a circle")
    bands_nm: dict[str, float] = Field(
        {"u": 368.0, "g": 478.0, "r": 622.0, "i": 754.0, "z": 869.0, "y": 971.0},
        min_length=1,
        description="Effective wavelengths of its bands, nanometres: a visit states only the ends of its band",
    )


@contextmanager
def open_network(options: Options, context: PartContext) -> Iterator["Rubin"]:
    """Give the reader of some options; it holds nothing that needs closing.

    Raises
    ------
    ConfigError
        The address is not one that may be asked.
    """
    client = open_client(options, options.url, f"networks.{context.name}", context.data_dir, max_bytes=MAX_BYTES)
    yield Rubin(options, client, context)


class Rubin:
    """A `hub.ports.TelescopeNetwork` that refuses everything, and a `hub.ports.ReportsPointings`."""

    can_find = False
    can_cancel = False
    is_simulated = False
    is_of_events = False

    def __init__(self, options: Options, client: HttpClient, context: PartContext) -> None:
        self.name = context.name
        self.host = urlsplit(options.url).hostname
        self._options = options
        self._client = client
        self._base = options.url.rstrip("/")

    def dry_run(self, intent: Intent) -> DryRun:
        """Return that nothing can be requested."""
        return DryRun(payload={}, reasons=tuple(self.validate(intent)))

    def validate(self, intent: Intent) -> list[str]:
        """Return that nothing can be requested."""
        return [f"{self.name} {_NO}"]

    def submit(self, intent: Intent) -> RemoteState:
        """Refuse; nobody is asked."""
        raise NetworkRefused(f"{self.name} {_NO}")

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Refuse; there are no requests."""
        raise NotFound(f"{self.name} {_NO}")

    def status(self, remote_id: str) -> RemoteState:
        """Refuse; there are no requests."""
        raise NotFound(f"{self.name} {_NO}")

    def cancel(self, remote_id: str) -> RemoteState:
        """Refuse; there are no requests."""
        raise NetworkRefused(f"{self.name} {_NO}")

    def quota(self) -> tuple[Quota, ...]:
        """Return nothing: there is no time to be had."""
        return ()

    def pointings_of(self, event_id: str, begin: Instant, end: Instant) -> list[Mapping[str, Any]]:
        """Return all visits that begin in a span, whatever made Rubin observe, in the words of `hub.services.pointings`.

        Of a visit that is planned and then performed or given up, only the last counts.

        Raises
        ------
        TransportError
            The service does not answer, or with no list of visits.
        """
        first, last = math.floor(begin.mjd_utc), math.ceil(end.mjd_utc)
        if last - first > MAX_DAYS:
            raise Permanent(f"{self.name} is asked for at most {MAX_DAYS} days at once, not {last - first}")
        found: dict[str, Mapping[str, Any]] = {}
        for day in range(first, last):
            for row in self._day(day):
                visit = self._visit(row)
                if visit is None or not begin.mjd_utc <= float(row["t_min"]) <= end.mjd_utc:
                    continue
                former = found.get(visit["id"])
                if former is None or _FINALITY.index(visit["status"]) >= _FINALITY.index(former["status"]):
                    found[visit["id"]] = visit
        return sorted(found.values(), key=lambda visit: (visit["time"], visit["id"]))

    def _day(self, mjd: int) -> list[Mapping[str, Any]]:
        query = urlencode({"start": float(mjd), "end": float(mjd + 1)})
        answer = self._client.get(f"{self._base}/schedule?{query}", headers={"Accept": "application/json"}).demand_success()
        said = answer.json()
        if not isinstance(said, list) or not all(isinstance(row, dict) for row in said):
            raise Permanent(sentence_of(f"the answer of {answer.url} is no list of visits"))
        return said

    def _visit(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a visit; None where its status, time or place is none."""
        status = STATUSES.get(str(row.get("execution_status")))
        numbers = [row.get(key) for key in ("t_min", "s_ra", "s_dec")]
        if status is None or not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
            return None
        begin, ra, dec = (float(one) for one in numbers if one is not None)
        ends = row.get("t_max")
        end = float(ends) if isinstance(ends, int | float) and math.isfinite(ends) and ends > begin else begin
        band = self._band(row)
        return {
            "id": hashlib.sha256(f"{begin:.8f} {ra:.6f} {dec:.6f} {band}".encode()).hexdigest()[:20],
            "instrument": self._options.instrument,
            "status": status.value,
            "time": Instant.from_mjd_utc((begin + end) / 2.0).to_utc_iso(),
            "band": band,
            "ra": ra,
            "dec": dec,
            "radius_deg": self._options.radius_deg,
            "target": str(row.get("target_name") or ""),
        }

    def _band(self, row: Mapping[str, Any]) -> str:
        ends = [row.get(key) for key in ("em_min", "em_max")]
        if not all(isinstance(one, int | float) and math.isfinite(one) for one in ends):
            return ""
        middle_nm = sum(float(one) for one in ends if one is not None) / 2.0 * 1e9
        return min(self._options.bands_nm, key=lambda band: abs(self._options.bands_nm[band] - middle_nm))
