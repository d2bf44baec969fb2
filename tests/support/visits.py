"""Visits of a camera to a sky of our own, as rows of the archive."""

import numpy as np
import pyarrow as pa

from hub import resources
from hub.science.footprint import positions_of
from hub.science.footprint_camera import Pointing, from_plane, load_cameras

CAMERAS = load_cameras(resources.read_text("conf/cameras.toml"))
LSSTCAM = CAMERAS["LSST"]


def texts(values):
    return pa.array(values, pa.string()).dictionary_encode()


def rows(ra, dec, *, visit=2026112300001, detector=0, mid_tai_us=1_800_000_000_000_000, error=100.0, **more):
    """Return rows of the archive; numbers stand for all of them."""
    n = len(ra)
    names = {"survey": "LSST", "band": "r", "reason": "", "target": "", "schema": "lsst-10.0", "reliability_version": ""} | more
    source_id = names.pop("source_id", np.arange(n) + 10**17)
    return pa.table(
        {
            "source_id": np.asarray(source_id, dtype=np.int64),
            "mid_tai_us": np.broadcast_to(np.int64(mid_tai_us), n).copy(),
            "ra": np.asarray(ra, dtype=float),
            "dec": np.asarray(dec, dtype=float),
            "flux_err_njy": np.broadcast_to(np.asarray(error, dtype=float), n).copy(),
            "visit": np.broadcast_to(np.asarray(visit, dtype=np.int64), n).copy(),
            "detector": np.broadcast_to(np.asarray(detector, dtype=np.int32), n).copy(),
            **{name: texts([value] * n if isinstance(value, str) else value) for name, value in names.items()},
        }
    )


def pointing(ra_deg, dec_deg, *, angle_deg=30.0, is_mirrored=True):
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    towards = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return Pointing(towards=towards, turn=complex(np.exp(1j * np.radians(angle_deg))), is_mirrored=is_mirrored)


def camera_rows(rng, where, *, per_detector=53.0, missing=(), camera=LSSTCAM, **more):
    """Return the rows of a visit: Poisson numbers of alerts, evenly spread over each detector that is not missing."""
    counts = rng.poisson(per_detector, len(camera))
    counts[list(missing)] = 0
    detector = np.repeat(np.arange(len(camera)), counts)
    half = camera.half_sizes[detector]
    inside = half.real * rng.uniform(-1, 1, len(detector)) + 1j * half.imag * rng.uniform(-1, 1, len(detector))
    places = camera.centres[detector] + inside
    vectors = from_plane(where.towards, where.turn * (np.conj(places) if where.is_mirrored else places))
    ra, dec = positions_of(vectors)
    return rows(ra, dec, detector=detector, source_id=rng.integers(1, 2**62, len(detector)), **more)
