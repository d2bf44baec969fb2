"""Visits of a camera to a sky of our own, as rows of the archive."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from hub import resources
from hub.model.alert import AlertBatch, Provenance, Words
from hub.science.footprint import positions_of
from hub.science.footprint_camera import Pointing, from_plane, load_cameras
from hub.science.healpix import pixels29

CAMERAS = load_cameras(resources.read_text("conf/cameras.toml"))
LSSTCAM = CAMERAS["LSST"]


TOPIC = "lsst-alerts"
"""By which alerts came, unless said otherwise."""


def texts(values):
    return pa.array(values, pa.string()).dictionary_encode()


def rows(ra, dec, *, visit=2026112300001, detector=0, mid_tai_us=1_800_000_000_000_000, error=100.0, **more):
    """Return rows of the archive; numbers stand for all of them."""
    n = len(ra)
    names = {"survey": "LSST", "band": "r", "reason": "", "target": "", "schema": "lsst-10.0", "reliability_version": ""}
    names |= {"topic": TOPIC} | more
    offset = names.pop("offset", -1)
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
            "partition": np.zeros(n, dtype=np.int32),
            "offset": np.arange(n) + offset if offset >= 0 else np.full(n, -1),
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


def alerts(table):
    """Return rows as a batch of alerts with provenance, as a worker appends them."""
    n = table.num_rows

    def words(name):
        return Words.of(table[name].to_pylist())

    mid = table["mid_tai_us"].to_numpy()
    provenance = replace(
        Provenance.unknown(n),
        visit=table["visit"].to_numpy().copy(),
        detector=table["detector"].to_numpy().copy(),
        partition=table["partition"].to_numpy().copy(),
        offset=table["offset"].to_numpy().copy(),
        **{name: words(name) for name in ("reason", "target", "schema", "reliability_version", "topic")},
    )
    nothing = np.full(n, np.nan)
    batch = AlertBatch.from_columns(
        table["survey"][0].as_py(),
        source_id=table["source_id"].to_numpy(),
        object_id=[b"%d" % one for one in table["source_id"].to_pylist()],
        ra_deg=table["ra"].to_numpy(),
        dec_deg=table["dec"].to_numpy(),
        mid_tai_us=mid,
        first_tai_us=mid,
        n_history=np.zeros(n),
        flux_njy=nothing,
        flux_err_njy=table["flux_err_njy"].to_numpy(),
        snr=nothing,
        reliability=nothing,
        band=[one.encode() for one in table["band"].to_pylist()],
        is_solar_system=np.zeros(n),
        is_negative=np.zeros(n),
        is_saturated=np.zeros(n),
        hpx29=pixels29(table["ra"].to_numpy(), table["dec"].to_numpy()),
    )
    return replace(batch, provenance=provenance)
