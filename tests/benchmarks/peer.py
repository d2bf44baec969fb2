"""The peers' shape, our imitation: each packet decoded in full with fastavro, and mocpy asked for each alert and map.

What a packet costs hangs on its size, and a few of the largest cost as much as hundreds of others. So packets are drawn from classes
of size, and a class counts by its share of the topic (stratified sampling: Cochran 1977, Sampling Techniques, chapter 5).
"""

import io
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import astropy.units as u
import fastavro
import numpy as np
from astropy.coordinates import Latitude, Longitude
from mocpy import MOC

from hub import resources

CLASSES = (0.0, 0.5, 0.8, 0.95, 0.99, 1.0)
"""Quantiles of the size of packets between which classes lie."""

WARM_UP = 5
"""Packets that are read before: caches fill."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What one alert costs."""

    decode_s: float
    contain_s: float
    error: float
    """Standard error of their sum, as a share of it."""

    hits: float
    """Maps that hold an alert, in the mean."""

    n_timed: int

    @property
    def rate(self) -> float:
        """Alerts a second."""
        return 1.0 / (self.decode_s + self.contain_s)


def timed(payloads: Sequence[bytes], mocs: Sequence[MOC], n: int) -> Peer:
    """Return what the packets cost, of which so many are timed, or all where there are fewer."""
    schema = fastavro.parse_schema(json.loads(resources.read_text("schemas/lsst/10.0.avsc")))
    for payload in payloads[:WARM_UP]:
        _one(payload, schema, mocs)
    return estimated(payloads, n, lambda payload: _one(payload, schema, mocs))


def estimated(payloads: Sequence[bytes], n: int, cost: Callable[[bytes], tuple[float, float, float]]) -> Peer:
    """Return the means over all packets of what some of them cost.

    Parameters
    ----------
    payloads
        All packets.
    n
        Most of them that are looked at, unless that is less than two of a class.
    cost
        Gives seconds of decoding, seconds of containment, and hits of one.
    """
    by_size = sorted(payloads, key=len)
    edges = [round(share * len(by_size)) for share in CLASSES]
    classes = [by_size[first:last] for first, last in itertools.pairwise(edges) if last > first]
    means, variance = np.zeros(3), 0.0
    n_timed = 0
    for packets in classes:
        chosen = [packets[i] for i in np.unique(np.linspace(0, len(packets) - 1, max(2, n // len(classes))).astype(int))]
        found = np.array([cost(payload) for payload in chosen])
        weight = len(packets) / len(by_size)
        means += weight * found.mean(axis=0)
        if 1 < len(chosen) < len(packets):  # what is timed wholly has no error of sampling
            variance += weight**2 * float(found[:, :2].sum(axis=1).var(ddof=1)) / len(chosen)
        n_timed += len(chosen)
    return Peer(
        decode_s=float(means[0]),
        contain_s=float(means[1]),
        hits=float(means[2]),
        error=math.sqrt(variance) / float(means[0] + means[1]),
        n_timed=n_timed,
    )


def _one(payload: bytes, schema: object, mocs: Sequence[MOC]) -> tuple[float, float, float]:
    begun = time.perf_counter()
    source = fastavro.schemaless_reader(io.BytesIO(payload[5:]), schema, None)["diaSource"]
    decoded = time.perf_counter()
    place = Longitude(source["ra"] * u.deg), Latitude(source["dec"] * u.deg)
    n_hits = sum(bool(moc.contains_lonlat(*place)[0]) for moc in mocs)
    return decoded - begun, time.perf_counter() - decoded, n_hits
