"""Messages for a hub that will be killed: each of our own making, each told apart by its number, some more than once."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from hub.model.instant import Instant
from tests.support.lsst_packets import framed
from tests.support.voevents import voevent

T0 = Instant.from_utc_iso("2026-03-01T00:00:00Z")
"""When the first burst went off."""

SPACING_S = 3000.0
"""Between two bursts: far enough that no two are taken for one."""

REPEATED = 0.1
"""Fraction of the messages that are sent twice."""

POSITIONED = 10
"""Every so many bursts have a position, and a map is made of it; the others are triggers without a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is to do, and how long a hub lives that does it."""

    kafka_notices: int
    vtp_notices: int
    alerts: int
    """How many different messages there are of each sort."""

    life_s: float
    """A hub that has begun to take in is killed after a time between none and this one, seconds, uniformly at random."""


SMALL = Size(kafka_notices=200, vtp_notices=60, alerts=400, life_s=0.6)
"""For every run of the tests."""

MEDIUM = Size(kafka_notices=1_000, vtp_notices=250, alerts=1_000, life_s=2.0)
"""For PostgreSQL."""

LARGE = Size(kafka_notices=20_000, vtp_notices=5_000, alerts=20_000, life_s=10.0)
"""For `make torture`."""


def ivorn(number: int) -> str:
    """Return the name of a burst's only notice."""
    if _has_position(number):
        return f"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_{5_000_000 + number}-001"
    return f"ivo://nasa.gsfc.gcn/Fermi#GBM_Alert_{600_000_000 + number}"


def burst(number: int) -> bytes:
    """Return the notice of a burst."""
    at = T0.plus_s(SPACING_S * number)
    where = ((number * 137.508) % 360.0, (number * 61.8) % 160.0 - 80.0, 0.05)
    return voevent(
        ivorn=ivorn(number),
        params={"Packet_Type": 61, "TrigID": 5_000_000 + number}
        if _has_position(number)
        else {"Packet_Type": 110, "TrigID": 600_000_000 + number},
        time=at.to_utc_iso()[:23],
        date=at.plus_s(20).to_utc_iso()[:19],
        position=where if _has_position(number) else None,
    )


def alert(number: int) -> bytes:
    """Return a packet; every tenth lies on a burst that has a position, an hour after it."""
    near = number // 10 * POSITIONED
    is_near = number % 10 == 0
    at = T0.plus_s(SPACING_S * near + 3600.0)
    return framed(
        "10.0",
        diaSourceId=1 + number,
        diaObjectId=1 + number,
        ssObjectId=None,
        ra=(near * 137.508) % 360.0 if is_near else (number * 77.7) % 360.0,
        dec=(near * 61.8) % 160.0 - 80.0 if is_near else (number * 33.3) % 160.0 - 80.0,
        midpointMjdTai=at.mjd_tai,
        psfFlux=9000.0,
        psfFluxErr=50.0,
        snr=180.0,
        reliability=0.97,
        isNegative=False,
    )


def with_repeats(numbers: Iterable[int], random: Random) -> Iterator[int]:
    """Yield each number, and a tenth of them a second time, somewhat later."""
    late: list[int] = []
    for number in numbers:
        yield number
        if random.random() < REPEATED:
            late.append(number)
        if late and random.random() < 2 * REPEATED:
            yield late.pop(random.randrange(len(late)))
    yield from late


def portions(numbers: Iterable[int], n_portions: int) -> list[list[int]]:
    """Return a sequence cut into so many parts, as equal as they can be."""
    all_of_them = list(numbers)
    edges = [len(all_of_them) * part // n_portions for part in range(n_portions + 1)]
    return [all_of_them[start:stop] for start, stop in itertools.pairwise(edges)]


def _has_position(number: int) -> bool:
    return number % POSITIONED == 0
