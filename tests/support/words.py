"""Short ways to make the hub's words in tests."""

import hashlib
from typing import Any

import numpy as np

from hub.model.alert import NO_TIME, UNSAID, AlertBatch
from hub.model.event import StoredNotice
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.model.sky import Localization, LocalizationSource, Skymap, SkymapSummary
from hub.science.healpix import centres, pixels29, ranges_of_uniq

T0 = Instant.from_utc_iso("2026-03-01T04:00:00Z")
"""The time of everything, unless said otherwise."""

DAY_S = 86_400.0


def notice(event_key: str = "S260301a", **changes: Any) -> Notice:
    """Return a live gravitational-wave notice."""
    values: dict[str, Any] = {
        "identity": f"test|{event_key}|{changes.get('issued_at', T0).tai_us}|{changes.get('stage', 'initial')}",
        "format": "igwn-json",
        "ivorn": f"ivo://test/{event_key}#{changes.get('sequence', 0)}",
        "stream": "igwn.gwalert",
        "mission": "LVK",
        "instrument": "H1,L1",
        "messenger": Messenger.GW,
        "role": Role.OBSERVATION,
        "stage": Stage.INITIAL,
        "event_class": EventClass.CBC,
        "event_key": event_key,
        "t0": T0,
        "issued_at": T0.plus_s(300),
        "far_hz": 1e-9,
        "classification": {"BNS": 0.9, "Terrestrial": 0.1},
        "is_live": True,
    }
    return Notice(**{**values, **changes})


def grb(event_key: str = "Fermi-1", **changes: Any) -> Notice:
    """Return a live gamma-ray burst notice."""
    values: dict[str, Any] = {
        "stream": "gcn.notices.fermi.gbm.alert",
        "mission": "Fermi",
        "instrument": "GBM",
        "messenger": Messenger.EM,
        "event_class": EventClass.GRB,
        "far_hz": None,
        "classification": {},
        "t0": T0.plus_s(1.7),
    }
    return notice(event_key, **{**values, **changes})


def stored(message: Notice, localization_id: str | None = None, *, is_trusted: bool = True) -> StoredNotice:
    """Return a notice as the hub stores it."""
    digest = hashlib.sha256(repr(message).encode()).hexdigest()
    return StoredNotice(
        notice_id=digest[:32],
        notice=message,
        received_at=T0.plus_s(400),
        is_trusted=is_trusted,
        digest=digest,
        localization_id=localization_id,
    )


def gaussian_map(ra_deg: float, dec_deg: float, sigma_deg: float, *, order: int = 6) -> Skymap:
    """Return a map of one resolution that falls off as a Gaussian in the angular distance."""
    n_pixels = 12 * 4**order
    lo, hi = ranges_of_uniq(np.arange(n_pixels) + 4 * 4**order)
    ra, dec = (np.radians(values) for values in centres(lo, hi))
    cosine = np.sin(dec) * np.sin(np.radians(dec_deg)) + np.cos(dec) * np.cos(np.radians(dec_deg)) * np.cos(
        ra - np.radians(ra_deg)
    )
    distance = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    density = np.exp(-0.5 * (distance / sigma_deg) ** 2)
    density /= density.sum() * 4 * np.pi / n_pixels
    return Skymap(lo=lo, hi=hi, probdensity=density)


def localization(skymap: Skymap, **changes: Any) -> Localization:
    """Return a localization with a summary that nothing checks."""
    summary = {
        "n_tiles": len(skymap.lo),
        "area50_deg2": 1.0,
        "area90_deg2": 2.0,
        "peak_ra_deg": 0.0,
        "peak_dec_deg": 0.0,
        "covered_fraction": 1.0,
        **changes,
    }
    return Localization(
        localization_id=skymap.digest(),
        source=LocalizationSource.SKYMAP,
        skymap=skymap,
        summary=SkymapSummary(**summary),
    )


def alerts(*rows: dict[str, Any], survey: str = "LSST") -> AlertBatch:
    """Return a batch; each row may give `ra`, `dec`, `days` after T0, and any column."""
    full = []
    for number, row in enumerate(rows, start=1):
        mid = T0.plus_s(row.get("days", 1.0) * DAY_S).tai_us
        values = {
            "source_id": 170_000_000_000_000_000 + number,
            "object_id": b"100",
            "ra_deg": row.get("ra", 130.0),
            "dec_deg": row.get("dec", 20.0),
            "mid_tai_us": mid,
            "first_tai_us": NO_TIME,
            "n_history": 0,
            "flux_njy": 10_000.0,
            "flux_err_njy": 100.0,
            "snr": 100.0,
            "reliability": 0.9,
            "band": b"r",
            "is_solar_system": False,
            "is_negative": False,
            "is_saturated": False,
            **UNSAID,
        }
        values.update({key: value for key, value in row.items() if key in values})
        full.append(values)
    columns = {name: [row[name] for row in full] for name in full[0]} if full else {}
    if not full:
        return AlertBatch.empty(survey)
    columns["hpx29"] = pixels29(np.array(columns["ra_deg"]), np.array(columns["dec_deg"]))
    return AlertBatch.from_columns(survey, **columns)
