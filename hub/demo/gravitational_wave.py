"""The notices of the gravitational wave: IGWN alert JSON (igwn-gwalert schema 1.3.0) with embedded maps."""

import base64
import json

import numpy as np

from hub.demo.messages import Message
from hub.demo.published import (
    GW_AREA90_FINAL_DEG2,
    GW_AREA90_INITIAL_DEG2,
    GW_AREA90_TWO_DETECTORS_DEG2,
    GW_FAR_HZ,
    GW_T0,
    KILONOVA_DEC_DEG,
    KILONOVA_RA_DEG,
)
from hub.demo.skymap import Banana, Distance, banana_around, skymap_fits
from hub.model.instant import Instant

SUPEREVENT = "S170817ht"
"""Name of the event in the demo: legal in form but ours; GW170817 came before the S-numbers."""

TOPIC = "igwn.gwalert"

STAGES = (
    ("PRELIMINARY", "2017-08-17T13:08:16Z", GW_AREA90_TWO_DETECTORS_DEG2, 11.0, ("H1", "L1"), (34.0, 10.5)),
    ("INITIAL", "2017-08-17T17:54:51Z", GW_AREA90_INITIAL_DEG2, 4.8, ("H1", "L1", "V1"), (35.0, 9.5)),
    ("UPDATE", "2017-08-17T23:54:40Z", GW_AREA90_FINAL_DEG2, 4.6, ("H1", "L1", "V1"), (36.0, 9.0)),
)
"""Stage, issue time (near those of the first circulars, Abbott et al. 2017, ApJL 848, L12), 90 % area in square degrees, length
of the arc in degrees, detectors, and the parameters of the distance ansatz in Mpc, which give 40 +- 9 Mpc as published (40 +8
-14)."""


def maps(rng: np.random.Generator) -> tuple[Banana, Banana, Banana]:
    """Return the three localizations around AT2017gfo, each with the level at which it has the true position drawn anew."""
    angle = float(rng.normal(-30.0, 6.0))
    made = []
    for _, _, area, length, _, _ in STAGES:
        made.append(
            banana_around(
                KILONOVA_RA_DEG,
                KILONOVA_DEC_DEG,
                level=float(rng.uniform(0.1, 0.9)),
                turn_deg=float(rng.uniform(0.0, 360.0)),
                angle_deg=angle + float(rng.normal(0.0, 1.5)),
                area90_deg2=area,
                length_deg=length,
            )
        )
    return made[0], made[1], made[2]


def messages(localizations: tuple[Banana, ...]) -> list[Message]:
    """Return the alerts in order of issue; each arrives three seconds after it was made."""
    made = []
    for (stage, issued, _, _, detectors, (mu, sigma)), banana in zip(STAGES, localizations, strict=True):
        created = Instant.from_utc_iso(issued)
        skymap = skymap_fits(
            banana,
            Distance(mu_mpc=mu, sigma_mpc=sigma),
            superevent=SUPEREVENT,
            t0=GW_T0,
            made=created,
            detectors=",".join(detectors),
        )
        made.append(
            Message(
                payload=_alert(stage, created, detectors, skymap),
                topic=TOPIC,
                media_type="application/json",
                arrives=created.plus_s(3.0),
            )
        )
    return made


def _alert(stage: str, created: Instant, detectors: tuple[str, ...], skymap: bytes) -> bytes:
    alert = {
        "alert_type": stage,
        "time_created": created.to_utc_iso()[:19] + "Z",
        "superevent_id": SUPEREVENT,
        "urls": {"gracedb": f"https://example.org/superevents/{SUPEREVENT}/view/"},
        "event": {
            "time": GW_T0.to_utc_iso()[:23] + "Z",
            "far": GW_FAR_HZ,
            "significant": True,
            "instruments": list(detectors),
            "group": "CBC",
            "pipeline": "gstlal",
            "search": "AllSky",
            "properties": {"HasNS": 1.0, "HasRemnant": 1.0, "HasMassGap": 0.0},
            "classification": {"BNS": 0.9999, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.0001},
            "duration": None,
            "central_frequency": None,
            "skymap": base64.b64encode(skymap).decode(),
        },
        "external_coinc": None,
    }
    return json.dumps(alert).encode()
