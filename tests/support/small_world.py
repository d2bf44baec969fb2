"""A small sky of a few events and objects in true wire formats, and the hub that takes it in.

One merger (preliminary, a re-send with other bytes, an update with another map), a second merger that is retracted, a burst within
the window of the first (JSON and the classic VOEvent about the same trigger), a second burst that is retracted, a neutrino with a
revision, a mock merger, a burst that the mission marks as a test, a retraction of the first merger by nobody whom the hub trusts, the
neutrino from such a one too; eight objects of a survey with 21 alerts; a circular, a file that
is nothing, an exact duplicate of a notice and of an alert, and a container with two alerts that also come by themselves.
"""

import base64
import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hub.bootstrap import Hub
from hub.config import FollowupSection, HubSection, Settings
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.science import healpix
from hub.storage.engine import Store, make_engine, upgrade
from tests.support.json_notices import as_bytes, circular, gbm, icecube, igwn_alert
from tests.support.lsst_packets import container, framed, record
from tests.support.policies import policy_text
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, gaussian_map
from tests.support.voevents import voevent

T0 = Instant.from_utc_iso("2026-03-01T02:03:04.250Z")
"""Time of the first merger."""

NOW = Instant.from_utc_iso("2026-03-04T05:00:00Z")
"""When everything arrives."""

DAY_S = 86_400.0

FIRST_PLACE = (150.0, -20.0, 4.0)
"""Centre and sigma of the first merger's preliminary map, degrees."""

SECOND_PLACE = (156.0, -20.0, 2.0)
"""The same of its updated map."""

OTHER_PLACE = (40.0, -30.0, 3.0)
"""The same of the second merger's only map."""

NEUTRINO_PLACES = ((152.0, -21.0, 1.5), (153.0, -20.5, 0.8))
"""Centre and radius of 90 % of the neutrino's two notices, degrees."""

BURST_PLACE = (151.0, -19.0, 3.0)
"""Centre and statistical radius of the burst, degrees."""

ASKS_FOR_ALL = (
    ('hypotheses = ["kilonova"]\nconfirmed = true\n', ""),
    ("max_expected_mag = 21.5", "# the maps tell no distance"),
    ("relook_d = [1.0, 3.0, 10.0, 30.0]", ""),
)
"""Changes of the shipped policy after which every announced candidate is asked for by the hub itself, once."""

OBJECTS: dict[int, tuple[float, float]] = {
    101: (154.0, -20.3),  # in both maps of the merger: fades like a kilonova
    102: (143.0, -21.0),  # in the preliminary map only
    103: (160.5, -18.5),  # in the updated map
    104: (153.0, -20.4),  # in the maps, but known for 100 days: no kilonova, the neutrino allows it
    105: (155.0, -21.0),  # in the maps; negative, doubtful or a known asteroid
    106: (40.5, -30.5),  # in the map of the retracted merger
    107: (250.0, 40.0),  # nowhere
    108: (151.0, -19.5),  # in the maps; a single detection
}
"""Object to right ascension and declination, degrees; none is near the edge of a region (see the oracle of the test)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message of the small world."""

    name: str
    payload: bytes
    topic: str | None = None
    is_trusted: bool = True
    n_messages: int = 1
    """How many the books count."""

    @property
    def envelope(self) -> Envelope:
        """The message as the operator puts it in."""
        source, trust = ("file", Trust.TRUSTED) if self.is_trusted else ("street", Trust.UNTRUSTED)
        return Envelope(payload=self.payload, source=source, received_at=NOW, topic=self.topic, trust=trust)


def after(seconds: float) -> str:
    """Return a moment after the first merger as notices write it."""
    return T0.plus_s(seconds).to_utc_iso()[:23] + "Z"


@cache
def skymap(ra_deg: float, dec_deg: float, sigma_deg: float) -> bytes:
    """Return a small multi-order map as FITS bytes."""
    made = gaussian_map(ra_deg, dec_deg, sigma_deg, top_nside=8, rounds=4)
    columns = {"UNIQ": healpix.uniq_of_ranges(made.lo, made.hi), "PROBDENSITY": made.probdensity}
    return fits_bytes(columns, NUNIQ_HEADER)


def merger(event_id: str, kind: str, issued_s: float, place: tuple[float, float, float] | None, **changes: Any) -> bytes:
    """Return an IGWN alert."""
    event = igwn_alert()["event"] | {"time": changes.pop("time", after(0))}
    if place is not None:
        event["skymap"] = base64.b64encode(skymap(*place)).decode()
    return as_bytes(
        igwn_alert(
            superevent_id=event_id, alert_type=kind, time_created=after(issued_s)[:19] + "Z", event=place and event, **changes
        )
    )


def burst(number: int, t0_s: float, issued_s: float, place: tuple[float, float, float], **changes: Any) -> bytes:
    """Return a Fermi GBM notice."""
    ra, dec, radius = place
    return as_bytes(
        gbm(
            id=[f"bn2603010{number % 100}", str(number)],
            trigger_time=after(t0_s),
            alert_datetime=after(issued_s),
            ra=ra,
            dec=dec,
            ra_dec_error=radius,
            **changes,
        )
    )


def detection(source: int, object_id: int, days: float, flux: float = 5000.0, **changes: Any) -> dict[str, Any]:
    """Return an LSST alert as a record."""
    ra, dec = OBJECTS[object_id]
    known_since = changes.pop("known_since_d", None)
    values = {
        "diaSourceId": 170_000_000_000_000_000 + source,
        "diaObjectId": 313_000_000_000_000_000 + object_id,
        "ra": ra,
        "dec": dec,
        "midpointMjdTai": T0.plus_s(days * DAY_S).mjd_tai,
        "psfFlux": flux,
        "psfFluxErr": 100.0,
        "snr": flux / 100.0,
        "reliability": 0.9,
        "isNegative": False,
    }
    history = () if known_since is None else (T0.plus_s(known_since * DAY_S).mjd_tai,)
    return record("10.0", history, **(values | changes))


def packet(source: int, object_id: int, days: float, flux: float = 5000.0, **changes: Any) -> bytes:
    """Return an LSST alert in Confluent framing."""
    return framed("10.0", detection(source, object_id, days, flux, **changes))


@cache
def notices() -> tuple[Sent, ...]:
    """Return every message that is no survey alert."""
    preliminary = merger("S260301b", "PRELIMINARY", 180, FIRST_PLACE)
    classic = voevent(
        ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Flt_Pos_2026-03-01T02:03:06.25_794023391_46-430",
        params={"Packet_Type": 111, "TrigID": 794023391, "Most_Likely_Index": 4, "Most_Likely_Prob": 90},
        time=after(2.0)[:-1],
        date=after(40)[:19],
        position=(148.0, -17.0, 6.0),
    )
    first, second = NEUTRINO_PLACES
    neutrino = {"trigger_time": after(100.0), "id": ["141234_5678901_0"]}
    other_t0 = 2.0 * DAY_S
    sent = {
        "merger preliminary": (preliminary, "igwn.gwalert"),
        "merger preliminary with other bytes": (preliminary.replace(b'"urls": {', b'"urls":  {'), "igwn.gwalert"),
        "merger preliminary again": (preliminary, "igwn.gwalert"),
        "merger update": (merger("S260301b", "UPDATE", 9000, SECOND_PLACE), "igwn.gwalert"),
        "second merger": (
            merger("S260303c", "PRELIMINARY", other_t0 + 200, OTHER_PLACE, time=after(other_t0)),
            "igwn.gwalert",
        ),
        "second merger retracted": (merger("S260303c", "RETRACTION", other_t0 + 4000, None), "igwn.gwalert"),
        "mock merger": (merger("MS260301b", "PRELIMINARY", 170, FIRST_PLACE), "igwn.gwalert"),
        "burst in XML": (classic, "gcn.classic.voevent.FERMI_GBM_FLT_POS"),
        "burst in JSON": (burst(794023391, 2.0, 60, BURST_PLACE), "gcn.notices.fermi.gbm"),
        "second burst": (burst(794023392, other_t0 + 3.0, other_t0 + 60, (41.0, -29.0, 4.0)), "gcn.notices.fermi.gbm"),
        "second burst retracted": (
            burst(
                794023392,
                other_t0 + 3.0,
                other_t0 + 7000,
                (41.0, -29.0, 4.0),
                alert_type="retraction",
                subtype="FINAL_POSITION",
                record_number=9,
            ),
            "gcn.notices.fermi.gbm",
        ),
        "test burst": (
            burst(794023394, 1.0, 55, BURST_PLACE, alert_tense="test"),
            "gcn.notices.fermi.gbm",
        ),
        "neutrino": (
            as_bytes(icecube(**neutrino, alert_datetime=after(150), ra=first[0], dec=first[1], ra_dec_error=first[2])),
            "gcn.notices.icecube.gold_bronze_track_alerts",
        ),
        "neutrino revised": (
            as_bytes(
                icecube(
                    **neutrino,
                    alert_datetime=after(8000),
                    alert_type="update",
                    record_number=2,
                    ra=second[0],
                    dec=second[1],
                    ra_dec_error=second[2],
                )
            ),
            "gcn.notices.icecube.gold_bronze_track_alerts",
        ),
        "circular": (as_bytes(circular()), "gcn.circulars"),
        "nothing": (b"this is no message at all", None),
    }
    trusted = tuple(Sent(name=name, payload=payload, topic=topic) for name, (payload, topic) in sent.items())
    forged = merger("S260301b", "RETRACTION", 12_000, None)
    return (
        *trusted,
        Sent(name="retraction by nobody", payload=forged, topic="igwn.gwalert", is_trusted=False),
        Sent(name="neutrino by nobody", payload=sent["neutrino"][0], topic=sent["neutrino"][1], is_trusted=False),
    )


@cache
def alerts() -> tuple[Sent, ...]:
    """Return every survey alert."""
    numbers = itertools.count(1)
    payloads = [
        *(packet(next(numbers), 101, days, flux) for days, flux in ((0.4, 9000.0), (0.9, 6000.0), (1.4, 4000.0), (2.4, 1500.0))),
        *(packet(next(numbers), 102, days, flux) for days, flux in ((0.5, 8000.0), (1.5, 4000.0), (2.5, 2000.0))),
        *(packet(next(numbers), 103, days, flux) for days, flux in ((0.6, 8000.0), (1.6, 3000.0))),
        *(packet(next(numbers), 104, days, known_since_d=-100.0) for days in (0.7, 1.7)),
        packet(next(numbers), 105, 0.8, isNegative=True),
        packet(next(numbers), 105, 0.9, reliability=0.1),
        packet(next(numbers), 105, 1.0, ssObjectId=77),
        *(packet(next(numbers), 106, days, flux) for days, flux in ((2.3, 8000.0), (2.5, 6000.0), (2.9, 2000.0))),
        *(packet(next(numbers), 107, days) for days in (0.4, 1.4)),
        packet(next(numbers), 108, 1.1),
    ]
    sent = [Sent(name=f"alert {number}", payload=payload) for number, payload in enumerate(payloads, start=1)]
    together = container("10.0", [detection(8, 103, 0.6, 8000.0), detection(9, 103, 1.6, 3000.0)])
    return (
        *sent,
        Sent(name="alert 1 again", payload=payloads[0]),
        Sent(name="alerts 8 and 9 together", payload=together, n_messages=2),
    )


def everything() -> tuple[Sent, ...]:
    """Return all messages, notices first."""
    return (*notices(), *alerts())


class Ticking:
    """A clock that moves by a millisecond each time it is looked at."""

    def __init__(self, start: Instant = NOW) -> None:
        self._now = start

    def __call__(self) -> Instant:
        self._now = self._now.plus_s(0.001)
        return self._now

    def forward(self, seconds: float) -> None:
        """Turn it on."""
        self._now = self._now.plus_s(seconds)


def settings_in(folder: Path, *, with_followup: bool = False) -> Settings:
    """Return settings of a hub in a folder; with follow-up the simulated network is asked for every announced candidate."""
    if not with_followup:
        return Settings(hub=HubSection(data_dir=folder), followup=FollowupSection(enabled=False))
    policy = folder / "policy.toml"
    policy.write_text(policy_text(*ASKS_FOR_ALL, base=()), encoding="utf-8")
    return Settings(hub=HubSection(data_dir=folder), followup=FollowupSection(policy=str(policy)))


@cache
def template(folder: Path) -> Path:
    """Return a SQLite database with all tables and nothing in them, made once for each folder."""
    path = folder / "template.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@contextmanager
def fresh_sqlite(folder: Path, made: Path) -> Iterator[Store]:
    """Give an empty SQLite database."""
    shutil.copy(template(made), folder / "hub.sqlite")
    store = Store(make_engine(f"sqlite:///{folder / 'hub.sqlite'}"))
    try:
        yield store
    finally:
        store.close()


def deliver(hub: Hub, sent: Sequence[Sent], cuts: Sequence[int] = ()) -> None:
    """Bring messages in this order, cut into batches, and send what follows from each."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(sent)}), len(sent)]
    for start, stop in itertools.pairwise(edges):
        hub.flow.take([one.envelope for one in sent[start:stop]])
    while hub.flow.step():
        pass
